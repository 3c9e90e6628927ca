//! Samples with their labels.

use super::{DataError, Split};
use rheobase_equations::real::Real;

/// The values of all samples, `[samples, elements]`, row-major.
#[derive(Clone, PartialEq, Debug)]
pub enum Values<R> {
    /// Bytes; handed out divided by `full_scale`, correctly rounded.
    Bytes {
        /// As stored.
        bytes: Vec<u8>,
        /// The byte that becomes 1: 255 of photographs.
        full_scale: u8,
    },
    /// Numbers, handed out as they are.
    Numbers(Vec<R>),
}

impl<R> Values<R> {
    fn len(&self) -> usize {
        match self {
            Self::Bytes { bytes, .. } => bytes.len(),
            Self::Numbers(numbers) => numbers.len(),
        }
    }
}

/// Samples of one shape, each with the number of its class. Everything in it was checked: there is at
/// least one sample, values are finite, labels name classes.
///
/// # Example
/// ```
/// use rheobase_learning::data::{Dataset, Values};
///
/// // Three samples of two bytes, two classes.
/// let values = Values::Bytes { bytes: vec![0, 255, 51, 0, 255, 255], full_scale: 255 };
/// let data = Dataset::<f32>::new("tiny", &[2], values, vec![0, 1, 1], 2)?;
/// let mut sample = [0.0; 2];
/// data.sample(1, &mut sample)?;
/// assert_eq!((sample, data.labels()[1]), ([0.2, 0.0], 1));
/// assert_eq!(data.per_class(), [1, 2]);
/// # Ok::<(), rheobase_learning::data::DataError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Dataset<R> {
    name: String,
    shape: Vec<usize>,
    elements: usize,
    values: Values<R>,
    labels: Vec<usize>,
    classes: usize,
    /// What each byte becomes; of bytes only. As long as a byte has values, so that no index is checked.
    scaled: Box<[R; 256]>,
}

impl<R: Real> Dataset<R> {
    /// `shape` is that of a sample, such as `[28, 28]`; there are as many samples as `labels`, each below
    /// `classes`. `name` is for messages. O(values).
    ///
    /// # Errors
    /// If there is no sample, values do not fill the shape, one is not finite (the sample is named), a
    /// label is no class, or `full_scale` is 0.
    pub fn new(
        name: &str,
        shape: &[usize],
        values: Values<R>,
        labels: Vec<usize>,
        classes: usize,
    ) -> Result<Self, DataError> {
        let own = || name.to_owned();
        let elements = shape.iter().try_fold(1_usize, |n, &k| n.checked_mul(k));
        let wrong_length = || DataError::Length {
            name: own(),
            found: values.len(),
            labels: labels.len(),
            shape: shape.to_vec(),
        };
        let elements = elements.ok_or_else(wrong_length)?;
        if labels.is_empty() || elements == 0 {
            let (name, shape) = (own(), shape.to_vec());
            return Err(DataError::Empty { name, shape });
        }
        if elements.checked_mul(labels.len()) != Some(values.len()) {
            return Err(wrong_length());
        }
        if u32::try_from(labels.len()).is_err() {
            let (name, samples) = (own(), labels.len());
            return Err(DataError::TooMany { name, samples });
        }
        if let Some(sample) = labels.iter().position(|&label| label >= classes) {
            return Err(DataError::Label {
                name: own(),
                sample,
                label: i64::try_from(labels[sample]).unwrap_or(i64::MAX),
                classes,
            });
        }
        let mut scaled = Box::new([R::ZERO; 256]);
        match &values {
            Values::Numbers(numbers) => {
                if let Some(k) = numbers.iter().position(|x| !x.is_finite()) {
                    return Err(DataError::NotFinite {
                        name: own(),
                        sample: k / elements,
                        element: k % elements,
                        value: numbers[k].to_f64(),
                    });
                }
            }
            Values::Bytes { full_scale: 0, .. } => {
                return Err(DataError::Parameter {
                    name: "full_scale of bytes",
                    value: 0.0,
                    expected: "1 to 255",
                });
            }
            // A quotient rounded to f64 and then to f32 may differ from one rounded at once; one of
            // integers below 2^8 lies too far from a tie of f32 for that.
            Values::Bytes { full_scale, .. } => {
                for (x, byte) in scaled.iter_mut().zip(0..=u8::MAX) {
                    *x = R::from_f64(f64::from(byte) / f64::from(*full_scale));
                }
            }
        }
        Ok(Self {
            name: own(),
            shape: shape.to_vec(),
            elements,
            values,
            labels,
            classes,
            scaled,
        })
    }

    /// Its name, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of samples, at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Shape of a sample.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Elements of a sample: the product of its shape.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The class of each sample.
    #[must_use]
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The values of all samples as they are stored.
    #[must_use]
    pub fn values(&self) -> &Values<R> {
        &self.values
    }

    /// Samples of each class. O(samples).
    #[must_use]
    pub fn per_class(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        self.labels.iter().for_each(|&label| counts[label] += 1);
        counts
    }

    /// Writes the values of a sample into `row`, as long as a sample has elements. O(elements).
    ///
    /// # Errors
    /// If there is no such sample, or `row` has another length; nothing is written then.
    pub fn sample(&self, sample: usize, row: &mut [R]) -> Result<(), DataError> {
        self.check(sample)?;
        if row.len() != self.elements {
            return Err(DataError::Length {
                name: self.name.clone(),
                found: row.len(),
                labels: 1,
                shape: self.shape.clone(),
            });
        }
        let range = self.range(sample);
        match &self.values {
            Values::Numbers(numbers) => row.copy_from_slice(&numbers[range]),
            Values::Bytes { bytes, .. } => {
                for (x, &byte) in row.iter_mut().zip(&bytes[range]) {
                    *x = self.scaled[usize::from(byte)];
                }
            }
        }
        Ok(())
    }

    fn check(&self, sample: usize) -> Result<(), DataError> {
        if sample < self.len() {
            return Ok(());
        }
        Err(DataError::Sample {
            name: self.name.clone(),
            sample,
            samples: self.len(),
        })
    }

    fn range(&self, sample: usize) -> std::ops::Range<usize> {
        sample * self.elements..(sample + 1) * self.elements
    }

    /// Appends the values of a sample that is there.
    pub(super) fn append(&self, sample: usize, out: &mut Vec<R>) {
        let range = self.range(sample);
        match &self.values {
            Values::Numbers(numbers) => out.extend_from_slice(&numbers[range]),
            Values::Bytes { bytes, .. } => {
                out.extend(bytes[range].iter().map(|&b| self.scaled[usize::from(b)]));
            }
        }
    }

    /// A data set of some of the samples, in the order given; one may come several times.
    ///
    /// # Errors
    /// If there is no such sample, or none is asked for.
    pub fn subset(&self, name: &str, samples: &[usize]) -> Result<Self, DataError> {
        samples.iter().try_for_each(|&sample| self.check(sample))?;
        let labels = samples.iter().map(|&sample| self.labels[sample]).collect();
        let values = match &self.values {
            Values::Numbers(all) => Values::Numbers(self.gather(all, samples)),
            Values::Bytes { bytes, full_scale } => Values::Bytes {
                bytes: self.gather(bytes, samples),
                full_scale: *full_scale,
            },
        };
        Self::new(name, &self.shape, values, labels, self.classes)
    }

    fn gather<T: Copy>(&self, all: &[T], samples: &[usize]) -> Vec<T> {
        let rows = samples.iter().flat_map(|&sample| &all[self.range(sample)]);
        rows.copied().collect()
    }

    /// The first `n` samples to learn from, the rest to judge by, in their order.
    ///
    /// # Errors
    /// If one of the two would be empty.
    pub fn split_at(&self, n: usize) -> Result<Split<R>, DataError> {
        let part = |what: &str, range: std::ops::Range<usize>| {
            let samples: Vec<usize> = range.collect();
            self.subset(&format!("{} ({what})", self.name), &samples)
        };
        let n = n.min(self.len());
        Ok(Split {
            train: part("train", 0..n)?,
            test: part("test", n..self.len())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(bytes: &[u8]) -> Values<f64> {
        let full_scale = 255;
        let bytes = bytes.to_vec();
        Values::Bytes { bytes, full_scale }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let fail = |shape: &[usize], values: Values<f64>, labels: &[usize]| {
            let made = Dataset::new("d", shape, values, labels.to_vec(), 3);
            made.unwrap_err().to_string()
        };
        let empty = "data set d: no samples, or samples of shape";
        assert!(fail(&[2], bytes(&[]), &[]).starts_with(empty));
        assert!(fail(&[2, 0], bytes(&[]), &[1]).starts_with(empty));
        let length = "data set d: 5 values, but 2 labels with samples of shape [3] need 6";
        assert_eq!(fail(&[3], bytes(&[0; 5]), &[0, 1]), length);
        assert!(fail(&[usize::MAX, 2], bytes(&[0]), &[0]).contains("need 18446744073709551615"));
        let label = "data set d: label 3 of sample 1 is outside 0 .. 3";
        assert_eq!(fail(&[1], bytes(&[0, 0]), &[2, 3]), label);
        let nan = Values::Numbers(vec![0.0, 1.0, 2.0, f64::NAN]);
        let text = "data set d: element 1 of sample 1 is NaN: expected a finite number";
        assert_eq!(fail(&[2], nan, &[0, 0]), text);
        let zero = Values::Bytes {
            bytes: vec![1],
            full_scale: 0,
        };
        assert!(fail(&[1], zero, &[0]).contains("full_scale"));
    }

    #[test]
    fn bytes_become_the_nearest_numbers() {
        let all: Vec<u8> = (0..=255).collect();
        for full_scale in 1..=255 {
            let values = Values::Bytes {
                bytes: all.clone(),
                full_scale,
            };
            let data = Dataset::<f32>::new("d", &[256], values, vec![0], 1).unwrap();
            let mut row = vec![0.0; 256];
            data.sample(0, &mut row).unwrap();
            for (byte, x) in all.iter().zip(row) {
                assert_eq!(x, f32::from(*byte) / f32::from(full_scale));
            }
        }
    }

    #[test]
    fn samples_are_where_they_were_put() {
        let values = Values::Numbers((0..12).map(f64::from).collect());
        let data = Dataset::new("d", &[3], values, vec![0, 1, 0, 1], 2).unwrap();
        let some = data.subset("s", &[3, 0, 3]).unwrap();
        assert_eq!(some.labels(), [1, 0, 1]);
        let expected = [9.0, 10.0, 11.0, 0.0, 1.0, 2.0, 9.0, 10.0, 11.0];
        assert_eq!(some.values(), &Values::Numbers(expected.to_vec()));
        let split = data.split_at(3).unwrap();
        assert_eq!((split.train.len(), split.test.len()), (3, 1));
        assert_eq!(split.test.name(), "d (test)");
        assert!(data.split_at(0).is_err() && data.split_at(4).is_err());
        assert!(
            data.subset("s", &[4])
                .unwrap_err()
                .to_string()
                .contains("no sample 4, there are 4")
        );
        let mut row = [7.0; 2];
        assert!(data.sample(0, &mut row).is_err() && data.sample(4, &mut [0.0; 3]).is_err());
        assert_eq!(row, [7.0; 2], "left as it was");
    }
}
