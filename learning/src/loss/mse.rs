//! Squared errors.

use rheobase_equations::real::Real;

use super::{Loss, LossError};
use crate::output::{check_labels, check_shape, count};

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
    let [_, batch, classes] = shape;
    check_shape(output.len(), shape)?;
    check_labels(labels, batch, classes)?;
    let mut rates = vec![R::ZERO; batch * classes];
    for (row, &label) in rates.chunks_exact_mut(classes).zip(labels) {
        row[label] = R::ONE;
    }
    mse_rate_target(output, shape, &rates)
}

/// Mean squared error between the firing rate and given rates.
///
/// As [`mse_rate`], with `rates` (`[N, C]`, spikes per step) in place of the one-hot label: other
/// rates than 1 and 0 for the right class and the wrong ones, or a regression.
///
/// # Errors
/// If shapes do not fit.
///
/// ```
/// use rheobase_learning::loss::mse_rate_target;
///
/// // Class 0 fires in one step of two, as it should; class 1 is silent and should not be.
/// let loss = mse_rate_target(&[1.0, 0.0, 0.0, 0.0], [2, 1, 2], &[0.5, 0.5])?;
/// assert_eq!(loss.value, 0.125);
/// assert_eq!(loss.cotangent, [0.0, -0.25, 0.0, -0.25]);
/// # Ok::<(), rheobase_learning::loss::LossError>(())
/// ```
pub fn mse_rate_target<R: Real>(
    output: &[R],
    shape: [usize; 3],
    rates: &[R],
) -> Result<Loss<R>, LossError> {
    let [steps, batch, classes] = shape;
    check_shape(output.len(), shape)?;
    let lanes = batch * classes;
    if rates.len() != lanes {
        return Err(LossError::Target {
            expected: lanes,
            found: rates.len(),
        });
    }
    let duration = count::<R>(steps);
    let mut error = vec![R::ZERO; lanes];
    for row in output.chunks_exact(lanes) {
        for (e, &s) in error.iter_mut().zip(row) {
            *e += s;
        }
    }
    for (e, &rate) in error.iter_mut().zip(rates) {
        *e = *e / duration - rate;
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

/// Mean squared error of every value of the output.
///
/// loss = Σ (o − y)²/(T·N·C); ∂loss/∂o = 2·(o − y)/(T·N·C). `output` and `target` are `[T, N, C]`.
///
/// Source: `F.mse_loss(output, target)`, PyTorch 2.
///
/// # Errors
/// If shapes do not fit.
///
/// ```
/// use rheobase_learning::loss::mse;
///
/// let loss = mse(&[1.0, 0.5], [2, 1, 1], &[0.0, 0.5])?;
/// assert_eq!(loss.value, 0.5);
/// assert_eq!(loss.cotangent, [1.0, 0.0]);
/// # Ok::<(), rheobase_learning::loss::LossError>(())
/// ```
pub fn mse<R: Real>(output: &[R], shape: [usize; 3], target: &[R]) -> Result<Loss<R>, LossError> {
    check_shape(output.len(), shape)?;
    if target.len() != output.len() {
        return Err(LossError::Target {
            expected: output.len(),
            found: target.len(),
        });
    }
    let n = count::<R>(output.len());
    let scale = count::<R>(2) / n;
    let errors = || output.iter().zip(target).map(|(&o, &y)| o - y);
    Ok(Loss {
        value: errors().fold(R::ZERO, |sum, e| sum + e * e) / n,
        cotangent: errors().map(|e| scale * e).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::assert_derivative;
    use crate::output::OutputError;

    fn output() -> Vec<f64> {
        (0..24).map(|k| f64::from(k % 5) * 0.25).collect()
    }

    #[test]
    fn cotangents_are_derivatives() {
        let shape = [4, 2, 3];
        assert_derivative(&output(), |x| mse_rate(x, shape, &[2, 0]).unwrap());
        let rates = [0.9, 0.1, 0.1, 0.1, 0.7, 0.2];
        assert_derivative(&output(), |x| mse_rate_target(x, shape, &rates).unwrap());
        let target: Vec<f64> = (0..24).map(|k| f64::from(k % 7) * 0.3).collect();
        assert_derivative(&output(), |x| mse(x, shape, &target).unwrap());
    }

    #[test]
    fn wrong_shapes_and_labels_are_errors() {
        let refused = |x: &[f64], shape, labels: &[usize]| match mse_rate(x, shape, labels) {
            Err(LossError::Output(error)) => error,
            other => panic!("{other:?}"),
        };
        assert!(matches!(
            refused(&[0.0; 5], [1, 2, 3], &[0, 0]),
            OutputError::Shape { expected: 6, .. }
        ));
        assert!(matches!(
            refused(&[0.0; 6], [1, 2, 3], &[0]),
            OutputError::Labels { batch: 2, found: 1 }
        ));
        assert!(matches!(
            refused(&[0.0; 6], [1, 2, 3], &[0, 3]),
            OutputError::Label { sample: 1, .. }
        ));
        assert!(matches!(
            refused(&[], [0, 2, 3], &[0, 1]),
            OutputError::Shape { .. }
        ));
        assert!(matches!(
            refused(&[0.0; 4], [usize::MAX, 2, 2], &[0, 1]),
            OutputError::Shape { .. }
        ));
    }

    #[test]
    fn wrong_targets_are_errors() {
        let error = mse(&[0.0; 6], [1, 2, 3], &[0.0; 5]).unwrap_err();
        assert_eq!(error.to_string(), "target holds 5 values, expected 6");
        let error = mse_rate_target(&[0.0; 6], [1, 2, 3], &[0.0; 7]).unwrap_err();
        assert_eq!(error.to_string(), "target holds 7 values, expected 6");
    }
}
