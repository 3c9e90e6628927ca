//! Temporal efficient training: the loss of every step.

use rheobase_equations::real::Real;

use super::cross_entropy::cross_entropy_row;
use super::{Loss, LossError};
use crate::output::{check_labels, check_shape, count};

/// Parameters of [`tet`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Tet {
    /// λ, the share of the squared error, from 0 to 1 (default 0).
    pub lambda: f64,
    /// φ, what that error is taken against (default 1, the usual threshold).
    pub target: f64,
}

impl Default for Tet {
    fn default() -> Self {
        Self {
            lambda: 0.0,
            target: 1.0,
        }
    }
}

/// Cross-entropy averaged over steps, with a squared error against a constant.
///
/// loss = (1 − λ)·Σₜ CE(o\[t\], y)/T + λ·Σ (o − φ)²/(T·N·C), CE being the mean over the batch of
/// ln Σ exp o − o\[y\]. `output` is `[T, N, C]`: what the last layer gives before it spikes, as a rule.
/// O(T·N·C), with as many exponentials, in f64.
///
/// Source: Deng et al. 2022 (ICLR, doi:10.48550/arXiv.2202.11946), section 4.
///
/// # Errors
/// If shapes or labels do not fit, λ is outside 0 … 1, or φ is not finite.
///
/// ```
/// use rheobase_learning::loss::{Tet, tet};
///
/// let output = [0.0_f64, 0.0, 2.0, 2.0];
/// let loss = tet(&output, [2, 1, 2], &[0], Tet { lambda: 0.5, target: 1.0 })?;
/// assert!((loss.value - 0.5 * std::f64::consts::LN_2 - 0.5).abs() < 1e-15);
/// # Ok::<(), rheobase_learning::loss::LossError>(())
/// ```
pub fn tet<R: Real>(
    output: &[R],
    shape: [usize; 3],
    labels: &[usize],
    parameters: Tet,
) -> Result<Loss<R>, LossError> {
    let [steps, batch, classes] = shape;
    let Tet { lambda, target } = parameters;
    check_shape(output.len(), shape)?;
    check_labels(labels, batch, classes)?;
    let refuse = |name, value, expected| {
        Err(LossError::Parameter {
            name,
            value,
            expected,
        })
    };
    if !(0.0..=1.0).contains(&lambda) {
        return refuse("lambda", lambda, "0 … 1");
    }
    if !target.is_finite() {
        return refuse("target", target, "a finite number");
    }
    let rows: f64 = count(steps * batch);
    let (of_entropy, of_error) = ((1.0 - lambda) / rows, lambda / count::<f64>(output.len()));
    let (mut entropy, mut error) = (0.0, 0.0);
    let mut cotangent = Vec::with_capacity(output.len());
    let mut z = vec![0.0; classes];
    for (row, &label) in output.chunks_exact(classes).zip(labels.iter().cycle()) {
        z.iter_mut().zip(row).for_each(|(z, o)| *z = o.to_f64());
        entropy += cross_entropy_row(&mut z, label);
        for (&d, &o) in z.iter().zip(row) {
            let off = o.to_f64() - target;
            error += off * off;
            cotangent.push(R::from_f64(of_entropy * d + 2.0 * of_error * off));
        }
    }
    Ok(Loss {
        value: R::from_f64(of_entropy * entropy + of_error * error),
        cotangent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::{Logits, assert_derivative, cross_entropy};

    fn output() -> Vec<f64> {
        (0..24)
            .map(|k| f64::from(k * 5 % 24) * 0.13 - 1.0)
            .collect()
    }

    #[test]
    fn cotangents_are_derivatives() {
        for lambda in [0.0, 0.05, 1.0] {
            let parameters = Tet {
                lambda,
                target: 0.7,
            };
            assert_derivative(&output(), |x| {
                tet(x, [4, 2, 3], &[2, 0], parameters).unwrap()
            });
        }
    }

    #[test]
    fn without_lambda_it_is_the_mean_of_the_steps() {
        let whole = tet(&output(), [4, 2, 3], &[2, 0], Tet::default()).unwrap();
        let steps: Vec<_> = output()
            .chunks_exact(6)
            .map(|row| cross_entropy(row, [1, 2, 3], &[2, 0], Logits::Last).unwrap())
            .collect();
        let mean = steps.iter().map(|l| l.value).sum::<f64>() / 4.0;
        assert!((whole.value - mean).abs() < 1e-15);
        let cotangents = steps.iter().flat_map(|l| &l.cotangent).map(|d| d / 4.0);
        for (a, b) in whole.cotangent.iter().zip(cotangents) {
            assert!((a - b).abs() < 1e-16);
        }
    }

    #[test]
    fn wrong_parameters_are_errors() {
        for (lambda, target) in [(-0.1, 1.0), (1.1, 1.0), (f64::NAN, 1.0), (0.5, f64::NAN)] {
            let error = tet(&[0.0; 6], [1, 2, 3], &[0, 1], Tet { lambda, target });
            assert!(matches!(error, Err(LossError::Parameter { .. })));
        }
        let error = tet(&[0.0; 6], [1, 2, 3], &[0], Tet::default());
        assert!(matches!(error, Err(LossError::Output(_))));
    }
}
