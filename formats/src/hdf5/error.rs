//! What can be wrong with an HDF5 file.

use hdf5_pure::FormatError;

/// An error of reading an HDF5 file: which file, which object in it, what is wrong.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{file}{}{object}: {problem}", if .object.is_empty() { "" } else { ", " })]
pub struct Hdf5Error {
    /// The file.
    pub file: String,
    /// Path of the object in the file; empty for the file as a whole.
    pub object: String,
    /// What is wrong.
    pub problem: Problem,
}

impl Hdf5Error {
    pub(super) fn of_file(file: &str, problem: Problem) -> Self {
        Self {
            file: file.to_owned(),
            object: String::new(),
            problem,
        }
    }
}

/// What is wrong.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be read.
    #[error("{0}")]
    Io(String),
    /// The bytes do not follow the format, or use a part of it that is not read here.
    #[error("not readable as HDF5: {0}")]
    Format(String),
    /// There is no such object.
    #[error("missing (soft and external links are not followed)")]
    Missing,
    /// An object of another kind.
    #[error("is not a {0}")]
    NotA(&'static str),
    /// A dataset of another shape.
    #[error("has shape {found:?}, expected {expected}")]
    Shape {
        /// The shape of the dataset.
        found: Vec<u64>,
        /// What was expected.
        expected: String,
    },
    /// A dataset of another type.
    #[error("holds {found}, expected {expected}")]
    Type {
        /// What the dataset holds.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A value out of range.
    #[error("entry {index} is {value}, expected {expected}")]
    Value {
        /// Where.
        index: u64,
        /// The value.
        value: String,
        /// What was expected.
        expected: String,
    },
    /// More than a limit, or than a file of this length can hold.
    #[error("{what} is {value}, the limit is {limit}")]
    Limit {
        /// What.
        what: &'static str,
        /// How much.
        value: u64,
        /// The limit.
        limit: u64,
    },
    /// A feature that reaches outside the file or is not read here.
    #[error("not supported: {0}")]
    Refused(String),
    /// The reader failed in a way it should not.
    #[error("the reader stopped unexpectedly: the file is damaged")]
    Panicked,
}

/// Longest message taken over from the reader.
const MESSAGE_CHARS: usize = 300;

/// There is no such group, or the path leads through something else.
pub(super) fn absent(problem: &Problem) -> bool {
    matches!(problem, Problem::Missing | Problem::NotA("group"))
}

/// What the reader says, in our terms.
pub(super) fn problem(error: hdf5_pure::Error) -> Problem {
    use hdf5_pure::Error;
    match error {
        Error::Format(FormatError::PathNotFound(_)) => Problem::Missing,
        Error::NotADataset(_) => Problem::NotA("dataset"),
        Error::NotAGroup(_) => Problem::NotA("group"),
        Error::Io(e) => Problem::Io(e.to_string()),
        Error::Format(FormatError::UnsupportedExternalStorage) => {
            Problem::Refused("data in another file (external storage)".to_owned())
        }
        other => Problem::Format(other.to_string().chars().take(MESSAGE_CHARS).collect()),
    }
}
