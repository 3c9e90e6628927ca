//! Gradients kept within bounds.

use rheobase_equations::real::Real;

/// Why gradients cannot be clipped.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClipError {
    /// A bound that is none.
    #[error("{value} is no bound of gradients: expected a number above 0")]
    Bound {
        /// The refused value.
        value: f64,
    },
    /// Gradients that are NaN or infinite, or whose squares are.
    #[error("the norm of all gradients is {norm}: look for values that are not finite")]
    Norm {
        /// The norm.
        norm: f64,
    },
}

/// Sums that stand side by side, so that they can be added in vectors; always the same ones.
const LANES: usize = 8;

/// The Euclidean norm of all gradients together.
///
/// Squares are summed in f64, array after array, in an order that depends on nothing but the lengths
/// of the arrays: the same bits everywhere.
///
/// ```
/// use rheobase_learning::optimizer::GradientNorm;
///
/// let mut gradients = [vec![3.0_f64, 0.0], vec![4.0]];
/// let mut norm = GradientNorm::default();
/// gradients.iter().for_each(|g| norm.add(g));
/// assert_eq!(norm.value(), 5.0);
/// let clip = norm.clip(1.0)?;
/// gradients.iter_mut().for_each(|g| clip.apply(g));
/// assert!((gradients[1][0] - 0.8).abs() < 1e-6);
/// # Ok::<(), rheobase_learning::optimizer::ClipError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct GradientNorm {
    sum: f64,
}

impl GradientNorm {
    /// Takes one array in. O(values).
    pub fn add<R: Real>(&mut self, gradient: &[R]) {
        self.sum += sum_of_squares(gradient);
    }

    /// Takes in arrays whose squares add up to that.
    pub fn add_squares(&mut self, sum: f64) {
        self.sum += sum;
    }

    /// The norm of all arrays taken in.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.sum.sqrt()
    }

    /// What scales gradients so that their norm is at most `most`: a factor of
    /// min(1, most/(norm + 10⁻⁶)).
    ///
    /// Source: `torch.nn.utils.clip_grad_norm_` with `error_if_nonfinite`, PyTorch 2.15.
    ///
    /// # Errors
    /// If `most` is not above 0, or the norm is not finite.
    pub fn clip(&self, most: f64) -> Result<Clip, ClipError> {
        expect_bound(most)?;
        let norm = self.value();
        if !norm.is_finite() {
            return Err(ClipError::Norm { norm });
        }
        Ok(Clip {
            factor: (most / (norm + 1e-6)).min(1.0),
        })
    }
}

/// A common factor of all gradients.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Clip {
    factor: f64,
}

impl Clip {
    /// The factor, 1 where nothing is clipped.
    #[must_use]
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// Scales one array. O(values).
    pub fn apply<R: Real>(&self, gradient: &mut [R]) {
        let factor = R::from_f64(self.factor);
        gradient.iter_mut().for_each(|g| *g *= factor);
    }
}

/// Moves every value of a gradient into −`most` … `most`; NaN stays. O(values).
///
/// Source: `torch.nn.utils.clip_grad_value_`, PyTorch 2.15.
///
/// ```
/// let mut gradient = [0.5, -3.0];
/// rheobase_learning::optimizer::clip_value(&mut gradient, 1.0)?;
/// assert_eq!(gradient, [0.5, -1.0]);
/// # Ok::<(), rheobase_learning::optimizer::ClipError>(())
/// ```
///
/// # Errors
/// If `most` is not above 0.
pub fn clip_value<R: Real>(gradient: &mut [R], most: f64) -> Result<(), ClipError> {
    expect_bound(most)?;
    let most = R::from_f64(most);
    for g in gradient {
        let below = if *g > most { most } else { *g };
        *g = if below < -most { -most } else { below };
    }
    Ok(())
}

fn expect_bound(value: f64) -> Result<(), ClipError> {
    if value > 0.0 {
        return Ok(());
    }
    Err(ClipError::Bound { value })
}

#[inline(always)]
fn sum_of_squares_body<R: Real>(gradient: &[R]) -> f64 {
    let (blocks, rest) = gradient.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for block in blocks {
        for (sum, g) in sums.iter_mut().zip(block) {
            *sum += g.to_f64() * g.to_f64();
        }
    }
    for (sum, g) in sums.iter_mut().zip(rest) {
        *sum += g.to_f64() * g.to_f64();
    }
    sums.iter().sum()
}

rheobase_engine::simd::dispatch! {
    fn sum_of_squares<R: Real> = sum_of_squares_body(gradient: &[R]) -> f64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_norm_of_many_arrays_by_hand() {
        // Σ k² for k = 1 … 100 is 338,350, however it is cut.
        let all: Vec<f32> = (1_u8..=100).map(f32::from).collect();
        for cuts in [vec![100], vec![1, 99], vec![37, 8, 55]] {
            let mut norm = GradientNorm::default();
            let mut rest = all.as_slice();
            for n in cuts {
                let (part, others) = rest.split_at(n);
                norm.add(part);
                rest = others;
            }
            assert_eq!(norm.value(), 338_350.0_f64.sqrt());
        }
    }

    #[test]
    fn a_small_norm_is_left_alone() {
        let mut norm = GradientNorm::default();
        let mut gradient = [0.3_f32, -0.4];
        norm.add(&gradient);
        let clip = norm.clip(0.6).unwrap();
        assert_eq!(clip.factor(), 1.0);
        clip.apply(&mut gradient);
        assert_eq!(gradient, [0.3, -0.4]);
    }

    #[test]
    fn wrong_bounds_and_norms_are_errors() {
        let mut norm = GradientNorm::default();
        for bound in [0.0, -1.0, f64::NAN] {
            assert!(matches!(norm.clip(bound), Err(ClipError::Bound { .. })));
            assert!(clip_value(&mut [1.0], bound).is_err());
        }
        norm.add(&[f64::NAN]);
        assert!(matches!(norm.clip(1.0), Err(ClipError::Norm { .. })));
    }

    #[test]
    fn values_are_clipped_and_nan_stays() {
        let mut gradient = [2.0, -2.0, 1.0, f64::INFINITY, f64::NAN];
        clip_value(&mut gradient, 1.5).unwrap();
        assert_eq!(gradient[..4], [1.5, -1.5, 1.0, 1.5]);
        assert!(gradient[4].is_nan());
    }
}
