//! States of sessions in files.

use std::path::{Path, PathBuf};

use rheobase_engine::Instantiate;
use rheobase_engine::session::{Session, State, StateError};
use rheobase_report::{FileError, atomic_write};
use serde::{Deserialize, Serialize};

/// Version of the layout.
const VERSION: u64 = 1;
/// Largest file that is read.
const MOST_BYTES: u64 = 4 << 30;

/// Why a state cannot be written, read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateFileError {
    /// It cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It cannot be read.
    #[error("{}: {message}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A state that is no number cannot be kept.
    #[error(
        "the state is not kept: `{node}.{variable}` is not finite; weights or inputs are too large"
    )]
    NotFinite {
        /// The population.
        node: String,
        /// The state variable.
        variable: String,
    },
    /// It is of another network.
    #[error("{}: {source}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What differs.
        source: StateError,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateFile {
    version: u64,
    state: State,
}

/// Writes the state of a session as JSON, atomically.
///
/// # Errors
/// If a state is not finite, or the file cannot be written.
pub fn write_state<R: Instantiate>(
    path: &Path,
    session: &mut Session<R>,
) -> Result<(), StateFileError> {
    let state = session.state();
    let mut variables = state.variables.iter();
    if let Some((node, name, _)) = variables.find(|(.., v)| v.iter().any(|x| !x.is_finite())) {
        return Err(StateFileError::NotFinite {
            node: node.clone(),
            variable: name.clone(),
        });
    }
    let file = StateFile {
        version: VERSION,
        state,
    };
    let text = serde_json::to_vec(&file).map_err(|e| StateFileError::Read {
        path: path.to_owned(),
        message: e.to_string(),
    })?;
    Ok(atomic_write(path, &text)?)
}

/// Lets a session go on from a state that [`write_state`] wrote.
///
/// # Errors
/// If the file cannot be read, or is of another network; the session is as before.
pub fn read_state<R: Instantiate>(
    path: &Path,
    session: &mut Session<R>,
) -> Result<(), StateFileError> {
    let fail = |message: String| StateFileError::Read {
        path: path.to_owned(),
        message,
    };
    let size = std::fs::metadata(path)
        .map_err(|e| fail(e.to_string()))?
        .len();
    if size > MOST_BYTES {
        return Err(fail(format!(
            "{size} bytes are more than the {MOST_BYTES} that are read"
        )));
    }
    let bytes = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
    let file: StateFile =
        serde_json::from_slice(&bytes).map_err(|e| fail(format!("no state of a session ({e})")))?;
    if file.version != VERSION {
        return Err(fail(format!(
            "it has version {} of the layout, this program reads {VERSION}",
            file.version
        )));
    }
    session
        .restore(&file.state)
        .map_err(|source| StateFileError::Mismatch {
            path: path.to_owned(),
            source,
        })
}
