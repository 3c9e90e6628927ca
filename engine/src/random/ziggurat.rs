//! Standard normal numbers by the ziggurat method: the density is covered by 256 layers of equal
//! area, and 99 of 100 numbers cost one word and one comparison.
//!
//! Marsaglia and Tsang 2000 (doi:10.18637/jss.v005.i08), with the layer and the number taken from
//! separate bits of the word, as in Doornik 2005. Tables are made with `libm`: the same bits on every
//! machine.

use std::sync::LazyLock;

use super::Construction;

/// Layers.
const N: usize = 256;
/// Where the tail begins, for 256 layers.
const TAIL: f64 = 3.654_152_885_361_009;
/// Area of each layer.
const AREA: f64 = 0.004_928_673_233_974_655;

struct Layers {
    /// Right end of each layer, descending; the base layer's counts its tail in.
    x: [f64; N + 1],
    /// Density, up to its factor, at each.
    density: [f64; N + 1],
}

static LAYERS: LazyLock<Layers> = LazyLock::new(|| {
    let (mut x, mut density) = ([0.0; N + 1], [0.0; N + 1]);
    x[0] = AREA / density_at(TAIL);
    x[1] = TAIL;
    for i in 2..N {
        let above = AREA / x[i - 1] + density_at(x[i - 1]);
        x[i] = (-2.0 * libm::log(above)).sqrt();
    }
    for (d, &x) in density.iter_mut().zip(&x) {
        *d = density_at(x);
    }
    Layers { x, density }
});

fn density_at(x: f64) -> f64 {
    libm::exp(-0.5 * x * x)
}

/// Draws standard normal numbers; with its tables at hand, for many of them.
#[derive(Clone, Copy)]
pub struct Normals(&'static Layers);

impl Normals {
    /// With the tables of the program.
    #[must_use]
    pub fn get() -> Self {
        Self(&LAYERS)
    }

    /// One standard normal number.
    #[inline(always)]
    pub fn draw(self, random: &mut Construction) -> f64 {
        let layers = self.0;
        loop {
            let word = random.bits();
            let i = (word & 0xff) as usize;
            let x = signed(word) * layers.x[i];
            if x.abs() < layers.x[i + 1] {
                return x;
            }
            if let Some(x) = edge(random, layers, i, x) {
                return x;
            }
        }
    }
}

/// Uniform in (−1, 1), from the upper 53 bits.
#[inline]
#[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
fn signed(word: u64) -> f64 {
    let magnitude = ((word.cast_signed() >> 11) as f64) + 0.5;
    magnitude * (1.0 / 4_503_599_627_370_496.0)
}

/// The rare cases: the tail, and the part of a layer that the density does not fill.
#[cold]
fn edge(random: &mut Construction, layers: &Layers, i: usize, x: f64) -> Option<f64> {
    if i > 0 {
        let (low, high) = (layers.density[i], layers.density[i + 1]);
        return (low + random.uniform() * (high - low) < density_at(x)).then_some(x);
    }
    loop {
        let beyond = random.exponential() / TAIL;
        if 2.0 * random.exponential() > beyond * beyond {
            return Some((TAIL + beyond).copysign(x));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, construction_stream};

    /// All layers have the same area, up to the top.
    #[test]
    fn layers_close_at_the_top() {
        let l = &*LAYERS;
        for i in 1..N {
            let area = l.x[i] * (l.density[i + 1] - l.density[i]);
            assert!((area - AREA).abs() < 1e-14, "{i}: {area}");
        }
        assert_eq!((l.x[N], l.density[N]), (0.0, 1.0));
    }

    /// Φ by its series, shared with nothing.
    fn cumulative(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for k in 1..200 {
            term *= x * x / f64::from(2 * k + 1);
            sum += term;
        }
        0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
    }

    /// χ² over 200 bins of equal probability, a million numbers: 199 degrees of freedom, upper 1e-6
    /// point about 305. The tail beyond 3.654 is counted apart.
    #[test]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bins"
    )]
    fn numbers_are_normal() {
        let n = 1_000_000;
        let mut random = construction_stream(1, Purpose::Population, 0, 0);
        let mut bins = [0.0_f64; 200];
        let (mut tail, mut sums) = (0.0, [0.0; 4]);
        for _ in 0..n {
            let x = random.normal();
            tail += f64::from(u8::from(x.abs() > TAIL));
            bins[((cumulative(x) * 200.0) as usize).min(199)] += 1.0;
            for (k, s) in sums.iter_mut().enumerate() {
                *s += x.powi(i32::try_from(k).unwrap() + 1) / f64::from(n);
            }
        }
        let expected = f64::from(n) / 200.0;
        let chi2: f64 = bins.iter().map(|b| (b - expected).powi(2) / expected).sum();
        let in_tail = 2.0 * (1.0 - cumulative(TAIL)) * f64::from(n);
        println!("chi2 {chi2} (199), tail {tail} of {in_tail}, moments {sums:?}");
        assert!(chi2 < 305.0, "{chi2}");
        assert!((tail - in_tail).abs() < 5.0 * in_tail.sqrt());
        assert!(sums[0].abs() < 5e-3 && (sums[1] - 1.0).abs() < 7e-3);
        assert!(sums[2].abs() < 0.02 && (sums[3] - 3.0).abs() < 0.05);
    }
}
