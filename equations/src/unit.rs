//! Units and dimensions. Base units: ms, mV, pA (so nS·mV = pA, pF·mV/ms = pA, GΩ·pA = mV), and
//! mM and µm for concentration and length.
//!
//! ```
//! use rheobase_equations::unit::{Dimension, parse_quantity};
//!
//! let rate = parse_quantity("20 kHz")?;
//! assert_eq!(rate.in_base(Dimension::FREQUENCY)?, 20.0);
//! let slope = parse_quantity("5 nA/s")?;
//! assert_eq!((slope.value_base, slope.dimension.to_string()), (5.0, "pA/ms".to_owned()));
//! # Ok::<(), rheobase_equations::unit::QuantityError>(())
//! ```

mod quantity;
mod scope;
mod table;

use std::fmt;

pub use quantity::{Quantity, QuantityError, parse_quantity, parse_unit};
pub(crate) use scope::PI;
pub use scope::{Scope, names_in};
pub(crate) use table::{Scaled, lookup, normalised, spellings};

/// A unit: a dimension, a scale to base units, and its spelling.
#[derive(Clone, PartialEq, Debug)]
pub struct Unit {
    /// Exponents.
    pub dimension: Dimension,
    /// One of this unit in base units.
    pub scale: f64,
    /// As written, e.g. `mV`; `1` for a pure number.
    pub name: String,
}

impl Unit {
    /// The unit of pure numbers.
    #[must_use]
    pub fn one() -> Self {
        Self::base(Dimension::NONE)
    }

    /// Whether it is a pure number counted in ones.
    #[must_use]
    #[allow(clippy::float_cmp, reason = "the scale of a pure number is exactly 1")]
    pub fn is_one(&self) -> bool {
        self.dimension.is_none() && self.scale == 1.0
    }

    /// The base unit of a dimension: scale 1, canonical spelling.
    #[must_use]
    pub fn base(dimension: Dimension) -> Self {
        Self {
            dimension,
            scale: 1.0,
            name: dimension.to_string(),
        }
    }

    /// `x` of this unit in base units.
    #[must_use]
    pub fn to_base(&self, x: f64) -> f64 {
        match self.whole_inverse() {
            Some(inverse) => x / inverse,
            None => x * self.scale,
        }
    }

    /// `x`, in base units, in this unit.
    #[must_use]
    pub fn from_base(&self, x: f64) -> f64 {
        match self.whole_inverse() {
            Some(inverse) => x * inverse,
            None => x / self.scale,
        }
    }

    /// 1/scale for units that go a whole number of times into their base unit: dividing by it
    /// rounds once, multiplying by the scale would round twice.
    fn whole_inverse(&self) -> Option<f64> {
        let inverse = (1.0 / self.scale).round();
        let is_whole = self.scale < 1.0 && (1.0 / inverse).to_bits() == self.scale.to_bits();
        is_whole.then_some(inverse)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Exponents of (time, voltage, current, concentration, length), in halves.
///
/// Displayed in base units: `mV`, `pA/ms`, `nS`, `1` for a pure number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Dimension(pub [i8; 5]);

impl Dimension {
    /// A pure number.
    pub const NONE: Self = Self([0, 0, 0, 0, 0]);
    /// Time; base unit ms.
    pub const TIME: Self = Self([2, 0, 0, 0, 0]);
    /// Voltage; base unit mV.
    pub const VOLTAGE: Self = Self([0, 2, 0, 0, 0]);
    /// Current; base unit pA.
    pub const CURRENT: Self = Self([0, 0, 2, 0, 0]);
    /// Concentration; base unit mM.
    pub const CONCENTRATION: Self = Self([0, 0, 0, 2, 0]);
    /// Length; base unit µm.
    pub const LENGTH: Self = Self([0, 0, 0, 0, 2]);
    /// Frequency; base unit kHz = 1/ms.
    pub const FREQUENCY: Self = Self([-2, 0, 0, 0, 0]);
    /// Conductance; base unit nS.
    pub const CONDUCTANCE: Self = Self([0, -2, 2, 0, 0]);
    /// Resistance; base unit GΩ.
    pub const RESISTANCE: Self = Self([0, 2, -2, 0, 0]);
    /// Capacitance; base unit pF.
    pub const CAPACITANCE: Self = Self([2, -2, 2, 0, 0]);

    /// Whether it is a pure number.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Dimension of a product; `None` where an exponent leaves ±63.
    #[must_use]
    pub fn product(self, other: Self) -> Option<Self> {
        self.combine(other, i8::checked_add)
    }

    /// Dimension of a quotient; `None` where an exponent leaves ±63.
    #[must_use]
    pub fn quotient(self, other: Self) -> Option<Self> {
        self.combine(other, i8::checked_sub)
    }

    /// Dimension of a power with an exponent given in halves (3 means ^1.5); `None` where the
    /// result is no multiple of ½ or leaves ±63.
    #[must_use]
    pub fn power(self, halves: i32) -> Option<Self> {
        let mut result = [0; 5];
        for (r, &e) in result.iter_mut().zip(&self.0) {
            let doubled = i32::from(e).checked_mul(halves)?;
            if doubled % 2 != 0 {
                return None;
            }
            *r = i8::try_from(doubled / 2).ok()?;
        }
        Some(Self(result))
    }

    /// Dimension of a square root; `None` where an exponent would be a quarter.
    #[must_use]
    pub fn sqrt(self) -> Option<Self> {
        self.power(1)
    }

    fn combine(self, other: Self, f: fn(i8, i8) -> Option<i8>) -> Option<Self> {
        let mut result = [0; 5];
        for (i, r) in result.iter_mut().enumerate() {
            *r = f(self.0[i], other.0[i])?;
        }
        Some(Self(result))
    }
}

/// Dimensions with a name of their own, tried alone and then per ms.
const NAMED: [(Dimension, &str); 8] = [
    (Dimension::TIME, "ms"),
    (Dimension::VOLTAGE, "mV"),
    (Dimension::CURRENT, "pA"),
    (Dimension::CONCENTRATION, "mM"),
    (Dimension::LENGTH, "um"),
    (Dimension::CONDUCTANCE, "nS"),
    (Dimension::RESISTANCE, "GOhm"),
    (Dimension::CAPACITANCE, "pF"),
];

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("1");
        }
        for (dimension, name) in NAMED {
            if *self == dimension {
                return f.write_str(name);
            }
            if Some(*self) == dimension.quotient(Self::TIME) && dimension != Self::TIME {
                return write!(f, "{name}/ms");
            }
        }
        self.fmt_product(f)
    }
}

impl Dimension {
    /// Numerators joined by `*`, then each denominator after a `/`.
    fn fmt_product(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Voltage, current, concentration, length, then time: `mV*ms`, `1/ms`.
        const ORDER: [(usize, &str); 5] = [(1, "mV"), (2, "pA"), (3, "mM"), (4, "um"), (0, "ms")];
        let mut first = true;
        for (i, name) in ORDER {
            if self.0[i] > 0 {
                f.write_str(if first { "" } else { "*" })?;
                write_power(f, name, self.0[i].unsigned_abs())?;
                first = false;
            }
        }
        if first {
            f.write_str("1")?;
        }
        for (i, name) in ORDER {
            if self.0[i] < 0 {
                f.write_str("/")?;
                write_power(f, name, self.0[i].unsigned_abs())?;
            }
        }
        Ok(())
    }
}

fn write_power(f: &mut fmt::Formatter<'_>, name: &str, halves: u8) -> fmt::Result {
    match (halves, halves % 2) {
        (2, _) => f.write_str(name),
        (_, 0) => write!(f, "{name}^{}", halves / 2),
        _ => write!(f, "{name}^{}.5", halves / 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_are_displayed_in_base_units() {
        let per = |a: Dimension, b: Dimension| a.quotient(b).unwrap().to_string();
        assert_eq!(Dimension::NONE.to_string(), "1");
        assert_eq!(Dimension::FREQUENCY.to_string(), "1/ms");
        assert_eq!(per(Dimension::CURRENT, Dimension::TIME), "pA/ms");
        assert_eq!(per(Dimension::CONDUCTANCE, Dimension::TIME), "nS/ms");
        assert_eq!(
            per(Dimension::VOLTAGE, Dimension::TIME.power(4).unwrap()),
            "mV/ms^2"
        );
        assert_eq!(
            per(Dimension::VOLTAGE, Dimension::TIME.sqrt().unwrap()),
            "mV/ms^0.5"
        );
        assert_eq!(per(Dimension::FREQUENCY, Dimension::VOLTAGE), "1/mV/ms");
        let charge = Dimension::VOLTAGE.product(Dimension::TIME).unwrap();
        assert_eq!(charge.to_string(), "mV*ms");
    }

    #[test]
    fn base_units_are_coherent() {
        let ohm = Dimension::RESISTANCE.product(Dimension::CURRENT).unwrap();
        assert_eq!(ohm, Dimension::VOLTAGE);
        let farad = Dimension::CONDUCTANCE.product(Dimension::TIME).unwrap();
        assert_eq!(farad, Dimension::CAPACITANCE);
    }

    #[test]
    fn values_are_converted_with_one_rounding() {
        let unit = |text: &str| parse_quantity(text).unwrap().unit;
        assert_eq!(unit("1 us").to_base(700.0).to_bits(), 0.7_f64.to_bits());
        assert_eq!(unit("1 us").from_base(0.7).to_bits(), 700.0_f64.to_bits());
        assert_eq!(unit("1 nF").to_base(0.25).to_bits(), 250.0_f64.to_bits());
        assert_eq!(unit("1 Hz").from_base(0.008).to_bits(), 8.0_f64.to_bits());
        let root = unit("1 mV/s^0.5");
        assert!(
            (root.to_base(1.0) - 0.001_f64.sqrt()).abs() < 1e-15,
            "{}",
            root.to_base(1.0)
        );
        assert!((root.from_base(root.to_base(3.0)) - 3.0).abs() < 1e-14);
    }

    #[test]
    fn exponents_do_not_overflow() {
        assert_eq!(
            Dimension::TIME.power(127),
            Some(Dimension([127, 0, 0, 0, 0]))
        );
        assert_eq!(Dimension::TIME.power(128), None);
        assert_eq!(Dimension::TIME.sqrt().unwrap().sqrt(), None);
        assert_eq!(Dimension([127, 0, 0, 0, 0]).product(Dimension::TIME), None);
        assert_eq!(Dimension::TIME.power(i32::MAX), None);
    }
}
