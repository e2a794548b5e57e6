use std::io;
use std::path::PathBuf;

/// The result of an operation on a disk.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a disk could not be opened or read, sorted by what a caller can do about it.
///
/// Offsets are bytes from the start of the file that is read; [`Error::Named`] says which file, where it is not
/// the one the caller gave.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system would not open the file.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system could not read a part of the file.
    #[error("cannot read the {structure} at byte offset {offset}")]
    Io {
        /// What was to be read, in the words of the format.
        structure: &'static str,
        /// Where it lies.
        offset: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// A structure of the image breaks the rules of its format.
    #[error("the {structure} at byte offset {offset} is damaged: {detail}")]
    Corrupt {
        /// The structure, in the words of the format.
        structure: &'static str,
        /// Where it lies.
        offset: u64,
        /// Which rule it breaks.
        detail: String,
    },
    /// The image is sound, but uses something that is not read here.
    #[error("{feature} is not supported")]
    Unsupported {
        /// What it uses.
        feature: String,
        /// What can be done about it, in one line.
        advice: &'static str,
    },
    /// The image asks for more than is allowed.
    #[error("{needed} {what}, at most {allowed} are allowed")]
    Limit {
        /// What was asked for, in the plural.
        what: &'static str,
        /// How much of it.
        needed: u64,
        /// How much is allowed.
        allowed: u64,
    },
    /// The path leads to something that holds no disk: a directory, a pipe, a socket, a terminal.
    #[error("{} is {kind}, not a disk", path.display())]
    NotADisk {
        /// The path.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// The file has no content.
    #[error("{} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// An image names a further file that is not read, as the name leads away from the image.
    #[error("{name:?}, named inside {}, is not read: it {reason}", image.display())]
    Refused {
        /// The image that names it.
        image: PathBuf,
        /// The name, as the image has it.
        name: String,
        /// What is wrong with it; continues "it ...".
        reason: &'static str,
    },
    /// A further file that an image consists of could not be opened.
    #[error("cannot use {}, named inside {}", path.display(), image.display())]
    Named {
        /// The further file.
        path: PathBuf,
        /// The image that names it.
        image: PathBuf,
        /// Why not.
        source: Box<Error>,
    },
    /// A backing file was given for an image that has none.
    #[error("{} has no backing file", image.display())]
    NoBacking {
        /// The image.
        image: PathBuf,
    },
    /// The qcow2 image cannot be opened.
    #[error(transparent)]
    Qcow2(#[from] qcow2_reader::Error),
}

impl Error {
    /// What can be done about it, in one line, where there is something.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Open { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    Some("run the command as a user who may read it, or copy the file first")
                }
                _ => None,
            },
            Self::Io { source, .. } if source.kind() != io::ErrorKind::UnexpectedEof => {
                Some("the drive may be failing: copy what it still gives with ddrescue, and use the copy")
            }
            Self::Io { .. } | Self::Corrupt { .. } => {
                Some("if this is a copy, compare its length with the original's: the copy may be incomplete")
            }
            Self::Unsupported { advice, .. } => Some(advice),
            Self::NotADisk { kind: "a character device", .. } => {
                Some("on macOS use /dev/diskN in place of /dev/rdiskN")
            }
            Self::NotADisk { .. } => Some("give a disk image or a block device"),
            Self::Empty { .. } => Some("the disk may lie in another file; look for the largest one near it"),
            Self::Refused { .. } => {
                Some("move the file beside the image, or, for a backing file, name it with --backing FILE")
            }
            Self::Named { source, .. } => source.hint().or(Some(
                "put that file beside the image, or, for a backing file, name it with --backing FILE",
            )),
            Self::NoBacking { .. } => Some("leave out --backing"),
            Self::Limit { .. } | Self::Qcow2(_) => None,
        }
    }

    pub(super) fn corrupt(structure: &'static str, offset: u64, detail: impl Into<String>) -> Self {
        Self::Corrupt { structure, offset, detail: detail.into() }
    }
}

/// Reads of the guest disk go through `ReadAt`, whose errors are the standard library's.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Open { source, .. } | Error::Io { source, .. } => source.kind(),
            Error::Unsupported { .. } => io::ErrorKind::Unsupported,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
