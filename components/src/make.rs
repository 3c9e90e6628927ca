//! Components made by name, from arguments as they are written in a file.

use std::sync::Arc;

use rheobase_engine::arguments::{ArgumentError, Arguments};
use rheobase_engine::port::{ConnectivityRule, Entry, LayerType, Registry, StimulusType};
use rheobase_equations::unit::Unit;
use serde_json::{Map, Value as Json};

/// Why a component could not be made by name.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// There is none of that name.
    #[error("unknown {kind} `{name}`")]
    Unknown {
        /// Rule, stimulus or layer.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// An argument is wrong.
    #[error("{kind} `{name}`: {source}")]
    Argument {
        /// Rule, stimulus or layer.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The argument and what is wrong.
        source: ArgumentError,
    },
}

/// The connectivity rule of that name. Arguments are written as in a file: JSON, or else a string
/// (`("p", "0.02")`, `("delays", "[\"1.5 ms\"]")`, `("rate", "8 kHz")`). Weights are pure numbers.
///
/// # Errors
/// An unknown rule; a missing, unknown or wrong argument.
pub fn rule(
    name: &str,
    arguments: &[(&str, String)],
) -> Result<Arc<dyn ConnectivityRule>, MakeError> {
    make(
        "connectivity rule",
        name,
        registry().rules.get(name),
        arguments,
        None,
    )
}

/// The stimulus of that name, acting on a port of unit `port` (a pure number where `None`).
/// Arguments as in [`rule`].
///
/// # Errors
/// An unknown stimulus; a missing, unknown or wrong argument.
pub fn stimulus(
    name: &str,
    arguments: &[(&str, String)],
    port: Option<Unit>,
) -> Result<StimulusType, MakeError> {
    make(
        "stimulus",
        name,
        registry().stimuli.get(name),
        arguments,
        port,
    )
}

/// The layer of that name. Arguments as in [`rule`].
///
/// # Errors
/// An unknown layer; a missing, unknown or wrong argument.
pub fn layer(name: &str, arguments: &[(&str, String)]) -> Result<Arc<dyn LayerType>, MakeError> {
    make("layer", name, registry().layers.get(name), arguments, None)
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    crate::connectivity::register(&mut registry);
    crate::stimulus::register(&mut registry);
    crate::layer::register(&mut registry);
    registry
}

fn make<T>(
    kind: &'static str,
    name: &str,
    entry: Option<&Entry<T>>,
    arguments: &[(&str, String)],
    port: Option<Unit>,
) -> Result<T, MakeError> {
    let Some(entry) = entry else {
        return Err(MakeError::Unknown {
            kind,
            name: name.to_owned(),
        });
    };
    let values: Map<String, Json> = arguments
        .iter()
        .map(|(key, text)| ((*key).to_owned(), json(text)))
        .collect();
    Arguments::check(&values, entry.arguments, port)
        .and_then(|checked| (entry.make)(&checked))
        .map_err(|source| MakeError::Argument {
            kind,
            name: name.to_owned(),
            source,
        })
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()))
}
