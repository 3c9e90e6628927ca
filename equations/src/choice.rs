//! What a network chooses about a component before anything is built: its options and the
//! surrogate of its spike.
//!
//! A text offers variants by `option soft_reset = false` or `option reset = hard or soft`; they are
//! constants by the time its expressions are built, so that a variant costs nothing in a step.
//!
//! ```
//! use rheobase_equations::choice::Choices;
//! use rheobase_equations::parse_one;
//!
//! let text = "
//! neuron integrate
//!   option soft_reset = false
//!   parameter v_threshold = 1
//!   input x : 1
//!   update v = v + x : 1
//!   spike when v >= v_threshold, reset v = select(soft_reset, v - v_threshold, 0)";
//! let hard = parse_one(text, "integrate.rheo")?;
//! let choices = Choices::new().option("soft_reset", "true").surrogate("sigmoid(4)");
//! let soft = hard.choose(&choices)?;
//! assert_eq!(soft.options[0].values[soft.options[0].chosen], "true");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;

use crate::check::{evaluate_surrogate, parse_chosen};
use crate::diagnostic::{Diagnostics, nearest};
use crate::ir::SurrogateId;
use crate::model::Model;

/// What is chosen about a component; what is not named stays as its text says.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Choices {
    /// Value of each option, by name.
    pub options: BTreeMap<String, String>,
    /// The surrogate of the spike, as written in a text (`atan(2)`); its shape is constant.
    pub surrogate: Option<String>,
}

impl Choices {
    /// Nothing chosen.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses `value` (`true`, `soft`, …) for an option.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.insert(name.into(), value.into());
        self
    }

    /// Chooses the surrogate of the spike.
    #[must_use]
    pub fn surrogate(mut self, text: impl Into<String>) -> Self {
        self.surrogate = Some(text.into());
        self
    }
}

/// Why a component cannot be had that way.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// It has no such option.
    #[error("`{model}` has no option `{option}`{}", help(*.suggestion, .known))]
    Option {
        /// The component.
        model: String,
        /// What was named.
        option: String,
        /// Whether the first of `known` is near to it.
        suggestion: bool,
        /// Its options; the nearest first.
        known: Vec<String>,
    },
    /// The option has no such value.
    #[error("option `{option}` of `{model}` cannot be `{value}`{}", help(*.suggestion, .known))]
    Value {
        /// The component.
        model: String,
        /// The option.
        option: String,
        /// What was named.
        value: String,
        /// Whether the first of `known` is near to it.
        suggestion: bool,
        /// What it can be; the nearest first.
        known: Vec<String>,
    },
    /// It has no spike that a surrogate could act on.
    #[error("`{model}` has no threshold, so that a surrogate has no effect")]
    NoThreshold {
        /// The component.
        model: String,
    },
    /// The surrogate is no surrogate, or the text cannot be read with these options.
    #[error(transparent)]
    Text(#[from] Diagnostics),
}

fn help(is_near: bool, known: &[String]) -> String {
    match known {
        [] => "; it has none".to_owned(),
        [best, ..] if is_near => format!("; did you mean `{best}`?"),
        all => format!("; known are {}", all.join(", ")),
    }
}

/// `known` with the name nearest to `word` first, and whether there is one.
fn ranked<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> (bool, Vec<String>) {
    let best = nearest(word, known.clone());
    let rest = known.filter(|k| Some(*k) != best);
    let all = best.into_iter().chain(rest).map(str::to_owned).collect();
    (best.is_some(), all)
}

/// [`Choices`], checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chosen {
    /// Value of options.
    pub(crate) options: BTreeMap<String, String>,
    /// Surrogate and its shape.
    pub(crate) surrogate: Option<(SurrogateId, Vec<f64>)>,
}

impl Model {
    /// The same component with other options, or another surrogate. What is not named is as the
    /// text says, whatever was chosen for `self`.
    ///
    /// # Errors
    /// An unknown option, value or surrogate; a text that is wrong with these options.
    pub fn choose(&self, choices: &Choices) -> Result<Self, ChoiceError> {
        for (option, value) in &choices.options {
            self.check_choice(option, value)?;
        }
        let surrogate = match &choices.surrogate {
            None => None,
            Some(text) => {
                if self.spike.as_ref().is_none_or(|s| s.margin.is_none()) {
                    let model = self.name.clone();
                    return Err(ChoiceError::NoThreshold { model });
                }
                Some(evaluate_surrogate(text)?)
            }
        };
        let options = choices.options.clone();
        Ok(parse_chosen(
            &self.text,
            &self.name,
            &Chosen { options, surrogate },
        )?)
    }

    fn check_choice(&self, option: &str, value: &str) -> Result<(), ChoiceError> {
        let Some(declared) = self.options.iter().find(|o| o.name == option) else {
            let (suggestion, known) = ranked(option, self.options.iter().map(|o| &*o.name));
            return Err(ChoiceError::Option {
                model: self.name.clone(),
                option: option.to_owned(),
                suggestion,
                known,
            });
        };
        if declared.values.iter().any(|v| v == value) {
            return Ok(());
        }
        let (suggestion, known) = ranked(value, declared.values.iter().map(|v| &**v));
        Err(ChoiceError::Value {
            model: self.name.clone(),
            option: option.to_owned(),
            value: value.to_owned(),
            suggestion,
            known,
        })
    }
}

#[cfg(test)]
mod tests;
