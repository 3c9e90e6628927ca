//! A network file with a table `[training]`.

use std::path::{Path, PathBuf};

use rheobase_engine::network::Network;
use serde_json::{Map, Value as Json};

use super::{Settings, TrainFailure};

/// Largest file that is read.
const MOST_BYTES: u64 = 64 << 20;

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is neither TOML nor JSON.
    #[error("{origin}: {message}")]
    Syntax {
        /// Name of the file.
        origin: String,
        /// What the reader says.
        message: String,
    },
    /// No table `[training]`.
    #[error(
        "{origin}: there is no table [training]; it says what is learned, e.g. data = \"digits\", steps = 8"
    )]
    Missing {
        /// Name of the file.
        origin: String,
    },
    /// An entry of the table.
    #[error("{origin}: training: {message}")]
    Settings {
        /// Name of the file.
        origin: String,
        /// What is wrong.
        message: String,
    },
}

/// A network and how it is trained.
///
/// ```
/// use rheobase::train::TrainingFile;
///
/// let text = r#"
///     name = "linear"
///     dt = "1 ms"
///     [inputs.x]
///     shape = [64]
///     [layers.fc]
///     model = "linear"
///     out_features = 10
///     [populations.y]
///     model = "lif"
///     size = 10
///     [[edges]]
///     source = "x"
///     target = "fc"
///     [[edges]]
///     source = "fc"
///     target = "y"
///     [training]
///     data = "digits"
///     steps = 8
/// "#;
/// let file = TrainingFile::from_toml(text, "doc")?;
/// assert_eq!((file.settings.steps, file.settings.batch), (8, 128));
/// # Ok::<(), rheobase::train::TrainFailure>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrainingFile {
    /// The network.
    pub network: Network,
    /// How it is trained.
    pub settings: Settings,
}

impl TrainingFile {
    /// Reads TOML, or JSON by its extension.
    ///
    /// # Errors
    /// If the file cannot be read or understood.
    pub fn from_path(path: &Path) -> Result<Self, TrainFailure> {
        let io = |source| FileProblem::Io {
            path: path.to_owned(),
            source,
        };
        let size = std::fs::metadata(path).map_err(io)?.len();
        if size > MOST_BYTES {
            let message = format!("{size} bytes are more than the {MOST_BYTES} that are read");
            return Err(io(std::io::Error::other(message)).into());
        }
        let text = std::fs::read_to_string(path).map_err(io)?;
        let origin = path.display().to_string();
        if path.extension().is_some_and(|e| e == "json") {
            Self::from_json(&text, &origin)
        } else {
            Self::from_toml(&text, &origin)
        }
    }

    /// Reads TOML; `origin` names it in messages.
    ///
    /// # Errors
    /// If it cannot be understood.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, TrainFailure> {
        let table: Map<String, Json> = toml::from_str(text).map_err(|e| FileProblem::Syntax {
            origin: origin.to_owned(),
            message: e.to_string(),
        })?;
        Self::from_table(table, origin)
    }

    /// Reads JSON; `origin` names it in messages.
    ///
    /// # Errors
    /// If it cannot be understood.
    pub fn from_json(text: &str, origin: &str) -> Result<Self, TrainFailure> {
        let table = serde_json::from_str(text).map_err(|e| FileProblem::Syntax {
            origin: origin.to_owned(),
            message: e.to_string(),
        })?;
        Self::from_table(table, origin)
    }

    fn from_table(mut table: Map<String, Json>, origin: &str) -> Result<Self, TrainFailure> {
        let training = table.shift_remove("training");
        let training = training.ok_or_else(|| FileProblem::Missing {
            origin: origin.to_owned(),
        })?;
        let settings = |e: serde_json::Error| FileProblem::Settings {
            origin: origin.to_owned(),
            message: e.to_string(),
        };
        let settings = serde_json::from_value(training).map_err(settings)?;
        // A pass is as long as a sample.
        table.entry("duration").or_insert_with(|| Json::from("1 s"));
        let network = Network::from_json(&Json::Object(table).to_string(), origin)?;
        Ok(Self { network, settings })
    }

    /// All that must be the same for training to continue, a line for each entry.
    pub(super) fn description(&self) -> String {
        let mut object = Map::new();
        let network = serde_json::to_value(&self.network).unwrap_or_default();
        object.insert("network".to_owned(), network);
        let mut settings = serde_json::to_value(&self.settings).unwrap_or_default();
        if let Some(entries) = settings.as_object_mut() {
            entries.shift_remove("epochs");
            // Memory decides how sums are cut: it stays part of the description.
        }
        object.insert("training".to_owned(), settings);
        serde_json::to_string_pretty(&object).unwrap_or_default()
    }
}
