//! What losses, decoders and metrics ask of the output of a network and of its labels.

use rheobase_equations::real::Real;

/// Why an output, or the labels it is judged by, cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The output does not have the stated shape, or the shape is empty.
    #[error(
        "output holds {found} values; [{steps}, {batch}, {classes}] needs {expected}, and at least one"
    )]
    Shape {
        /// Steps.
        steps: usize,
        /// Batch.
        batch: usize,
        /// Classes.
        classes: usize,
        /// T·N·C.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// There are not as many labels as samples.
    #[error("{found} labels for a batch of {batch}: give one for each sample")]
    Labels {
        /// Batch.
        batch: usize,
        /// Labels given.
        found: usize,
    },
    /// A label names no class.
    #[error("label {label} of sample {sample} is outside 0 .. {classes}")]
    Label {
        /// The label.
        label: usize,
        /// The sample.
        sample: usize,
        /// Classes.
        classes: usize,
    },
}

/// Whether `found` values fill `[T, N, C]`.
pub(crate) fn check_shape(found: usize, shape: [usize; 3]) -> Result<(), OutputError> {
    let [steps, batch, classes] = shape;
    let expected = steps.saturating_mul(batch).saturating_mul(classes);
    if found == expected && expected != 0 {
        return Ok(());
    }
    Err(OutputError::Shape {
        steps,
        batch,
        classes,
        expected,
        found,
    })
}

/// Whether there is a label for each sample and each names a class.
pub(crate) fn check_labels(
    labels: &[usize],
    batch: usize,
    classes: usize,
) -> Result<(), OutputError> {
    if labels.len() != batch {
        return Err(OutputError::Labels {
            batch,
            found: labels.len(),
        });
    }
    let wrong = labels.iter().position(|&label| label >= classes);
    wrong.map_or(Ok(()), |sample| {
        Err(OutputError::Label {
            label: labels[sample],
            sample,
            classes,
        })
    })
}

/// A number of things, as a float.
#[allow(clippy::cast_precision_loss, reason = "sizes of things in memory")]
pub(crate) fn count<R: Real>(n: usize) -> R {
    R::from_f64(n as f64)
}
