//! What is wrong with a configuration, and where.

use std::{fmt, io, path::PathBuf};

use super::Origin;

/// Why a configuration cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not TOML.
    Toml {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A name that no setting has.
    Unknown {
        /// The name as it was given.
        name: String,
        /// Where.
        origin: Origin,
        /// The setting that was probably meant.
        meant: Option<&'static str>,
    },
    /// A value that the setting cannot have.
    Value {
        /// The setting.
        name: &'static str,
        /// Where it was given.
        origin: Origin,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => write!(f, "cannot read the configuration {}: {source}", path.display()),
            Self::Toml { path, line, reason } => write!(f, "{}:{line}: this is not TOML: {reason}", path.display()),
            Self::Unknown { name, origin, meant } => {
                write!(f, "{origin}: there is no setting `{name}`")?;
                match meant {
                    Some(meant) => write!(f, "; did you mean `{meant}`?"),
                    None => f.write_str("; `parea config` lists them all"),
                }
            }
            Self::Value { name, origin: origin @ Origin::File(..), reason } => {
                write!(f, "{origin}: `{name}`: {reason}")
            }
            // A flag and a variable are named after the setting.
            Self::Value { origin, reason, .. } => write!(f, "{origin}: {reason}"),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } => Some(source),
            _ => None,
        }
    }
}
