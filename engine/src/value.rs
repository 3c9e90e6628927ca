//! A value that may differ between the members of a population or projection.

use crate::random::Construction;

/// A constant, a list, or a distribution; in base units.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// The same for all.
    Constant(f64),
    /// One per member.
    List(Vec<f64>),
    /// Drawn independently for each member.
    Drawn(Distribution),
}

/// Where drawn values come from; in base units.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Distribution {
    /// Shape.
    pub shape: Shape,
    /// Values outside are drawn again (`redraw`) or moved to the bound (`clip`).
    pub bounds: Option<Bounds>,
}

/// Shape of a distribution.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Shape {
    /// Uniform between `low` and `high`.
    Uniform {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        sd: f64,
    },
    /// exp of a normal with mean `mu` and standard deviation `sigma`, times `scale`.
    Lognormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
        /// One unit in base units.
        scale: f64,
    },
    /// Exponential.
    Exponential {
        /// Mean.
        mean: f64,
    },
}

/// Bounds of a distribution.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bounds {
    /// Smallest value; −∞ where there is no bound.
    pub low: f64,
    /// Largest value; ∞ where there is no bound.
    pub high: f64,
    /// Draw again rather than clip.
    pub redraw: bool,
}

/// Draws after which a redrawn value is clipped instead. Reached with probability below 1e-30 where
/// at least 7 % of the distribution lies within its bounds; checked when the network is read.
pub const MAX_REDRAWS: usize = 1000;

impl Distribution {
    /// One value.
    pub fn draw(&self, random: &mut Construction) -> f64 {
        let Some(bounds) = self.bounds else {
            return self.shape.draw(random);
        };
        let mut x = self.shape.draw(random);
        if bounds.redraw {
            for _ in 0..MAX_REDRAWS {
                if (bounds.low..=bounds.high).contains(&x) {
                    break;
                }
                x = self.shape.draw(random);
            }
        }
        x.clamp(bounds.low, bounds.high)
    }
}

impl Shape {
    fn draw(self, random: &mut Construction) -> f64 {
        match self {
            Self::Uniform { low, high } => low + (high - low) * random.uniform(),
            Self::Normal { mean, sd } => mean + sd * random.normal(),
            Self::Lognormal { mu, sigma, scale } => scale * libm::exp(mu + sigma * random.normal()),
            Self::Exponential { mean } => mean * random.exponential(),
        }
    }
}

impl Value {
    /// The same value for all, if it is constant.
    #[must_use]
    pub fn constant(&self) -> Option<f64> {
        match self {
            Self::Constant(x) => Some(*x),
            _ => None,
        }
    }

    /// Appends the values of members 0 … n − 1; draws advance `random` as [`Self::get`] does member by
    /// member.
    pub fn fill(&self, n: usize, random: &mut Construction, values: &mut Vec<f64>) {
        match self {
            Self::Constant(x) => values.resize(values.len() + n, *x),
            Self::List(list) => values.extend_from_slice(&list[..n]),
            Self::Drawn(d) => values.extend((0..n).map(|_| d.draw(random))),
        }
    }

    /// The value of member `index`; draws advance `random`.
    pub fn get(&self, index: usize, random: &mut Construction) -> f64 {
        match self {
            Self::Constant(x) => *x,
            Self::List(values) => values[index],
            Self::Drawn(d) => d.draw(random),
        }
    }
}
