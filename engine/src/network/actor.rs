//! Users' own actors in a description.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// A user's own actor: a node made by a type of the registry.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Actor {
    /// A type of [`Registry::actors`](crate::port::Registry::actors).
    pub model: String,
    /// Arguments of the type.
    #[serde(flatten)]
    pub arguments: Map<String, Json>,
}

impl Actor {
    /// An actor of the type `model`.
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            arguments: Map::new(),
        }
    }

    /// Sets an argument of the type.
    #[must_use]
    pub fn argument(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.arguments.insert(name.into(), value.into());
        self
    }
}
