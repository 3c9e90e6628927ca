//! How well predictions fit labels.
//!
//! Predictions come from [`crate::decode::highest`] and [`crate::decode::earliest`].
//!
//! # Example
//! ```
//! use rheobase_learning::decode::{highest, spike_counts};
//! use rheobase_learning::metric::{Confusion, n_correct};
//!
//! // One step, three samples, two classes.
//! let output = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
//! let predicted = highest(&spike_counts(&output, [1, 3, 2])?, 2);
//! assert_eq!(n_correct(&predicted, &[0, 1, 1])?, 2);
//! let mut confusion = Confusion::new(2);
//! confusion.add(&predicted, &[0, 1, 1])?;
//! assert_eq!(confusion.counts(), [1, 0, 1, 1]);
//! assert_eq!(confusion.accuracy(), Some(2.0 / 3.0));
//! # Ok::<(), rheobase_learning::output::OutputError>(())
//! ```

use crate::output::{OutputError, check_labels};

/// Number of samples whose predicted class is their label.
///
/// # Errors
/// If there are not as many labels as predictions.
pub fn n_correct(predicted: &[usize], labels: &[usize]) -> Result<usize, OutputError> {
    check_labels(labels, predicted.len(), usize::MAX)?;
    Ok(predicted.iter().zip(labels).filter(|(p, l)| p == l).count())
}

/// How often samples of each class were given each class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// Of no samples yet.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            counts: vec![0; classes * classes],
        }
    }

    /// Counts a batch.
    ///
    /// # Errors
    /// If there are not as many labels as predictions, or one of either is no class; nothing is counted
    /// then.
    pub fn add(&mut self, predicted: &[usize], labels: &[usize]) -> Result<(), OutputError> {
        check_labels(labels, predicted.len(), self.classes)?;
        check_labels(predicted, labels.len(), self.classes)?;
        for (&p, &l) in predicted.iter().zip(labels) {
            self.counts[l * self.classes + p] += 1;
        }
        Ok(())
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Samples by \[label, prediction\], row-major.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Samples counted.
    #[must_use]
    pub fn n_samples(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The share of samples on the diagonal; none where there are no samples.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "numbers of samples")]
    pub fn accuracy(&self) -> Option<f64> {
        let correct: u64 = self.counts.iter().step_by(self.classes + 1).sum();
        let n = self.n_samples();
        (n > 0).then(|| correct as f64 / n as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_hand() {
        let mut confusion = Confusion::new(3);
        assert_eq!((confusion.classes(), confusion.accuracy()), (3, None));
        confusion.add(&[0, 2, 1, 2], &[0, 1, 1, 2]).unwrap();
        confusion.add(&[0], &[2]).unwrap();
        assert_eq!(confusion.counts(), [1, 0, 0, 0, 1, 1, 1, 0, 1]);
        assert_eq!(
            (confusion.n_samples(), confusion.accuracy()),
            (5, Some(0.6))
        );
        assert_eq!(n_correct(&[0, 2, 1, 2], &[0, 1, 1, 2]).unwrap(), 3);
    }

    #[test]
    fn a_wrong_batch_is_an_error_and_counts_nothing() {
        let mut confusion = Confusion::new(2);
        assert!(confusion.add(&[0, 1], &[0]).is_err());
        assert!(confusion.add(&[0, 1], &[0, 2]).is_err());
        assert!(confusion.add(&[0, 2], &[0, 1]).is_err());
        assert_eq!(confusion.n_samples(), 0);
        assert!(n_correct(&[0, 1], &[0]).is_err());
    }
}
