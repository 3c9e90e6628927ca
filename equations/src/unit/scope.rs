//! Quantities by name, for expressions of network files: `w * 2 / sqrt(scale)`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::quantity::{Quantity, QuantityError, parse_in, syntax_error};
use super::{lookup, quantity};
use crate::diagnostic::Sink;
use crate::limits::MAX_NAME_BYTES;
use crate::syntax::ast::NodeKind;
use crate::syntax::{parse_quantity_expression, words};

/// Quantities that expressions may name. Cheap to clone.
///
/// ```
/// use rheobase_equations::unit::{Scope, parse_quantity};
///
/// let mut scope = Scope::default();
/// scope.insert("w", parse_quantity("87.8 pA")?);
/// scope.insert("scale", parse_quantity("0.25")?);
/// let weight = scope.parse("2 * w / sqrt(scale)")?;
/// assert_eq!((weight.value_base, weight.dimension.to_string()), (351.2, "pA".to_owned()));
/// # Ok::<(), rheobase_equations::unit::QuantityError>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Scope(Arc<BTreeMap<String, Quantity>>);

impl Scope {
    /// Adds a quantity, or replaces it. A name that [`Self::check_name`] refuses is never found.
    pub fn insert(&mut self, name: &str, quantity: Quantity) {
        Arc::make_mut(&mut self.0).insert(name.to_owned(), quantity);
    }

    /// The quantity of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Quantity> {
        self.0.get(name)
    }

    /// Names and quantities, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Quantity)> {
        self.0.iter().map(|(name, q)| (name.as_str(), q))
    }

    /// Reads an expression of numbers, units, the names here, `pi`, the operators `+ - * / ^` and the
    /// functions `sqrt exp expm1 ln ln1p abs floor ceil round min max clip`.
    ///
    /// # Errors
    /// [`QuantityError::Syntax`] with what was expected and, for a misspelt name, a suggestion.
    pub fn parse(&self, text: &str) -> Result<Quantity, QuantityError> {
        parse_in(text, self)
    }

    /// Whether a quantity may have this name.
    ///
    /// # Errors
    /// A sentence that says why it may not.
    pub fn check_name(name: &str) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let starts = name.chars().next().is_some_and(|c| !c.is_ascii_digit());
        if !(starts && name.chars().all(plain)) || name.len() > MAX_NAME_BYTES {
            return Err(format!(
                "a name in expressions has up to {MAX_NAME_BYTES} ASCII letters, digits and `_`, \
                 with no digit first"
            ));
        }
        if lookup(name).is_some() {
            return Err(format!("`{name}` is a unit; choose another name"));
        }
        if name == PI || words::constant_arity(name).is_some() {
            return Err(format!(
                "`{name}` has a meaning in expressions; choose another name"
            ));
        }
        if words::may_follow_expression(name) {
            return Err(format!(
                "`{name}` is a word of the language; choose another name"
            ));
        }
        Ok(())
    }
}

/// The constant of the language.
pub(crate) const PI: &str = "pi";

/// The names in an expression that are neither units nor constants, in the order they stand; each as
/// often as it does.
///
/// # Errors
/// If the text cannot be read.
pub fn names_in(text: &str) -> Result<Vec<String>, QuantityError> {
    let text = text.trim();
    let mut sink = Sink::new(text, "quantity");
    let parsed = if quantity::is_too_long(text) {
        None
    } else {
        parse_quantity_expression(text, &mut sink)
    };
    match (parsed, sink.finish()) {
        (Some((_, nodes)), Ok(())) => Ok(nodes
            .iter()
            .filter_map(|node| match node.kind {
                NodeKind::Name(name) if name != PI && lookup(name).is_none() => {
                    Some(name.to_owned())
                }
                _ => None,
            })
            .collect()),
        (_, reported) => Err(syntax_error(text, reported.err())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::parse_quantity;

    fn scope() -> Scope {
        let mut scope = Scope::default();
        for (name, text) in [
            ("scale", "0.25"),
            ("w", "87.8 pA"),
            ("rate", "8 Hz"),
            ("none", "0"),
            ("n", "20683"),
        ] {
            scope.insert(name, parse_quantity(text).unwrap());
        }
        scope
    }

    #[test]
    fn names_and_functions_have_values() {
        for (text, value, unit) in [
            ("scale", 0.25, "1"),
            ("2*w", 175.6, "pA"),
            ("-w", -87.8, "pA"),
            ("w / sqrt(scale)", 175.6, "pA"),
            ("rate * 1600 * scale", 3.2, "1/ms"),
            ("8 Hz * 1600 * scale", 3.2, "1/ms"),
            ("sqrt(w * w)", 87.8, "pA"),
            ("round(n * scale)", 5171.0, "1"),
            ("ceil(n * scale) - floor(n * scale)", 1.0, "1"),
            ("min(w, 1 nA) + max(w, 0)", 175.6, "pA"),
            ("clip(2*w, 0, 100 pA)", 100.0, "pA"),
            ("abs(-3 mV)", 3.0, "mV"),
            ("exp(0) + ln(1) + expm1(0) + ln1p(0)", 1.0, "1"),
            ("2^0.5^2", 2.0_f64.powf(0.25), "1"),
            ("2^(1/3)", 2.0_f64.cbrt(), "1"),
            ("2*pi", std::f64::consts::TAU, "1"),
            ("none + w", 87.8, "pA"),
            ("10 ms", 10.0, "ms"),
        ] {
            let q = scope()
                .parse(text)
                .unwrap_or_else(|e| panic!("{text}: {e}"));
            assert!(
                (q.value_base - value).abs() <= 1e-15 * value.abs(),
                "{text}: {q:?}"
            );
            assert_eq!(q.dimension.to_string(), unit, "{text}");
        }
        assert!(scope().parse("none").unwrap().is_bare_zero);
    }

    #[test]
    fn what_cannot_be_computed_says_why() {
        for (text, reason) in [
            (
                "2 * scal",
                "`scal` is no parameter, unit or constant; did you mean `scale`?",
            ),
            ("w + scale", "cannot add a pure number to `pA`"),
            ("exp(w)", "`exp` needs a pure number, found `pA`"),
            ("round(w)", "`round` needs a pure number, found `pA`"),
            ("max(w, rate)", "cannot compare `pA` with `1/ms`"),
            ("sqrt(-1)", "this constant is not finite"),
            ("1/none", "this constant is not finite"),
            ("ln(none)", "this constant is not finite"),
            ("(-8)^(1/3)", "this constant is not finite"),
            ("w^0.3", "the exponent of a constant is a multiple of 1/2"),
            ("2^w", "the exponent of a constant is a multiple of 1/2"),
            ("log(2)", "unknown function `log`; write `ln(x)`"),
            ("sqrt(2, 3)", "`sqrt` takes 1 argument"),
            ("sqr(2)", "unknown function `sqr`; did you mean `sqrt`?"),
            ("2 w", "unknown unit `w`; to multiply, write `2*w`"),
            ("w > scale", "expected a constant"),
        ] {
            let error = scope().parse(text).unwrap_err().to_string();
            let expected = format!("`{text}` is no quantity: {reason}");
            assert!(
                error.starts_with(&expected),
                "{error}\n  expected {expected}"
            );
        }
        let deep = format!("{}1{}", "(".repeat(100), ")".repeat(100));
        assert!(
            scope()
                .parse(&deep)
                .unwrap_err()
                .to_string()
                .contains("nested too deeply")
        );
        let long = "1+".repeat(5000) + "1";
        assert!(
            scope()
                .parse(&long)
                .unwrap_err()
                .to_string()
                .contains("too long")
        );
    }

    #[test]
    fn names_are_listed_and_checked() {
        assert_eq!(
            names_in("a*10 ms + sqrt(b)/a - pi*mV").unwrap(),
            ["a", "b", "a"]
        );
        assert!(names_in("a +").is_err());
        assert!(Scope::check_name("scale_2").is_ok());
        for (name, reason) in [
            ("mV", "is a unit"),
            ("m", "is a unit"),
            ("pi", "has a meaning"),
            ("sqrt", "has a meaning"),
            ("and", "is a word"),
            ("per", "is a word"),
            ("2x", "letters, digits"),
            ("a-b", "letters, digits"),
            ("é", "letters, digits"),
            ("", "letters, digits"),
        ] {
            let error = Scope::check_name(name).unwrap_err();
            assert!(error.contains(reason), "{name}: {error}");
        }
        assert!(Scope::check_name(&"x".repeat(65)).is_err());
    }
}
