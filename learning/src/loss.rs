//! Losses over the output of a network, with their cotangents.

use rheobase_equations::real::Real;

/// Loss and its derivative by every output.
#[derive(Clone, PartialEq, Debug)]
pub struct Loss<R> {
    /// The loss.
    pub value: R,
    /// ∂loss/∂output, `[T, N, C]`.
    pub cotangent: Vec<R>,
}

/// Why a loss cannot be computed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// The output does not have the stated shape.
    #[error("output holds {found} values; [{steps}, {batch}, {classes}] needs {expected}")]
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
    #[error("{found} labels for a batch of {batch}")]
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

/// Mean squared error between the firing rate and the one-hot label.
///
/// rate = Σₜ s\[t\]/T, loss = Σ (rate − onehot)²/(N·C); ∂loss/∂s\[t\] = 2·(rate − onehot)/(N·C·T).
/// `output` is `[T, N, C]`, row-major; `labels` holds N class indices.
///
/// Source: `F.mse_loss(out.mean(0), one_hot)`, PyTorch 2; the loss of SpikingJelly's first tutorial.
///
/// # Errors
/// If shapes or labels do not fit.
///
/// ```
/// use rheobase_learning::loss::mse_rate;
///
/// // Two steps, one sample, two classes; class 0 fires once.
/// let loss = mse_rate(&[1.0, 0.0, 0.0, 0.0], [2, 1, 2], &[0])?;
/// assert_eq!(loss.value, 0.125);
/// assert_eq!(loss.cotangent, [-0.25, 0.0, -0.25, 0.0]);
/// # Ok::<(), rheobase_learning::loss::LossError>(())
/// ```
pub fn mse_rate<R: Real>(
    output: &[R],
    shape: [usize; 3],
    labels: &[usize],
) -> Result<Loss<R>, LossError> {
    let [steps, batch, classes] = shape;
    let expected = steps * batch * classes;
    if output.len() != expected || expected == 0 {
        return Err(LossError::Shape {
            steps,
            batch,
            classes,
            expected,
            found: output.len(),
        });
    }
    if labels.len() != batch {
        return Err(LossError::Labels {
            batch,
            found: labels.len(),
        });
    }
    let wrong = labels
        .iter()
        .enumerate()
        .find(|&(_, &label)| label >= classes);
    if let Some((sample, &label)) = wrong {
        return Err(LossError::Label {
            label,
            sample,
            classes,
        });
    }
    let lanes = batch * classes;
    let duration = count::<R>(steps);
    let mut error = vec![R::ZERO; lanes];
    for row in output.chunks_exact(lanes) {
        for (e, &s) in error.iter_mut().zip(row) {
            *e += s;
        }
    }
    for e in &mut error {
        *e = *e / duration;
    }
    for (sample, &label) in labels.iter().enumerate() {
        error[sample * classes + label] -= R::ONE;
    }
    let n = count::<R>(lanes);
    let value = error.iter().fold(R::ZERO, |sum, &e| sum + e * e) / n;
    let scale = count::<R>(2) / (n * duration);
    let row: Vec<R> = error.iter().map(|&e| scale * e).collect();
    Ok(Loss {
        value,
        cotangent: row.repeat(steps),
    })
}

#[allow(clippy::cast_precision_loss, reason = "sizes of things in memory")]
fn count<R: Real>(n: usize) -> R {
    R::from_f64(n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cotangent_is_the_derivative() {
        let output: Vec<f64> = (0..24).map(|k| f64::from(k % 5) * 0.25).collect();
        let (shape, labels) = ([4, 2, 3], [2, 0]);
        let loss = mse_rate(&output, shape, &labels).unwrap();
        for k in 0..output.len() {
            let shifted = |d: f64| {
                let mut x = output.clone();
                x[k] += d;
                mse_rate(&x, shape, &labels).unwrap().value
            };
            let numeric = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            assert!((numeric - loss.cotangent[k]).abs() < 1e-9);
        }
    }

    #[test]
    fn wrong_shapes_and_labels_are_errors() {
        assert!(matches!(
            mse_rate(&[0.0; 5], [1, 2, 3], &[0, 0]),
            Err(LossError::Shape { .. })
        ));
        assert!(matches!(
            mse_rate(&[0.0; 6], [1, 2, 3], &[0]),
            Err(LossError::Labels { .. })
        ));
        assert!(matches!(
            mse_rate(&[0.0; 6], [1, 2, 3], &[0, 3]),
            Err(LossError::Label { .. })
        ));
        assert!(matches!(
            mse_rate::<f64>(&[], [0, 2, 3], &[0, 1]),
            Err(LossError::Shape { .. })
        ));
    }
}
