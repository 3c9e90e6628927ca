//! Cross-entropy.

use rheobase_equations::real::Real;

use super::{Loss, LossError};
use crate::output::{check_labels, check_shape, count};

/// What logits are made of, from an output over time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Logits {
    /// Σₜ o\[t\]: spike counts.
    Counts,
    /// Σₜ o\[t\]/T: the firing rate of spikes, the mean membrane of real outputs.
    Mean,
    /// o\[T\]: the membrane after the last step.
    Last,
    /// maxₜ o\[t\]: the largest membrane. The derivative goes to the first step that reaches it.
    Max,
    /// (c − mean c)/(sd c + 0.1) of the counts c = Σₜ o\[t\], with mean and standard deviation
    /// (of N·C − 1 degrees of freedom) over the whole batch, both taken as constants by the derivative.
    ///
    /// Source: the training loop in the README of SPAIC.
    StandardisedCounts,
}

/// Mean cross-entropy between the softmax of logits and the labels.
///
/// With logits z (`[N, C]`, as `logits` makes them of `output`) and labels y,
/// loss = Σₙ (ln Σ_c exp z\[n, c\] − z\[n, yₙ\])/N and ∂loss/∂z = (softmax z − onehot)/N. Exponentials are
/// taken of z − max z, in f64 whatever the precision: no finite logit overflows. O(T·N·C), with N·C
/// exponentials.
///
/// Source: `F.cross_entropy(z, y)`, PyTorch 2.15; on counts or rates, SpikingJelly's and snnTorch's
/// usual loss of classifiers.
///
/// # Errors
/// If shapes or labels do not fit.
///
/// ```
/// use rheobase_learning::loss::{Logits, cross_entropy};
///
/// // Two steps, one sample, two classes that fire once each: the softmax is (½, ½).
/// let loss = cross_entropy(&[1.0_f64, 0.0, 0.0, 1.0], [2, 1, 2], &[0], Logits::Counts)?;
/// assert!((loss.value - std::f64::consts::LN_2).abs() < 1e-15);
/// assert_eq!(loss.cotangent, [-0.5, 0.5, -0.5, 0.5]);
/// # Ok::<(), rheobase_learning::loss::LossError>(())
/// ```
pub fn cross_entropy<R: Real>(
    output: &[R],
    shape: [usize; 3],
    labels: &[usize],
    logits: Logits,
) -> Result<Loss<R>, LossError> {
    let [steps, batch, classes] = shape;
    check_shape(output.len(), shape)?;
    check_labels(labels, batch, classes)?;
    let lanes = batch * classes;
    let (mut z, source) = reduce(output, lanes, logits);
    let duration: f64 = count(steps);
    if logits == Logits::Mean {
        z.iter_mut().for_each(|z| *z /= duration);
    }
    let deviation = match logits {
        Logits::StandardisedCounts => standardise(&mut z),
        _ => 1.0,
    };
    let mut sum = 0.0;
    for (row, &label) in z.chunks_exact_mut(classes).zip(labels) {
        sum += cross_entropy_row(row, label);
    }
    let n: f64 = count(batch);
    let scale = match logits {
        Logits::Mean => n * duration,
        Logits::StandardisedCounts => n * deviation,
        Logits::Counts | Logits::Last | Logits::Max => n,
    };
    let row: Vec<R> = z.iter().map(|&d| R::from_f64(d / scale)).collect();
    let cotangent = match source {
        None => row.repeat(steps),
        Some(steps_of) => {
            let mut cotangent = vec![R::ZERO; output.len()];
            for (lane, (&step, &d)) in steps_of.iter().zip(&row).enumerate() {
                cotangent[step * lanes + lane] = d;
            }
            cotangent
        }
    };
    Ok(Loss {
        value: R::from_f64(sum / n),
        cotangent,
    })
}

/// What each lane comes to over time, and the step it was taken from where it is one step's value.
fn reduce<R: Real>(output: &[R], lanes: usize, logits: Logits) -> (Vec<f64>, Option<Vec<usize>>) {
    let mut rows = output.chunks_exact(lanes);
    let steps = rows.len();
    match logits {
        Logits::Counts | Logits::Mean | Logits::StandardisedCounts => {
            let mut z = vec![0.0; lanes];
            for row in rows {
                z.iter_mut().zip(row).for_each(|(z, &o)| *z += o.to_f64());
            }
            (z, None)
        }
        Logits::Last => {
            let last = rows.next_back().unwrap_or_default();
            let z = last.iter().map(|o| o.to_f64()).collect();
            (z, Some(vec![steps - 1; lanes]))
        }
        Logits::Max => {
            let mut z = vec![f64::NEG_INFINITY; lanes];
            let mut source = vec![0; lanes];
            for (step, row) in rows.enumerate() {
                for (lane, &o) in row.iter().enumerate() {
                    if o.to_f64() > z[lane] {
                        (z[lane], source[lane]) = (o.to_f64(), step);
                    }
                }
            }
            (z, Some(source))
        }
    }
}

/// Takes the mean away and divides by the standard deviation plus 0.1, which is given back.
fn standardise(z: &mut [f64]) -> f64 {
    let n: f64 = count(z.len());
    let mean = z.iter().sum::<f64>() / n;
    z.iter_mut().for_each(|z| *z -= mean);
    let squares: f64 = z.iter().map(|z| z * z).sum();
    // A single value has no deviation.
    let deviation = libm::sqrt(squares / (n - 1.0).max(1.0)) + 0.1;
    z.iter_mut().for_each(|z| *z /= deviation);
    deviation
}

/// Gives the cross-entropy of one row of logits and leaves its derivative, softmax − onehot, in their
/// place.
pub(super) fn cross_entropy_row(z: &mut [f64], label: usize) -> f64 {
    let largest = z.iter().fold(f64::NEG_INFINITY, |m, &z| m.max(z));
    let below = largest - z[label];
    let mut sum = 0.0;
    for z in z.iter_mut() {
        *z = libm::exp(*z - largest);
        sum += *z;
    }
    for z in z.iter_mut() {
        *z /= sum;
    }
    z[label] -= 1.0;
    below + libm::log(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::assert_derivative;

    const ALL: [Logits; 4] = [Logits::Counts, Logits::Mean, Logits::Last, Logits::Max];

    fn output() -> Vec<f64> {
        (0..24)
            .map(|k| f64::from(k * 7 % 24) * 0.11 - 1.0)
            .collect()
    }

    #[test]
    fn cotangents_are_derivatives() {
        for logits in ALL {
            assert_derivative(&output(), |x| {
                cross_entropy(x, [4, 2, 3], &[2, 0], logits).unwrap()
            });
        }
    }

    /// ln(1 + e^(b − a)) for two classes.
    #[test]
    fn two_classes_in_closed_form() {
        let output = [0.5, 0.25, 1.0, -0.75];
        let by_hand = |a: f64, b: f64| (b - a).exp().ln_1p();
        for (logits, a, b) in [
            (Logits::Counts, 1.5, -0.5),
            (Logits::Mean, 0.75, -0.25),
            (Logits::Last, 1.0, -0.75),
            (Logits::Max, 1.0, 0.25),
        ] {
            let loss = cross_entropy(&output, [2, 1, 2], &[0], logits).unwrap();
            assert!((loss.value - by_hand(a, b)).abs() < 1e-15, "{logits:?}");
        }
    }

    /// Counts 3, 1, 0, 4 of two samples: mean 2, variance 10/3. PyTorch's `F.cross_entropy` of the same
    /// standardised counts, with mean and deviation detached, gave the numbers.
    #[test]
    fn counts_are_standardised_over_the_batch() {
        let output = [1.0_f64, 1.0, 0.0, 2.0, 2.0, 0.0, 0.0, 2.0];
        let shape = [2, 2, 2];
        let loss = cross_entropy(&output, shape, &[0, 0], Logits::StandardisedCounts).unwrap();
        assert!(
            (loss.value - 1.249_099_531_652_282_6).abs() < 1e-14,
            "{}",
            loss.value
        );
        let expected = [
            -0.067_877_162_075_935_64,
            0.067_877_162_075_935_64,
            -0.230_731_743_113_495_95,
            0.230_731_743_113_495_95,
        ];
        for (k, found) in loss.cotangent.iter().enumerate() {
            assert!(
                (found - expected[k % 4]).abs() < 1e-14,
                "{:?}",
                loss.cotangent
            );
        }
    }

    #[test]
    fn the_first_of_equal_maxima_is_taken() {
        let loss = cross_entropy(&[1.0, 0.0, 1.0, 0.0], [2, 1, 2], &[1], Logits::Max).unwrap();
        assert!(loss.cotangent[0] > 0.0 && loss.cotangent[1] < 0.0);
        assert_eq!(loss.cotangent[2..], [0.0, 0.0]);
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let loss = cross_entropy(&[1e30_f32, 0.0], [1, 1, 2], &[1], Logits::Counts).unwrap();
        assert_eq!((loss.value, loss.cotangent), (1e30, vec![1.0, -1.0]));
        let loss = cross_entropy(&[800.0, 0.0], [1, 1, 2], &[0], Logits::Mean).unwrap();
        assert_eq!((loss.value, loss.cotangent), (0.0, vec![0.0, 0.0]));
    }

    #[test]
    fn wrong_labels_are_errors() {
        for logits in ALL.into_iter().chain([Logits::StandardisedCounts]) {
            assert!(cross_entropy(&[0.0; 6], [1, 2, 3], &[0, 3], logits).is_err());
            assert!(cross_entropy(&[0.0; 6], [1, 2, 3], &[0], logits).is_err());
            assert!(cross_entropy::<f64>(&[], [0, 2, 3], &[0, 1], logits).is_err());
        }
    }
}
