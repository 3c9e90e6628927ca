//! Losses over the output of a network, with their cotangents.
//!
//! Every loss takes an output `[T, N, C]` (steps, batch, classes; row-major) and gives the loss with
//! its derivative by every output, the seed of back-propagation through time.
//!
//! | loss | function | output |
//! |---|---|---|
//! | squared error of the firing rate | [`mse_rate`], [`mse_rate_target`] | spikes |
//! | squared error of every value | [`mse`] | any |
//! | cross-entropy of counts, rate, mean, last or largest membrane | [`cross_entropy`] | any |
//! | cross-entropy of every step | [`tet`] | any, mostly currents |

mod cross_entropy;
mod mse;
mod tet;

pub use cross_entropy::{Logits, cross_entropy};
pub use mse::{mse, mse_rate, mse_rate_target};
pub use tet::{Tet, tet};

use crate::output::OutputError;

/// Loss and its derivative by every output.
#[derive(Clone, PartialEq, Debug)]
pub struct Loss<R> {
    /// The loss.
    pub value: R,
    /// ∂loss/∂output, `[T, N, C]`.
    pub cotangent: Vec<R>,
}

/// Why a loss cannot be computed.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// Output or labels do not fit.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The target does not have the shape of what it is compared with.
    #[error("target holds {found} values, expected {expected}")]
    Target {
        /// Values needed.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// A parameter of the loss that cannot be.
    #[error("{name} is {value}: expected {expected}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// The refused value.
        value: f64,
        /// What would be accepted.
        expected: &'static str,
    },
}

/// Compares every cotangent of a loss with central differences of its value.
#[cfg(test)]
fn assert_derivative(output: &[f64], evaluate: impl Fn(&[f64]) -> Loss<f64>) {
    let loss = evaluate(output);
    assert_eq!(loss.cotangent.len(), output.len());
    for (k, &found) in loss.cotangent.iter().enumerate() {
        let shifted = |d: f64| {
            let mut x = output.to_vec();
            x[k] += d;
            evaluate(&x).value
        };
        let numeric = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
        assert!((numeric - found).abs() < 1e-9, "{k}: {found}, {numeric}");
    }
}
