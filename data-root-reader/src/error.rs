/// The result of reading a data root.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something in a data root could not be read, sorted by what a caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tree that holds the data root failed at this path.
    #[error("cannot read {path}")]
    Tree {
        /// The path in the tree, printable.
        path: String,
        /// The tree's own error.
        source: file_tree::Error,
    },
    /// A file of the data root is damaged.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// A file of the data root uses something this crate does not read.
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
    /// The directory at this path does not look like a data root.
    #[error("{0} is not a data root of Docker")]
    NotADataRoot(String),
    /// The volume of this name has no data directory here.
    #[error("volume {0} has no data here")]
    NoData(String),
}

/// Damage in a file of the data root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("damaged {structure} at byte offset {offset}: {detail}")]
pub struct Corrupt {
    pub(crate) structure: &'static str,
    pub(crate) offset: u64,
    pub(crate) detail: String,
}

impl Corrupt {
    /// The damaged structure, in the words of its format.
    #[must_use]
    pub fn structure(&self) -> &str {
        self.structure
    }

    /// Where it lies, in bytes from the start of the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What is wrong with it.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}
