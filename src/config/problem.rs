//! The problems of a configuration, each with its place, its key and what to do.
//! It must not know how layers are read, and it never holds a secret.

use std::fmt;
use std::path::PathBuf;

use super::Origin;

/// All problems of a configuration together, so that an operator can correct them in one pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblems(pub Vec<ConfigProblem>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "the configuration has a problem: {one}"),
            all => {
                write!(f, "the configuration has {} problems:", all.len())?;
                all.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for ConfigProblems {}

/// The place of a problem: the layer, and the line if the layer is a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The layer.
    pub origin: Origin,
    /// Line of the key in the file, from 1.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}, line {line}", self.origin),
            None => write!(f, "{}", self.origin),
        }
    }
}

/// One problem of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// A named file cannot be read.
    #[error("file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's message.
        reason: String,
    },
    /// The text of a layer is not TOML.
    #[error("{place}: this is not TOML: {message}")]
    Syntax {
        /// The file and the line.
        place: Place,
        /// The parser's message, without the text of the line, which may hold a password.
        message: String,
    },
    /// A key that enrold does not have.
    #[error("{place}: unknown key `{key}`; the nearest known key is `{nearest}`")]
    UnknownKey {
        /// The layer and the line.
        place: Place,
        /// The key as it was written.
        key: String,
        /// The known key with the smallest distance.
        nearest: String,
    },
    /// A section was given a value.
    #[error("{place}: `{key}` is a section and takes no value; it holds keys such as `{example}`")]
    Section {
        /// The layer and the line.
        place: Place,
        /// The section.
        key: String,
        /// A key inside it.
        example: String,
    },
    /// A value that its key does not accept.
    #[error("{place}: `{key}`: {reason}")]
    Value {
        /// The layer and the line.
        place: Place,
        /// The key.
        key: String,
        /// What was found and what is expected.
        reason: String,
    },
    /// One layer sets both keys that name a database.
    #[error("{place}: `{section}.url` and `{section}.url_file` are both set; keep one of them")]
    UrlTwice {
        /// The layer.
        place: Place,
        /// The section of the two keys.
        section: String,
    },
    /// The merged values do not fit the settings: a defect of enrold, not of a file.
    #[error("the checked values do not fit the settings ({0}); this is a defect of enrold, please report it")]
    Defect(String),
}
