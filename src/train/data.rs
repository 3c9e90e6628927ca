//! What is learned: the entry `data` of the table `[training]`.

use std::fmt;
use std::path::Path;

use rheobase_engine::Instantiate;
use rheobase_learning::data::{DataError, Split, Task, digits, fashion_mnist, idx_folder, npz};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Data to learn from.
///
/// ```
/// use rheobase::train::DataSettings;
///
/// let data: DataSettings = serde_json::from_str(r#"{ "task": "lag", "lags": [-2, 2] }"#)?;
/// assert_eq!(data.to_string(), "lag");
/// assert_eq!(data.load::<f32>(20, 1)?.train.shape(), [20, 20]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged)]
pub enum DataSettings {
    /// `digits` (comes with the program), `fashion_mnist` (Debian's package `dataset-fashion-mnist`), a
    /// folder of IDX files, or an `.npz` file with `x_train`, `y_train`, `x_test`, `y_test`.
    Named(String),
    /// A task that is generated.
    Task(Task),
}

impl fmt::Display for DataSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named(name) => name,
            Self::Task(task) => task.name(),
        })
    }
}

impl From<&str> for DataSettings {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl<'de> Deserialize<'de> for DataSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = DataSettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a data set by name or path, or a table such as { task = \"lag\" }")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<DataSettings, E> {
                Ok(name.into())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DataSettings, A::Error> {
                Task::deserialize(MapAccessDeserializer::new(map)).map(DataSettings::Task)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl DataSettings {
    /// Reads the data, or draws a task of `steps` steps under `seed`.
    ///
    /// # Errors
    /// If files cannot be read or hold no samples, or a number of the task cannot be.
    pub fn load<R: Instantiate>(&self, steps: usize, seed: u64) -> Result<Split<R>, DataError> {
        match self {
            Self::Task(task) => task.make(steps, seed),
            Self::Named(name) => match name.as_str() {
                "digits" => digits(),
                "fashion_mnist" => fashion_mnist(),
                path if Path::new(path).extension().is_some_and(|e| e == "npz") => {
                    npz(Path::new(path))
                }
                folder => idx_folder(Path::new(folder)),
            },
        }
    }
}
