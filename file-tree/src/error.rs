use std::io;

use crate::printable;

/// The result of an operation on a tree of files.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a tree of files failed, sorted by what a caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused: no permission, no space, no such directory.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried: "create", "write", "read", ...
        action: &'static str,
        /// The path it was tried on, printable.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// What the tree is read from is damaged or unreadable.
    #[error("cannot read the {structure}{}", offset.map_or_else(String::new, |at| format!(" at byte offset {at}")))]
    Source {
        /// The structure that could not be read, in the words of its format.
        structure: String,
        /// Where it lies, in bytes from the start of what the tree is read from, if known.
        offset: Option<u64>,
        /// The reader's own error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The tree uses something this crate, or the reader below it, does not read.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// The input asks for more than is allowed.
    #[error("{what} needs {needed}, {allowed} are allowed")]
    Limit {
        /// What was asked for, with its unit.
        what: &'static str,
        /// How much of it.
        needed: u64,
        /// How much is allowed.
        allowed: u64,
    },
    /// The caller cancelled the operation.
    #[error("cancelled")]
    Cancelled,
    /// There is no entry of that name.
    #[error("no such file or directory")]
    NotFound,
    /// A directory is needed here.
    #[error("not a directory")]
    NotADirectory,
    /// A regular file is needed here.
    #[error("not a regular file")]
    NotAFile,
    /// A symbolic link is needed here.
    #[error("not a symbolic link")]
    NotASymlink,
    /// The destination exists and is not an empty directory.
    #[error("{0} exists and is not empty")]
    NotEmpty(String),
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &[u8], source: io::Error) -> Self {
        Self::Io { action, path: printable(path), source }
    }

    /// What the tree is read from contradicts itself.
    pub(crate) fn corrupt(structure: &str, offset: Option<u64>, detail: &str) -> Self {
        Self::Source { structure: structure.to_owned(), offset, source: detail.into() }
    }

    /// The error and its causes in one line.
    pub(crate) fn reason(&self) -> String {
        let mut reason = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            reason.push_str(": ");
            reason.push_str(&error.to_string());
            cause = error.source();
        }
        reason
    }

    /// Whether going on with other entries would be in vain.
    pub(crate) fn ends_work(&self) -> bool {
        match self {
            Self::Cancelled => true,
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem
            ),
            _ => false,
        }
    }
}
