//! A normalisation with fixed statistics, made part of the layer before it.

use rheobase_equations::real::Real;

/// A batch normalisation in evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a, R> {
    /// γ of every channel.
    pub weight: &'a [R],
    /// β of every channel.
    pub bias: &'a [R],
    /// Mean of every channel.
    pub running_mean: &'a [R],
    /// Variance of every channel.
    pub running_var: &'a [R],
    /// What is added to the variance, > 0.
    pub eps: f64,
}

/// Why a normalisation does not fit the layer before it.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// The number of output channels is not the same in both.
    #[error(
        "`{name}` has {found} values, which are no whole number for each of {channels} channels"
    )]
    Length {
        /// What is of the wrong length.
        name: &'static str,
        /// Its length.
        found: usize,
        /// Channels of the layer, by its bias.
        channels: usize,
    },
}

/// Changes weight and bias of a linear or convolution layer so that it does what it did followed by
/// `norm`: W ← W·γ/√(σ² + ε), b ← (b − μ)·γ/√(σ² + ε) + β for each output channel. `weight` has the
/// output channel as its first axis; a layer without bias gives zeros. Computed in f64.
///
/// # Errors
/// Lengths that do not fit one another; nothing is changed then.
///
/// ```
/// use rheobase_components::{Norm, fold_batch_norm};
///
/// let (mut weight, mut bias) = ([1.0, 2.0, 3.0, 4.0], [0.0, 0.0]);
/// let norm = Norm {
///     weight: &[2.0, 1.0],
///     bias: &[0.0, 1.0],
///     running_mean: &[1.0, 0.0],
///     running_var: &[0.75, 0.75],
///     eps: 0.25,
/// };
/// fold_batch_norm(&mut weight, &mut bias, &norm)?;
/// assert_eq!((weight, bias), ([2.0, 4.0, 3.0, 4.0], [-2.0, 1.0]));
/// # Ok::<(), rheobase_components::FoldError>(())
/// ```
pub fn fold_batch_norm<R: Real>(
    weight: &mut [R],
    bias: &mut [R],
    norm: &Norm<'_, R>,
) -> Result<(), FoldError> {
    let channels = bias.len();
    for (name, found, fits) in [
        (
            "weight of the layer",
            weight.len(),
            channels > 0 && weight.len().is_multiple_of(channels),
        ),
        ("weight", norm.weight.len(), norm.weight.len() == channels),
        ("bias", norm.bias.len(), norm.bias.len() == channels),
        (
            "running_mean",
            norm.running_mean.len(),
            norm.running_mean.len() == channels,
        ),
        (
            "running_var",
            norm.running_var.len(),
            norm.running_var.len() == channels,
        ),
    ] {
        if !fits {
            return Err(FoldError::Length {
                name,
                found,
                channels,
            });
        }
    }
    let per_channel = (weight.len() / channels).max(1);
    for (c, bias) in bias.iter_mut().enumerate() {
        let of = |values: &[R]| values[c].to_f64();
        let scale = of(norm.weight) / (of(norm.running_var) + norm.eps).sqrt();
        *bias = R::from_f64((bias.to_f64() - of(norm.running_mean)) * scale + of(norm.bias));
        for w in weight.iter_mut().skip(c * per_channel).take(per_channel) {
            *w = R::from_f64(w.to_f64() * scale);
        }
    }
    Ok(())
}
