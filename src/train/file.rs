//! A network file with a table `[training]`.

use std::path::Path;

use rheobase_engine::network::Network;
use serde_json::Map;

use super::{Settings, TrainFailure};

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
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
        Self::of(Network::from_path(path)?, &path.display().to_string())
    }

    /// Reads TOML; `origin` names it in messages.
    ///
    /// # Errors
    /// If it cannot be understood.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, TrainFailure> {
        Self::of(Network::from_toml(text, origin)?, origin)
    }

    /// Reads JSON; `origin` names it in messages.
    ///
    /// # Errors
    /// If it cannot be understood.
    pub fn from_json(text: &str, origin: &str) -> Result<Self, TrainFailure> {
        Self::of(Network::from_json(text, origin)?, origin)
    }

    fn of(mut network: Network, origin: &str) -> Result<Self, TrainFailure> {
        let origin = origin.to_owned();
        let Some(training) = network.training.take() else {
            return Err(FileProblem::Missing { origin }.into());
        };
        let settings = serde_json::from_value(training).map_err(|e| FileProblem::Settings {
            origin,
            message: e.to_string(),
        })?;
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
