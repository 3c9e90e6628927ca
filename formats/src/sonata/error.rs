//! What can be wrong with a SONATA network.

use std::path::Path;

use crate::hdf5::Hdf5Error;

/// An error of reading or writing SONATA files: where, and what is wrong.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SonataError {
    /// In an HDF5 file.
    #[error("{0}")]
    Hdf5(#[from] Hdf5Error),
    /// Something is wrong, missing or inconsistent.
    #[error("{place}: {message}")]
    Wrong {
        /// File, and the entry in it.
        place: String,
        /// What is wrong and what was expected.
        message: String,
    },
    /// Correct SONATA, but not read here.
    #[error("{place}: not supported: {what}; supported: {supported}")]
    Unsupported {
        /// File, and the entry in it.
        place: String,
        /// What.
        what: String,
        /// What is supported in its place.
        supported: String,
    },
}

impl SonataError {
    pub(super) fn wrong(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Wrong {
            place: place.into(),
            message: message.into(),
        }
    }

    pub(super) fn unsupported(
        place: impl Into<String>,
        what: impl Into<String>,
        supported: impl Into<String>,
    ) -> Self {
        Self::Unsupported {
            place: place.into(),
            what: what.into(),
            supported: supported.into(),
        }
    }

    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        let message = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => error.to_string(),
        };
        Self::wrong(path.display().to_string(), message)
    }
}

/// Largest text file read \[bytes\].
const MAX_TEXT_BYTES: u64 = 256 << 20;

/// The text of a file.
pub(super) fn read_text(path: &Path) -> Result<String, SonataError> {
    use std::io::Read;
    let io = |e| SonataError::io(path, &e);
    let file = std::fs::File::open(path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(SonataError::wrong(
            path.display().to_string(),
            "is not a file",
        ));
    }
    let mut text = String::new();
    let n = file
        .take(MAX_TEXT_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(io)?;
    if n as u64 > MAX_TEXT_BYTES {
        let message = format!("is longer than {MAX_TEXT_BYTES} bytes");
        return Err(SonataError::wrong(path.display().to_string(), message));
    }
    Ok(text)
}

/// A piece of what was read, for a message.
pub(super) fn short(text: &str) -> String {
    text.chars().take(80).filter(|c| !c.is_control()).collect()
}
