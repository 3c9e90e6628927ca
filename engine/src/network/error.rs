//! What is wrong with a description, and where.

use std::fmt;

/// One thing wrong with a network description.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}{message}", .path.as_prefix())]
pub struct NetworkError {
    /// Where in the description.
    pub path: Path,
    /// Of what sort it is.
    pub kind: ErrorKind,
    /// What is wrong, what was expected, and what to do about it.
    pub message: String,
}

/// Sorts of errors in a description.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file cannot be read.
    File,
    /// The text is no TOML or JSON.
    Syntax,
    /// An entry is unknown, missing, of the wrong type, or contradicts another.
    Entry,
    /// A name refers to nothing.
    Name,
    /// A value cannot be used: unit, range, not finite.
    Value,
    /// An inline component cannot be read or lowered.
    Model,
    /// Two things do not fit each other: ports, shapes, rules.
    Wiring,
    /// A cycle holds no delay.
    Cycle,
}

/// Where something stands in a description: `populations.E.parameters.tau_m`, `projections[0]`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Path(String);

impl Path {
    /// The description itself.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The entry `name` of the table here.
    #[must_use]
    pub fn key(&self, name: &str) -> Self {
        let plain = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        let name = if plain {
            name.to_owned()
        } else {
            format!("{name:?}")
        };
        if self.0.is_empty() {
            Self(name)
        } else {
            Self(format!("{}.{name}", self.0))
        }
    }

    /// Element `index` of the list here.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn as_prefix(&self) -> String {
        if self.0.is_empty() {
            String::new()
        } else {
            format!("{}: ", self.0)
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Errors kept at most; further ones are counted.
const MAX_KEPT: usize = 20;

/// Errors after which the rest of a description is not read for more: explaining each of a million
/// would take minutes.
const FLOOD: usize = 1000;

/// Everything found wrong in one reading of a description, in its order; never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkErrors {
    kept: Vec<NetworkError>,
    more: usize,
}

impl NetworkErrors {
    /// The first errors, in the order they were found.
    #[must_use]
    pub fn as_slice(&self) -> &[NetworkError] {
        &self.kept
    }

    /// How many were found in all.
    #[must_use]
    pub fn count(&self) -> usize {
        self.kept.len() + self.more
    }
}

impl From<NetworkError> for NetworkErrors {
    fn from(error: NetworkError) -> Self {
        Self {
            kept: vec![error],
            more: 0,
        }
    }
}

impl fmt::Display for NetworkErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.kept.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        if self.more > 0 {
            write!(f, "\n… and {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for NetworkErrors {}

/// Errors on their way to the reader.
#[derive(Debug, Default)]
pub(super) struct Errors {
    kept: Vec<NetworkError>,
    more: usize,
}

impl Errors {
    /// Keeps the error, unless it was reported before or there are too many.
    pub(super) fn push(&mut self, kind: ErrorKind, path: &Path, message: impl Into<String>) {
        let error = NetworkError {
            path: path.clone(),
            kind,
            message: message.into(),
        };
        if self.kept.contains(&error) {
            return;
        }
        if self.kept.len() < MAX_KEPT {
            self.kept.push(error);
        } else {
            self.more += 1;
        }
    }

    /// Whether so many were found that no further ones need an explanation of their own.
    pub(super) fn is_flooded(&self) -> bool {
        self.count() >= FLOOD
    }

    /// How many so far.
    pub(super) fn count(&self) -> usize {
        self.kept.len() + self.more
    }

    /// `value`, if nothing was wrong.
    pub(super) fn finish<T>(self, value: T) -> Result<T, NetworkErrors> {
        if self.kept.is_empty() {
            Ok(value)
        } else {
            Err(NetworkErrors {
                kept: self.kept,
                more: self.more,
            })
        }
    }
}

/// A single error about the whole description.
pub(super) fn fail<T>(kind: ErrorKind, message: impl Into<String>) -> Result<T, NetworkErrors> {
    fail_at(kind, &Path::root(), message)
}

/// A single error about one entry.
pub(super) fn fail_at<T>(
    kind: ErrorKind,
    path: &Path,
    message: impl Into<String>,
) -> Result<T, NetworkErrors> {
    Err(NetworkError {
        path: path.clone(),
        kind,
        message: message.into(),
    }
    .into())
}
