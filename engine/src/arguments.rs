//! Arguments of components in network files: named, typed, with units, checked.

use rheobase_equations::unit::{self, Scope, Unit};
use serde_json::{Map, Value as Json};

use crate::suggest::abbreviated;

/// What an argument is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgumentKind {
    /// A pure number.
    Number,
    /// A whole number ≥ 0.
    Integer,
    /// A quantity whose dimension is that of the unit named here, e.g. `"Hz"`.
    Quantity(&'static str),
    /// true or false.
    Boolean,
    /// A string.
    Text,
    /// A list of quantities of that unit (or numbers for `"1"`).
    QuantityList(&'static str),
    /// A list of lists of quantities of that unit.
    QuantityLists(&'static str),
    /// A list of whole numbers ≥ 0.
    IntegerList,
    /// A whole number ≥ 0, or a list of them: one for every axis, or each its own.
    Sizes,
    /// A quantity in the unit of the port the component acts on.
    PortQuantity,
    /// A list of quantities in the unit of the port the component acts on.
    PortQuantityList,
}

/// Declaration of an argument.
#[derive(Clone, Copy, Debug)]
pub struct ArgumentSpec {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: ArgumentKind,
    /// Default as it would be written in a file; `None` makes the argument required, `Some("")`
    /// makes it optional without a default.
    pub default: Option<&'static str>,
    /// One line of documentation.
    pub doc: &'static str,
}

/// Arguments that have passed the check against their [`ArgumentSpec`]s.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    values: Map<String, Json>,
    port_unit: Option<Unit>,
    /// What expressions may name.
    scope: Scope,
}

/// A wrong argument.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("`{name}`: {message}")]
pub struct ArgumentError {
    /// The argument.
    pub name: String,
    /// What is wrong and what was expected.
    pub message: String,
}

impl ArgumentError {
    /// An error about argument `name`.
    #[must_use]
    pub fn new(name: &str, message: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            message: message.into(),
        }
    }
}

impl Arguments {
    /// Checks `values` against `specs`: no unknown name, none missing, each of its kind.
    ///
    /// # Errors
    /// The first wrong argument, with a suggestion for a misspelt name.
    pub fn check(
        values: &Map<String, Json>,
        specs: &[ArgumentSpec],
        port_unit: Option<Unit>,
    ) -> Result<Self, ArgumentError> {
        Self::check_in(values, specs, port_unit, &Scope::default())
    }

    /// [`Self::check`] where expressions may use the names of `scope`.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_in(
        values: &Map<String, Json>,
        specs: &[ArgumentSpec],
        port_unit: Option<Unit>,
        scope: &Scope,
    ) -> Result<Self, ArgumentError> {
        for name in values.keys() {
            if !specs.iter().any(|s| s.name == name) {
                let known: Vec<&str> = specs.iter().map(|s| s.name).collect();
                return Err(ArgumentError::new(
                    name,
                    crate::suggest::unknown("argument", name, &known),
                ));
            }
        }
        let mut arguments = Self {
            values: values.clone(),
            port_unit,
            scope: scope.clone(),
        };
        for spec in specs {
            if !values.contains_key(spec.name) {
                match spec.default {
                    None => {
                        return Err(ArgumentError::new(
                            spec.name,
                            format!("is required ({})", spec.doc),
                        ));
                    }
                    Some("") => continue,
                    Some(text) => {
                        let json = serde_json::from_str(text)
                            .unwrap_or_else(|_| Json::String(text.to_owned()));
                        arguments.values.insert(spec.name.to_owned(), json);
                    }
                }
            }
            arguments.check_kind(spec)?;
        }
        Ok(arguments)
    }

    fn check_kind(&self, spec: &ArgumentSpec) -> Result<(), ArgumentError> {
        let name = spec.name;
        match spec.kind {
            ArgumentKind::Number => self.number(name).map(drop),
            ArgumentKind::Integer => self.integer(name).map(drop),
            ArgumentKind::Quantity(unit) => self.quantity(name, unit).map(drop),
            ArgumentKind::Boolean => self.boolean(name).map(drop),
            ArgumentKind::Text => self.text(name).map(drop),
            ArgumentKind::QuantityList(unit) => self.quantities(name, unit).map(drop),
            ArgumentKind::QuantityLists(unit) => self.quantity_lists(name, unit).map(drop),
            ArgumentKind::IntegerList => self.integers(name).map(drop),
            ArgumentKind::Sizes => self.sizes(name).map(drop),
            ArgumentKind::PortQuantity => self.port_quantity(name).map(drop),
            ArgumentKind::PortQuantityList => self.port_quantities(name).map(drop),
        }
    }

    /// Whether the argument was given (or has a default).
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    fn get(&self, name: &str) -> Result<&Json, ArgumentError> {
        self.values
            .get(name)
            .ok_or_else(|| ArgumentError::new(name, "is required"))
    }

    /// A pure number.
    ///
    /// # Errors
    /// If it is missing, not a number, or not finite.
    pub fn number(&self, name: &str) -> Result<f64, ArgumentError> {
        quantity_of(name, self.get(name)?, &Unit::one(), &self.scope)
    }

    /// A whole number ≥ 0. An expression is rounded to the nearest.
    ///
    /// # Errors
    /// If it is missing or anything else.
    pub fn integer(&self, name: &str) -> Result<u64, ArgumentError> {
        integer_of(name, self.get(name)?, &self.scope)
    }

    /// A truth value.
    ///
    /// # Errors
    /// If it is missing or anything else.
    pub fn boolean(&self, name: &str) -> Result<bool, ArgumentError> {
        self.get(name)?
            .as_bool()
            .ok_or_else(|| ArgumentError::new(name, "expected true or false"))
    }

    /// A string.
    ///
    /// # Errors
    /// If it is missing or anything else.
    pub fn text(&self, name: &str) -> Result<&str, ArgumentError> {
        self.get(name)?
            .as_str()
            .ok_or_else(|| ArgumentError::new(name, "expected a string"))
    }

    /// A quantity of the dimension of `unit`, in base units.
    ///
    /// # Errors
    /// If it is missing, malformed, of another dimension, or not finite.
    pub fn quantity(&self, name: &str, unit: &str) -> Result<f64, ArgumentError> {
        quantity_of(name, self.get(name)?, &unit_of(name, unit)?, &self.scope)
    }

    /// A quantity in the unit of the port the component acts on, in base units.
    ///
    /// # Errors
    /// As [`Self::quantity`].
    pub fn port_quantity(&self, name: &str) -> Result<f64, ArgumentError> {
        let one = Unit::one();
        quantity_of(
            name,
            self.get(name)?,
            self.port_unit.as_ref().unwrap_or(&one),
            &self.scope,
        )
    }

    /// A list of quantities in the unit of the port the component acts on, in base units.
    ///
    /// # Errors
    /// As [`Self::quantity`], naming the element.
    pub fn port_quantities(&self, name: &str) -> Result<Vec<f64>, ArgumentError> {
        let one = Unit::one();
        let unit = self.port_unit.as_ref().unwrap_or(&one);
        list_of(name, self.get(name)?, |n, v| {
            quantity_of(n, v, unit, &self.scope)
        })
    }

    /// A list of quantities, in base units.
    ///
    /// # Errors
    /// As [`Self::quantity`], naming the element.
    pub fn quantities(&self, name: &str, unit: &str) -> Result<Vec<f64>, ArgumentError> {
        let unit = unit_of(name, unit)?;
        list_of(name, self.get(name)?, |n, v| {
            quantity_of(n, v, &unit, &self.scope)
        })
    }

    /// A list of lists of quantities, in base units.
    ///
    /// # Errors
    /// As [`Self::quantity`], naming the element.
    pub fn quantity_lists(&self, name: &str, unit: &str) -> Result<Vec<Vec<f64>>, ArgumentError> {
        let unit = unit_of(name, unit)?;
        list_of(name, self.get(name)?, |n, v| {
            list_of(n, v, |n, v| quantity_of(n, v, &unit, &self.scope))
        })
    }

    /// A list of whole numbers ≥ 0.
    ///
    /// # Errors
    /// If it is missing or an element is anything else.
    pub fn integers(&self, name: &str) -> Result<Vec<u64>, ArgumentError> {
        list_of(name, self.get(name)?, |n, v| integer_of(n, v, &self.scope))
    }

    /// A list of whole numbers ≥ 0; a number alone is a list of one.
    ///
    /// # Errors
    /// If it is missing or an element is anything else.
    pub fn sizes(&self, name: &str) -> Result<Vec<u64>, ArgumentError> {
        if self.get(name)?.is_array() {
            self.integers(name)
        } else {
            Ok(vec![self.integer(name)?])
        }
    }
}

fn unit_of(name: &str, unit: &str) -> Result<Unit, ArgumentError> {
    unit::parse_unit(unit).map_err(|e| ArgumentError::new(name, e.to_string()))
}

fn list_of<T>(
    name: &str,
    json: &Json,
    mut element: impl FnMut(&str, &Json) -> Result<T, ArgumentError>,
) -> Result<Vec<T>, ArgumentError> {
    let list = json
        .as_array()
        .ok_or_else(|| ArgumentError::new(name, "expected a list"))?;
    list.iter()
        .enumerate()
        .map(|(i, v)| element(&format!("{name}[{i}]"), v))
        .collect()
}

fn integer_of(name: &str, json: &Json, scope: &Scope) -> Result<u64, ArgumentError> {
    whole_of(json, 0, u64::MAX, scope).map_err(|message| ArgumentError::new(name, message))
}

/// Whole numbers that expressions can give: f64 holds them exactly.
const MAX_COMPUTED: u64 = 1 << 53;

/// A whole number from `least` to `most`: a number, or an expression, which is rounded to the
/// nearest.
///
/// # Errors
/// What was expected and what was found.
pub fn whole_of(json: &Json, least: u64, most: u64, scope: &Scope) -> Result<u64, String> {
    let expected = || match (least, most) {
        (0, u64::MAX) => "expected a whole number".to_owned(),
        _ => format!("expected a whole number from {least} to {most}"),
    };
    let found = || abbreviated(&json.to_string());
    match json {
        Json::String(text) => {
            let quantity = scope.parse(text).map_err(|e| e.to_string())?;
            if !quantity.dimension.is_none() {
                let unit = quantity.unit.name;
                return Err(format!("{}, found {}, in {unit}", expected(), found()));
            }
            let rounded = quantity.value_base.round();
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "compared in f64, where numbers up to 2^53 are exact"
            )]
            if rounded >= least as f64 && rounded <= most.min(MAX_COMPUTED) as f64 {
                Ok(rounded as u64)
            } else {
                Err(format!(
                    "{}, found {}, which is {rounded}",
                    expected(),
                    found()
                ))
            }
        }
        other => other
            .as_u64()
            .filter(|n| (least..=most).contains(n))
            .ok_or_else(|| format!("{}, found {}", expected(), found())),
    }
}

/// A quantity from a string with a unit, an expression with the names of `scope`, or a bare number
/// where the unit is a pure number.
///
/// # Errors
/// If it is malformed, of another dimension, or not finite.
pub fn quantity_of(
    name: &str,
    json: &Json,
    unit: &Unit,
    scope: &Scope,
) -> Result<f64, ArgumentError> {
    let fail = |message: String| Err(ArgumentError::new(name, message));
    let value = match json {
        Json::Number(x) if unit.is_one() => x.as_f64().unwrap_or(f64::NAN),
        Json::Number(x) => {
            return fail(format!(
                "the number {x} has no unit; write \"{x} {}\"",
                unit.name
            ));
        }
        Json::String(text) => match scope.parse(text) {
            Err(e) => return fail(e.to_string()),
            Ok(q) => match q.in_base(unit.dimension) {
                Ok(value) => value,
                Err(_) => {
                    let found = found(text, &q.unit);
                    return fail(format!(
                        "expected a quantity in {}, found {found}",
                        unit.name
                    ));
                }
            },
        },
        other => {
            return fail(format!(
                "expected a quantity in {}, found {}",
                unit.name,
                abbreviated(&other.to_string())
            ));
        }
    };
    if value.is_finite() {
        Ok(value)
    } else {
        fail(format!("{json} is not finite"))
    }
}

/// An expression as a message names it: with its unit where that does not stand in it.
fn found(text: &str, unit: &Unit) -> String {
    let text = abbreviated(text);
    if text.contains(&unit.name) || text.parse::<f64>().is_ok() {
        format!("\"{text}\"")
    } else if unit.is_one() {
        format!("\"{text}\", a pure number")
    } else {
        format!("\"{text}\", in {unit}")
    }
}
