//! Values as the activities of populations.

use rheobase_equations::real::Real;

use super::{ANY, EncodeError, Samples};

/// A population of m neurons for each value: neuron i has the activity exp(−((x − μᵢ)/σ)²/2), which is
/// between 0 and 1. What activities become in time is up to an encoder: [`Poisson`](super::Poisson),
/// [`Integrate`](super::Integrate), [`Latency::Activity`](super::Latency::Activity) or
/// [`ConstantCurrent`](super::ConstantCurrent).
///
/// ```
/// use rheobase_learning::encode::{Draws, Latency, Samples, Tuning, dense};
///
/// let tuning = Tuning::overlapping(0.0, 1.0, 4)?;
/// let samples = Samples::new(&[0.25, 0.75], 1, &[0, 1])?;
/// let activities = tuning.activities(samples)?;
/// let mut out = Vec::new();
/// let samples = Samples::new(&activities, tuning.width(1), samples.numbers())?;
/// dense(&Latency::Activity, 10, samples, Draws::new(1, 0), &mut out)?;
/// // The second of four neurons stands at 0.25: it fires at once.
/// assert_eq!(out[..4], [0.0, 1.0, 0.0, 0.0]);
/// # Ok::<(), rheobase_learning::encode::EncodeError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Tuning {
    centres: Vec<f64>,
    sigma: f64,
}

impl Tuning {
    /// Neurons at `centres`, all with width `sigma`.
    ///
    /// # Errors
    /// If there are no centres, one is not finite, or `sigma` is not above 0.
    pub fn new(centres: Vec<f64>, sigma: f64) -> Result<Self, EncodeError> {
        let refuse = |name, value, expected| {
            Err(EncodeError::Parameter {
                name,
                value,
                expected,
            })
        };
        if centres.is_empty() {
            return refuse("number of centres", 0.0, "1 or more");
        }
        if let Some(&centre) = centres.iter().find(|c| !c.is_finite()) {
            return refuse("centre", centre, "a finite number");
        }
        if !(sigma > 0.0 && sigma.is_finite()) {
            return refuse("sigma", sigma, "a finite number above 0");
        }
        Ok(Self { centres, sigma })
    }

    /// `n` neurons evenly from `min` to `max`, both included.
    ///
    /// Source: `PopEncoder` of SpikingJelly 2.0.0. BrainState takes `sigma` = (max − min)/(n − 1).
    ///
    /// # Errors
    /// If `n` is less than 2, or as [`Self::new`].
    pub fn even(min: f64, max: f64, n: u32, sigma: f64) -> Result<Self, EncodeError> {
        expect_at_least(2, n)?;
        let gap = (max - min) / f64::from(n - 1);
        let centres = (0..n).map(|i| min + f64::from(i) * gap).collect();
        Self::new(centres, sigma)
    }

    /// `n` neurons, i = 1 … n, at min + (2·i − 3)/2·(max − min)/(n − 2): one beyond each end. σ is
    /// (max − min)/(1.5·(n − 2)).
    ///
    /// Source: `GaussianTuning` of SpikingJelly; Bohte, Kok and La Poutré 2002
    /// (doi:10.1016/S0925-2312(01)00658-0).
    ///
    /// # Errors
    /// If `n` is less than 3, or `max` not above `min`.
    pub fn overlapping(min: f64, max: f64, n: u32) -> Result<Self, EncodeError> {
        expect_at_least(3, n)?;
        let gap = (max - min) / f64::from(n - 2);
        let centre = |i: u32| min + (2.0 * f64::from(i) - 3.0) / 2.0 * gap;
        Self::new((1..=n).map(centre).collect(), gap / 1.5)
    }

    /// μ.
    #[must_use]
    pub fn centres(&self) -> &[f64] {
        &self.centres
    }

    /// σ.
    #[must_use]
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// Neurons for samples of `elements` values: m for each.
    #[must_use]
    pub fn width(&self, elements: usize) -> usize {
        elements * self.centres.len()
    }

    /// The activities of all populations, `[N, elements · m]`: those of a value stand together.
    /// O(N·elements·m), with as many exponentials.
    ///
    /// # Errors
    /// If a value is not finite.
    pub fn activities<R: Real>(&self, samples: Samples<'_, R>) -> Result<Vec<R>, EncodeError> {
        let values = samples.convert(1.0, ANY, |x| x)?;
        let activity = |x: f64, centre: f64| {
            let off = (x - centre) / self.sigma;
            R::from_f64(libm::exp(-0.5 * off * off))
        };
        let population = |x: f64| self.centres.iter().map(move |&c| activity(x, c));
        Ok(values.into_iter().flat_map(population).collect())
    }
}

fn expect_at_least(least: u32, n: u32) -> Result<(), EncodeError> {
    if n >= least {
        return Ok(());
    }
    Err(EncodeError::Parameter {
        name: "number of centres",
        value: f64::from(n),
        expected: if least == 2 { "2 or more" } else { "3 or more" },
    })
}
