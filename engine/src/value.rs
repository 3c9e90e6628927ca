//! A value that may differ between the members of a population or projection.

use crate::random::{Construction, Normals};

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
        let mut value = 0.0;
        self.draw_each(1, random, |x| value = x);
        value
    }

    /// Hands `n` values to `f`. The shape is looked at once, not for each of millions of values.
    fn draw_each(&self, n: usize, random: &mut Construction, f: impl FnMut(f64)) {
        let bounds = self.bounds;
        match self.shape {
            Shape::Uniform { low, high } => {
                repeat(n, bounds, f, || low + (high - low) * random.uniform())
            }
            Shape::Normal { mean, sd } => {
                let normals = Normals::get();
                repeat(n, bounds, f, || mean + sd * normals.draw(random));
            }
            Shape::Lognormal { mu, sigma, scale } => repeat(n, bounds, f, || {
                scale * libm::exp(mu + sigma * random.normal())
            }),
            Shape::Exponential { mean } => repeat(n, bounds, f, || mean * random.exponential()),
        }
    }

    /// What no value exceeds in size, where that is much the same as the largest of many: bounds, the
    /// ends of a uniform distribution, or 9 standard deviations of a normal one, which less than one of
    /// 10¹⁸ draws exceeds.
    #[must_use]
    pub fn largest(&self) -> Option<f64> {
        let (low, high) = match self.shape {
            Shape::Uniform { low, high } => (low, high),
            Shape::Normal { mean, sd } => (mean - 9.0 * sd, mean + 9.0 * sd),
            Shape::Lognormal { .. } | Shape::Exponential { .. } => return None,
        };
        let (low, high) = match self.bounds {
            Some(b) => (low.clamp(b.low, b.high), high.clamp(b.low, b.high)),
            None => (low, high),
        };
        Some(low.abs().max(high.abs()))
    }
}

#[inline(always)]
fn repeat(n: usize, bounds: Option<Bounds>, mut f: impl FnMut(f64), mut draw: impl FnMut() -> f64) {
    let Some(bounds) = bounds else {
        for _ in 0..n {
            f(draw());
        }
        return;
    };
    let inside = |x: f64| x >= bounds.low && x <= bounds.high;
    for _ in 0..n {
        let mut x = draw();
        if bounds.redraw && !inside(x) {
            for _ in 0..MAX_REDRAWS {
                x = draw();
                if inside(x) {
                    break;
                }
            }
        }
        f(x.clamp(bounds.low, bounds.high));
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
            Self::Drawn(d) => {
                values.reserve(n);
                d.draw_each(n, random, |x| values.push(x));
            }
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
