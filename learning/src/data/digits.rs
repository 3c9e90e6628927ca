//! The digits that come with the library.

use super::{DataError, Dataset, Split, files};
use rheobase_equations::real::Real;
use rheobase_formats::array::Limits;
use rheobase_formats::idx;

const IMAGES: &[u8] = include_bytes!("../../data/digits-images-idx3-ubyte.gz");
const LABELS: &[u8] = include_bytes!("../../data/digits-labels-idx1-ubyte.gz");
/// Samples to learn from: the first four fifths.
const TRAIN: usize = 1437;

/// 1,797 handwritten digits of 8 × 8 pixels, values 0 to 1 in sixteenths, ten classes of about equal
/// size. The first 1,437 are to learn from, the last 360 to judge by, in the order of the source, whose
/// samples go by writer. That is harder than a split at random: logistic regression gets 90.0 % of the
/// last 360 right, but 94 to 99 % of 360 at random. About a millisecond.
///
/// Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
/// Repository, 1998, doi:10.24432/C50P49, licence CC BY 4.0; as scikit-learn 1.9.1 orders them
/// (`learning/data/README.md`).
///
/// # Errors
/// None but if the library was built from damaged files.
///
/// # Example
/// ```
/// let split = rheobase_learning::data::digits::<f32>()?;
/// assert_eq!((split.train.len(), split.test.len()), (1437, 360));
/// assert_eq!((split.train.shape(), split.train.classes()), (&[8, 8][..], 10));
/// # Ok::<(), rheobase_learning::data::DataError>(())
/// ```
pub fn digits<R: Real>() -> Result<Split<R>, DataError> {
    let limits = Limits {
        array_bytes: 1 << 20,
    };
    let images = idx::parse("digits-images", IMAGES, &limits)?;
    let labels = idx::parse("digits-labels", LABELS, &limits)?;
    let labels = files::classes("digits-labels", "labels", labels)?;
    let (shape, values) = files::samples("digits-images", "images", images, 16)?;
    Dataset::new("digits", &shape, values, labels, 10)?.split_at(TRAIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Values;

    /// Sums printed by `learning/data/make_digits.py`.
    #[test]
    fn they_are_those_of_scikit_learn() {
        let split = digits::<f64>().unwrap();
        let bytes: Vec<u8> = [&split.train, &split.test]
            .into_iter()
            .flat_map(|data| match data.values() {
                Values::Bytes { bytes, full_scale } => {
                    assert_eq!(*full_scale, 16);
                    bytes.clone()
                }
                Values::Numbers(_) => unreachable!("digits are bytes"),
            })
            .collect();
        assert_eq!(bytes.len(), 1797 * 64);
        assert_eq!(bytes.iter().max(), Some(&16));
        let sum = bytes.iter().map(|&b| u64::from(b)).sum::<u64>();
        assert_eq!(sum, 561_718);
        let weighted = (0..997).cycle().zip(&bytes).map(|(k, &b)| k * u64::from(b));
        assert_eq!(weighted.sum::<u64>(), 279_351_792);
        assert_eq!(
            &bytes[..16],
            [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0]
        );
        assert_eq!(split.train.labels()[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let all: Vec<usize> = split
            .train
            .per_class()
            .iter()
            .zip(split.test.per_class())
            .map(|(a, b)| a + b)
            .collect();
        assert_eq!(all, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        let mut row = vec![0.0; 64];
        split.train.sample(0, &mut row).unwrap();
        assert_eq!(row[3], 13.0 / 16.0);
    }
}
