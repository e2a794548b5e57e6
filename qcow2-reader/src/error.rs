use std::borrow::Cow;
use std::fmt;
use std::io;

use crate::units::GuestOffset;

/// The result of an operation on an image.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on an image failed, sorted by what a caller can do about it.
///
/// It converts into an [`io::Error`] that holds it and has a fitting [`io::ErrorKind`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A source could not be read. Other parts of it may be readable.
    #[error("cannot read the {structure} at byte offset {offset}")]
    Io {
        /// What was being read, in the words of the qcow2 specification.
        structure: &'static str,
        /// Where it lies, in bytes from the start of the image, or of the data file or the backing file if
        /// `structure` says so.
        offset: u64,
        /// What the source said.
        source: io::Error,
    },
    /// The source does not begin like a qcow2 image; it may be of another format.
    #[error("not a qcow2 image")]
    NotQcow2,
    /// The image contradicts the specification or itself. Other guest ranges may be readable.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The image uses something that this crate, or this build of it, does not read.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// The image asks for more than is allowed.
    #[error("{what} is {needed}, at most {allowed} is allowed")]
    Limit {
        /// What was asked for, with its unit.
        what: &'static str,
        /// How much of it.
        needed: u64,
        /// How much is allowed.
        allowed: u64,
    },
    /// The image names a backing file and [`OpenOptions::backing`](crate::OpenOptions::backing) supplied
    /// none.
    #[error("the image needs its backing file {name:?}")]
    BackingFile {
        /// The name as the image gives it; what of it is not UTF-8 is replaced.
        name: String,
        /// The backing file's format, if the image tells it: "raw", "qcow2", ...
        format: Option<String>,
    },
    /// The guest's data lies in an external data file and
    /// [`OpenOptions::data_file`](crate::OpenOptions::data_file) supplied none.
    #[error("the image needs its data file{}", name.as_ref().map_or_else(String::new, |name| format!(" {name:?}")))]
    DataFile {
        /// The name as the image gives it, if it does; what of it is not UTF-8 is replaced.
        name: Option<String>,
    },
    /// The range asked for does not lie within the guest's disk.
    #[error("{len} bytes at guest offset {offset} reach past the end of the disk at {virtual_size}")]
    PastEnd {
        /// Where the range begins.
        offset: u64,
        /// How long it is, in bytes.
        len: u64,
        /// How many bytes the guest's disk has.
        virtual_size: u64,
    },
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io { source, .. } => source.kind(),
            Error::NotQcow2 | Error::Corrupt(_) | Error::Limit { .. } => io::ErrorKind::InvalidData,
            Error::Unsupported(_) => io::ErrorKind::Unsupported,
            Error::BackingFile { .. } | Error::DataFile { .. } => io::ErrorKind::NotFound,
            Error::PastEnd { .. } => io::ErrorKind::UnexpectedEof,
        };
        Self::new(kind, error)
    }
}

/// What is wrong with a structure of an image, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt {
    structure: &'static str,
    offset: u64,
    guest_offset: Option<u64>,
    detail: Cow<'static, str>,
}

impl Corrupt {
    pub(crate) fn new(structure: &'static str, offset: u64, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { structure, offset, guest_offset: None, detail: detail.into() }
    }

    pub(crate) fn at_guest(mut self, guest: GuestOffset) -> Self {
        self.guest_offset = Some(guest.0);
        self
    }

    /// The structure, in the words of the qcow2 specification.
    #[must_use]
    pub fn structure(&self) -> &'static str {
        self.structure
    }

    /// Where the structure lies, in bytes from the start of the image; of the data file for a
    /// "data file cluster".
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The first guest offset that was asked for and cannot be read because of it; `None` if the whole image
    /// is concerned.
    #[must_use]
    pub fn guest_offset(&self) -> Option<u64> {
        self.guest_offset
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
        if let Some(guest) = self.guest_offset {
            write!(f, ", needed for guest offset {guest}")?;
        }
        write!(f, ": {}", self.detail)
    }
}
