//! The units the language knows.

use super::{Dimension, Unit};

/// A dimension and a power of ten, the latter in halves (so that `s^0.5` has one).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Scaled {
    /// Exponents.
    pub(crate) dimension: Dimension,
    /// The scale to base units is 10^(this/2).
    pub(crate) half_decades: i32,
}

/// Beyond this power of ten, in halves, a compound unit is refused.
const MAX_HALF_DECADES: i32 = 400;

impl Scaled {
    /// A pure number.
    pub(crate) const ONE: Self = Self {
        dimension: Dimension::NONE,
        half_decades: 0,
    };

    /// Product of two units.
    pub(crate) fn product(self, other: Self) -> Option<Self> {
        let dimension = self.dimension.product(other.dimension)?;
        Self::checked(dimension, self.half_decades + other.half_decades)
    }

    /// Quotient of two units.
    pub(crate) fn quotient(self, other: Self) -> Option<Self> {
        let dimension = self.dimension.quotient(other.dimension)?;
        Self::checked(dimension, self.half_decades - other.half_decades)
    }

    /// Power with an exponent in halves.
    pub(crate) fn power(self, halves: i32) -> Option<Self> {
        let doubled = self.half_decades.checked_mul(halves)?;
        if doubled % 2 != 0 {
            return None;
        }
        Self::checked(self.dimension.power(halves)?, doubled / 2)
    }

    fn checked(dimension: Dimension, half_decades: i32) -> Option<Self> {
        (half_decades.abs() <= MAX_HALF_DECADES).then_some(Self {
            dimension,
            half_decades,
        })
    }

    /// One of this unit in base units.
    pub(crate) fn scale(self) -> f64 {
        let decades = power_of_ten(self.half_decades.div_euclid(2));
        if self.half_decades.rem_euclid(2) == 0 {
            decades
        } else {
            decades * 10_f64.sqrt()
        }
    }

    /// The unit under the given spelling.
    pub(crate) fn named(self, name: String) -> Unit {
        Unit {
            dimension: self.dimension,
            scale: self.scale(),
            name,
        }
    }

    /// The number written `digits`, of this unit, in base units, rounded once.
    pub(crate) fn to_base(self, digits: &str) -> f64 {
        if self.half_decades % 2 != 0 {
            return digits.parse().unwrap_or(f64::NAN) * self.scale();
        }
        let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
        match exponent.parse::<i32>() {
            Ok(e) => {
                let shifted = e.saturating_add(self.half_decades / 2);
                format!("{mantissa}e{shifted}").parse().unwrap_or(f64::NAN)
            }
            // An exponent beyond i32: zero or infinity whatever the unit.
            Err(_) => digits.parse().unwrap_or(f64::NAN),
        }
    }
}

fn power_of_ten(decades: i32) -> f64 {
    // The parser of the standard library rounds correctly; `powi` need not.
    format!("1e{decades}").parse().unwrap_or(f64::NAN)
}

/// Spelling, exponents, power of ten.
type Row = (&'static str, Dimension, i32);

/// Every unit in its ASCII spelling.
const UNITS: &[Row] = &[
    ("s", Dimension::TIME, 3),
    ("ms", Dimension::TIME, 0),
    ("us", Dimension::TIME, -3),
    ("V", Dimension::VOLTAGE, 3),
    ("mV", Dimension::VOLTAGE, 0),
    ("uV", Dimension::VOLTAGE, -3),
    ("A", Dimension::CURRENT, 12),
    ("mA", Dimension::CURRENT, 9),
    ("uA", Dimension::CURRENT, 6),
    ("nA", Dimension::CURRENT, 3),
    ("pA", Dimension::CURRENT, 0),
    ("S", Dimension::CONDUCTANCE, 9),
    ("mS", Dimension::CONDUCTANCE, 6),
    ("uS", Dimension::CONDUCTANCE, 3),
    ("nS", Dimension::CONDUCTANCE, 0),
    ("pS", Dimension::CONDUCTANCE, -3),
    ("F", Dimension::CAPACITANCE, 12),
    ("uF", Dimension::CAPACITANCE, 6),
    ("nF", Dimension::CAPACITANCE, 3),
    ("pF", Dimension::CAPACITANCE, 0),
    ("ohm", Dimension::RESISTANCE, -9),
    ("kohm", Dimension::RESISTANCE, -6),
    ("Mohm", Dimension::RESISTANCE, -3),
    ("Gohm", Dimension::RESISTANCE, 0),
    ("Hz", Dimension::FREQUENCY, -3),
    ("kHz", Dimension::FREQUENCY, 0),
    ("M", Dimension::CONCENTRATION, 3),
    ("mM", Dimension::CONCENTRATION, 0),
    ("uM", Dimension::CONCENTRATION, -3),
    ("nM", Dimension::CONCENTRATION, -6),
    ("m", Dimension::LENGTH, 6),
    ("cm", Dimension::LENGTH, 4),
    ("mm", Dimension::LENGTH, 3),
    ("um", Dimension::LENGTH, 0),
    ("nm", Dimension::LENGTH, -3),
];

/// The unit of that name: ASCII, or with µ and Ω.
pub(crate) fn lookup(name: &str) -> Option<Scaled> {
    let ascii = normalised(name);
    UNITS
        .iter()
        .find(|row| row.0 == ascii)
        .map(|&(_, dimension, decades)| Scaled {
            dimension,
            half_decades: 2 * decades,
        })
}

/// The ASCII spelling: `µ` (micro sign or Greek mu) is `u`; `Ω` (Greek or ohm sign) and `Ohm` are
/// `ohm`.
pub(crate) fn normalised(name: &str) -> String {
    let ascii: String = name
        .chars()
        .flat_map(|c| match c {
            '\u{b5}' | '\u{3bc}' => "u".chars().collect::<Vec<_>>(),
            '\u{3a9}' | '\u{2126}' => "ohm".chars().collect(),
            _ => vec![c],
        })
        .collect();
    match ascii.strip_suffix("Ohm") {
        Some(prefix) => format!("{prefix}ohm"),
        None => ascii,
    }
}

/// Every spelling, for suggestions.
pub(crate) fn spellings() -> impl Iterator<Item = &'static str> {
    UNITS.iter().map(|row| row.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_unique_and_found() {
        for (i, row) in UNITS.iter().enumerate() {
            assert!(
                UNITS[..i].iter().all(|other| other.0 != row.0),
                "{} twice",
                row.0
            );
            assert_eq!(lookup(row.0).unwrap().half_decades, 2 * row.2);
        }
        for (written, ascii) in [
            ("MΩ", "Mohm"),
            ("M\u{2126}", "Mohm"),
            ("GOhm", "Gohm"),
            ("µV", "uV"),
            ("μs", "us"),
        ] {
            assert_eq!(lookup(written), lookup(ascii), "{written}");
            assert!(lookup(written).is_some());
        }
        assert_eq!(lookup("furlong"), None);
    }

    #[test]
    fn decimals_are_rounded_once() {
        let second = lookup("s").unwrap();
        // 0.0057 · 1000 is 5.699999999999999 in floating point.
        assert_eq!(second.to_base("0.0057").to_bits(), 5.7_f64.to_bits());
        assert_eq!(second.to_base("1e-3").to_bits(), 1.0_f64.to_bits());
        let us = lookup("us").unwrap();
        for n in 1..5000_u32 {
            let exact: f64 = format!("{n}e-3").parse().unwrap();
            assert_eq!(us.to_base(&n.to_string()).to_bits(), exact.to_bits());
        }
    }

    #[test]
    fn halves_and_limits() {
        let root = lookup("s").unwrap().power(1).unwrap();
        assert!((root.scale() - 1000_f64.sqrt()).abs() < 1e-12);
        assert_eq!(root.power(1), None);
        let ampere = lookup("A").unwrap();
        assert_eq!(ampere.power(2 * 20), None, "10^240 is refused");
        assert_eq!(ampere.product(lookup("pA").unwrap()).unwrap().scale(), 1e12);
    }
}
