use std::borrow::Cow;
use std::fmt;
use std::io;

use crate::InodeNumber;

/// The result of an operation on a file system.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a file system failed, sorted by what a caller can do about it.
///
/// It converts into an [`io::Error`] that holds it and has a fitting [`io::ErrorKind`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The source could not be read. Other parts of it may be readable.
    #[error("cannot read the {structure} at byte offset {offset}")]
    Io {
        /// What was being read, in ext4's words.
        structure: &'static str,
        /// Where it lies, in bytes from the start of the source.
        offset: u64,
        /// What the source said.
        source: io::Error,
    },
    /// There is no superblock of ext2, ext3 or ext4: it may be another file system, or none.
    #[error("not an ext2, ext3 or ext4 file system")]
    NotExt4,
    /// The file system contradicts its format or itself. Other parts of it may be readable.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The file system uses something that this crate does not read.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// The file system asks for more than is allowed.
    #[error("{what} is {needed}, at most {allowed} is allowed")]
    Limit {
        /// What was asked for, with its unit.
        what: &'static str,
        /// How much of it.
        needed: u64,
        /// How much is allowed.
        allowed: u64,
    },
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
    /// A path leads through more than 40 symbolic links.
    #[error("too many symbolic links")]
    SymlinkLoop,
}

impl Error {
    pub(crate) fn corrupt(
        structure: &'static str,
        offset: u64,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Corrupt(Corrupt::new(structure, offset, detail))
    }

    /// Adds which inode is concerned.
    pub(crate) fn of_inode(mut self, number: InodeNumber) -> Self {
        if let Self::Corrupt(corrupt) = &mut self {
            corrupt.inode.get_or_insert(number);
        }
        self
    }
}

/// An error and its cause in one line.
pub(crate) fn chain(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io { source, .. } => source.kind(),
            Error::NotExt4 | Error::Corrupt(_) | Error::Limit { .. } => io::ErrorKind::InvalidData,
            Error::Unsupported(_) => io::ErrorKind::Unsupported,
            Error::NotFound => io::ErrorKind::NotFound,
            Error::NotADirectory => io::ErrorKind::NotADirectory,
            Error::NotAFile | Error::NotASymlink | Error::SymlinkLoop => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

/// What is wrong with a structure of a file system, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt {
    structure: &'static str,
    offset: u64,
    inode: Option<InodeNumber>,
    detail: Cow<'static, str>,
}

impl Corrupt {
    pub(crate) fn new(structure: &'static str, offset: u64, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { structure, offset, inode: None, detail: detail.into() }
    }

    /// Adds which inode is concerned.
    pub(crate) fn of_inode(mut self, number: InodeNumber) -> Self {
        self.inode.get_or_insert(number);
        self
    }

    /// The structure, in ext4's words.
    #[must_use]
    pub fn structure(&self) -> &'static str {
        self.structure
    }

    /// Where it lies, in bytes from the start of the source.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The inode whose file is concerned, if it is only one.
    #[must_use]
    pub fn inode(&self) -> Option<InodeNumber> {
        self.inode
    }

    /// What is wrong.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl std::error::Error for Corrupt {}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "corrupt {} at byte offset {}", self.structure, self.offset)?;
        if let Some(inode) = self.inode {
            write!(f, " (inode {inode})")?;
        }
        write!(f, ": {}", self.detail)
    }
}
