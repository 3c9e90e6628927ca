//! Decoders: from an output over time `[T, N, C]` to one value for each sample and class `[N, C]`.
//!
//! | decoder | function | silent neuron |
//! |---|---|---|
//! | spike count | [`spike_counts`] | 0 |
//! | firing rate \[spikes per step\], mean voltage | [`mean`] | 0 |
//! | first spike \[steps from 0\] | [`first_spike`] | T |
//! | last voltage | [`last`] | – |
//! | largest voltage | [`max`] | – |
//!
//! [`highest`] and [`earliest`] name the class a sample is given.
//!
//! # Example
//! ```
//! use rheobase_learning::decode::{earliest, first_spike, highest, mean, spike_counts};
//!
//! // Three steps, one sample, three classes.
//! let output = [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
//! let shape = [3, 1, 3];
//! assert_eq!(spike_counts(&output, shape)?, [2.0, 1.0, 0.0]);
//! assert_eq!(mean(&output, shape)?, [2.0 / 3.0, 1.0 / 3.0, 0.0]);
//! assert_eq!(first_spike(&output, shape)?, [1, 0, 3]);
//! assert_eq!(highest(&spike_counts(&output, shape)?, 3), [0]);
//! assert_eq!(earliest(&first_spike(&output, shape)?, 3), [1]);
//! # Ok::<(), rheobase_learning::output::OutputError>(())
//! ```

use rheobase_equations::real::Real;

use crate::output::{OutputError, check_shape, count};

/// Σₜ o\[t\]: spike counts, `[N, C]`. O(T·N·C).
///
/// # Errors
/// If the output does not fill the shape.
pub fn spike_counts<R: Real>(output: &[R], shape: [usize; 3]) -> Result<Vec<R>, OutputError> {
    fold(output, shape, R::ZERO, |sum, o| *sum += o)
}

/// Σₜ o\[t\]/T: the firing rate in spikes per step, or the mean voltage; `[N, C]`. O(T·N·C).
///
/// # Errors
/// If the output does not fill the shape.
pub fn mean<R: Real>(output: &[R], shape: [usize; 3]) -> Result<Vec<R>, OutputError> {
    let duration = count::<R>(shape[0]);
    let mut mean = spike_counts(output, shape)?;
    mean.iter_mut().for_each(|x| *x = *x / duration);
    Ok(mean)
}

/// o\[T\]: the voltage after the last step, `[N, C]`. O(N·C).
///
/// # Errors
/// If the output does not fill the shape.
pub fn last<R: Real>(output: &[R], shape: [usize; 3]) -> Result<Vec<R>, OutputError> {
    check_shape(output.len(), shape)?;
    Ok(output[output.len() - shape[1] * shape[2]..].to_vec())
}

/// maxₜ o\[t\]: the largest voltage, `[N, C]`. NaN is passed over. O(T·N·C).
///
/// # Errors
/// If the output does not fill the shape.
pub fn max<R: Real>(output: &[R], shape: [usize; 3]) -> Result<Vec<R>, OutputError> {
    let lowest = R::from_f64(f64::NEG_INFINITY);
    fold(output, shape, lowest, |largest, o| {
        *largest = if o > *largest { o } else { *largest };
    })
}

/// The step of each neuron's first spike, counted from 0, `[N, C]`; T where it is silent. Whatever is
/// above 0 is a spike. O(T·N·C).
///
/// # Errors
/// If the output does not fill the shape.
pub fn first_spike<R: Real>(output: &[R], shape: [usize; 3]) -> Result<Vec<usize>, OutputError> {
    check_shape(output.len(), shape)?;
    let [steps, batch, classes] = shape;
    let mut first = vec![steps; batch * classes];
    for (step, row) in output.chunks_exact(batch * classes).enumerate().rev() {
        for (first, &o) in first.iter_mut().zip(row) {
            *first = if o > R::ZERO { step } else { *first };
        }
    }
    Ok(first)
}

fn fold<R: Real>(
    output: &[R],
    shape: [usize; 3],
    initial: R,
    add: impl Fn(&mut R, R),
) -> Result<Vec<R>, OutputError> {
    check_shape(output.len(), shape)?;
    let lanes = shape[1] * shape[2];
    let mut all = vec![initial; lanes];
    for row in output.chunks_exact(lanes) {
        all.iter_mut().zip(row).for_each(|(x, &o)| add(x, o));
    }
    Ok(all)
}

/// The class of the highest score of each row of `scores` (`[N, classes]`). Of equal scores the lowest
/// class wins; NaN never does; a row without a number, or without classes, gives class 0.
#[must_use]
pub fn highest<R: Real>(scores: &[R], classes: usize) -> Vec<usize> {
    best(scores, classes, R::from_f64(f64::NEG_INFINITY), |a, b| {
        a > b
    })
}

/// The class of the earliest time of each row of `times` (`[N, classes]`). Of equal times the lowest
/// class wins: class 0 where all are silent.
#[must_use]
pub fn earliest(times: &[usize], classes: usize) -> Vec<usize> {
    best(times, classes, usize::MAX, |a, b| a < b)
}

fn best<X: Copy>(
    scores: &[X],
    classes: usize,
    worst: X,
    beats: impl Fn(X, X) -> bool,
) -> Vec<usize> {
    let row = |row: &[X]| {
        let mut best = (0, worst);
        for (class, &score) in row.iter().enumerate() {
            if beats(score, best.1) {
                best = (class, score);
            }
        }
        best.0
    };
    scores.chunks(classes.max(1)).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two steps, two samples, two classes.
    const OUTPUT: [f64; 8] = [-1.0, 0.25, 0.5, -3.0, -2.0, 0.75, 0.5, -2.0];
    const SHAPE: [usize; 3] = [2, 2, 2];

    #[test]
    fn voltages_by_hand() {
        assert_eq!(
            spike_counts(&OUTPUT, SHAPE).unwrap(),
            [-3.0, 1.0, 1.0, -5.0]
        );
        assert_eq!(mean(&OUTPUT, SHAPE).unwrap(), [-1.5, 0.5, 0.5, -2.5]);
        assert_eq!(last(&OUTPUT, SHAPE).unwrap(), [-2.0, 0.75, 0.5, -2.0]);
        assert_eq!(max(&OUTPUT, SHAPE).unwrap(), [-1.0, 0.75, 0.5, -2.0]);
        assert_eq!(max(&[f64::NAN, 1.0], [2, 1, 1]).unwrap(), [1.0]);
    }

    #[test]
    fn first_spikes_by_hand() {
        // Class 0 fires twice, class 1 in the last step, class 2 never.
        let output = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0_f32];
        assert_eq!(first_spike(&output, [3, 1, 3]).unwrap(), [1, 2, 3]);
        assert_eq!(first_spike(&[0.0; 4], [2, 1, 2]).unwrap(), [2, 2]);
    }

    #[test]
    fn ties_go_to_the_lowest_class() {
        assert_eq!(highest(&[1.0, 2.0, 2.0, 0.0, 0.0, 0.0], 3), [1, 0]);
        assert_eq!(highest(&[f64::NAN, -1.0, f64::NAN, f64::NAN], 2), [1, 0]);
        assert_eq!(earliest(&[5, 2, 2, 4, 4, 4], 3), [1, 0]);
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let shape = [2, 2, 3];
        assert!(spike_counts(&OUTPUT, shape).is_err());
        assert!(mean(&OUTPUT, shape).is_err());
        assert!(last(&OUTPUT, shape).is_err());
        assert!(max(&OUTPUT, shape).is_err());
        assert!(first_spike(&OUTPUT, shape).is_err());
        assert!(last::<f64>(&[], [0, 2, 2]).is_err());
    }
}
