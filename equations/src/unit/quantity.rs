//! Quantities as network files write them: `10 ms`, `-5 pA`, `1e3/s`.

use super::{Dimension, Scope, Unit};
use crate::check::evaluate_constant;
use crate::diagnostic::{Diagnostics, Sink, visible};
use crate::limits::MAX_EXPRESSION_BYTES;
use crate::syntax::parse_quantity_expression;

/// A number with a dimension.
#[derive(Clone, PartialEq, Debug)]
pub struct Quantity {
    /// In base units.
    pub value_base: f64,
    /// Dimension.
    pub dimension: Dimension,
    /// The unit it was written with, where it was a number and a unit; else the base unit.
    pub unit: Unit,
    /// A bare `0`, which fits every dimension.
    pub is_bare_zero: bool,
}

/// Why a quantity is refused.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// Not a number with a unit.
    #[error("`{text}` is no quantity: {reason}")]
    Syntax {
        /// The text.
        text: String,
        /// What is wrong with it, and a suggestion if there is one.
        reason: String,
    },
    /// Another dimension is needed.
    #[error("expected a quantity in {}, found {}", shown(*expected), found_shown(found))]
    Dimension {
        /// The dimension that is needed.
        expected: Dimension,
        /// What was given.
        found: Unit,
    },
}

fn shown(dimension: Dimension) -> String {
    if dimension.is_none() {
        "no unit (a pure number)".to_owned()
    } else {
        format!("`{dimension}`")
    }
}

fn found_shown(unit: &Unit) -> String {
    if unit.dimension.is_none() {
        "a pure number".to_owned()
    } else {
        format!("`{unit}`")
    }
}

impl Quantity {
    /// The value in base units.
    ///
    /// # Errors
    /// [`QuantityError::Dimension`] where its dimension is another one. A bare `0` fits all.
    pub fn in_base(&self, expected: Dimension) -> Result<f64, QuantityError> {
        if self.dimension == expected || self.is_bare_zero {
            Ok(self.value_base)
        } else {
            Err(QuantityError::Dimension {
                expected,
                found: self.unit.clone(),
            })
        }
    }
}

/// Reads a unit by itself: `mV`, `pA/ms`, `1`.
///
/// # Errors
/// As [`parse_quantity`].
pub fn parse_unit(text: &str) -> Result<Unit, QuantityError> {
    if text.trim() == "1" {
        return Ok(Unit::one());
    }
    parse_quantity(&format!("1 {text}")).map(|q| q.unit)
}

/// Reads a constant expression of numbers and units: `10 ms`, `-5 pA`, `20 kHz`, `1e3/s`,
/// `0.5*(10 ms + 1 s)`. With names: [`Scope::parse`].
///
/// # Errors
/// [`QuantityError::Syntax`] with what was expected and, for a misspelt unit, a suggestion.
pub fn parse_quantity(text: &str) -> Result<Quantity, QuantityError> {
    parse_in(text, &Scope::default())
}

/// Whether an expression is refused for its length alone.
pub(super) fn is_too_long(text: &str) -> bool {
    text.len() > MAX_EXPRESSION_BYTES
}

/// Reads a constant expression that may use the names of `scope`.
pub(super) fn parse_in(text: &str, scope: &Scope) -> Result<Quantity, QuantityError> {
    let text = text.trim();
    let mut sink = Sink::new(text, "quantity");
    let parsed = if is_too_long(text) {
        None
    } else {
        parse_quantity_expression(text, &mut sink)
    };
    let constant = parsed.and_then(|(expression, nodes)| {
        evaluate_constant(&nodes, expression, Some(scope))
            .map_err(|problem| sink.report(problem))
            .ok()
    });
    let reported = sink.finish();
    match (constant, reported) {
        (Some(constant), Ok(())) => Ok(Quantity {
            value_base: constant.value,
            dimension: constant.unit.dimension,
            is_bare_zero: constant.is_bare_zero,
            unit: constant.unit,
        }),
        (_, reported) => Err(syntax_error(text, reported.err())),
    }
}

/// Longest piece of a text repeated in an error \[characters\].
const MAX_SHOWN: usize = 60;

pub(super) fn syntax_error(text: &str, reported: Option<Diagnostics>) -> QuantityError {
    let hidden = '\u{fffd}';
    let mut shown: String = text
        .chars()
        .take(MAX_SHOWN)
        .map(|c| visible(c).unwrap_or(hidden))
        .collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    let reason = match reported.as_ref().and_then(|d| d.as_slice().first()) {
        Some(first) => match &first.help {
            Some(help) => format!("{}; {help}", first.message),
            None => first.message.clone(),
        },
        None => format!("the text is too long (at most {MAX_EXPRESSION_BYTES} bytes)"),
    };
    QuantityError::Syntax {
        text: shown,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_of_network_files() {
        let cases = [
            ("10 ms", 10.0, "ms", "ms"),
            ("0.1 mV", 0.1, "mV", "mV"),
            ("-5 pA", -5.0, "pA", "pA"),
            ("20 kHz", 20.0, "1/ms", "kHz"),
            ("8 Hz", 0.008, "1/ms", "Hz"),
            ("1e3/s", 1.0, "1/ms", "1/s"),
            ("1 s", 1000.0, "ms", "s"),
            ("2.5", 2.5, "1", "1"),
            ("0.25 nF", 250.0, "pF", "nF"),
            ("100 MΩ", 0.1, "GOhm", "MΩ"),
            ("5 mV/ms", 5.0, "mV/ms", "mV/ms"),
            ("3 ms^2", 3.0, "ms^2", "ms^2"),
            ("2 mV*ms^-0.5", 2.0, "mV/ms^0.5", "mV*ms^-0.5"),
            ("0.5*(10 ms + 1 s)", 505.0, "ms", "ms"),
            ("+1 um", 1.0, "um", "um"),
        ];
        for (text, value, dimension, unit) in cases {
            let q = parse_quantity(text).unwrap();
            assert_eq!(q.value_base.to_bits(), f64::to_bits(value), "{text}");
            assert_eq!(q.dimension.to_string(), dimension, "{text}");
            assert_eq!(q.unit.name, unit, "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_says_why() {
        let reason = |text: &str| parse_quantity(text).unwrap_err().to_string();
        assert_eq!(
            reason("10 mv"),
            "`10 mv` is no quantity: unknown unit `mv`; did you mean `mV`?"
        );
        assert_eq!(
            reason(""),
            "`` is no quantity: expected an expression, found the end of the line"
        );
        assert_eq!(
            reason("1 mV + 1 ms"),
            "`1 mV + 1 ms` is no quantity: cannot add `ms` to `mV`"
        );
        assert!(reason("1/0").contains("not finite"));
        assert!(reason("10 ms\n20 ms").contains("expected the end of the text"));
        assert!(reason("tau").contains("`tau` is no parameter, unit or constant"));
        assert!(reason(&"9".repeat(300_000)).contains("too long"));
    }

    #[test]
    fn dimensions_are_checked() {
        let q = parse_quantity("10 nA").unwrap();
        assert_eq!(q.in_base(Dimension::CURRENT), Ok(10_000.0));
        assert_eq!(
            q.in_base(Dimension::TIME).unwrap_err().to_string(),
            "expected a quantity in `ms`, found `nA`"
        );
        assert_eq!(
            parse_quantity("0").unwrap().in_base(Dimension::TIME),
            Ok(0.0)
        );
        assert!(
            parse_quantity("1")
                .unwrap()
                .in_base(Dimension::TIME)
                .is_err()
        );
        assert!(
            parse_quantity("0 mV")
                .unwrap()
                .in_base(Dimension::TIME)
                .is_err()
        );
    }
}
