use std::io;
use std::path::PathBuf;

use crate::disk;

/// The result of an operation on a source.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be recovered, by the stage at which that showed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk could not be opened or read.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// A file system could not be opened.
    #[error("cannot open the file system on {part}")]
    FileSystem {
        /// Where it lies: "partition 2" or "the disk".
        part: String,
        /// Why not.
        source: ext4_reader::Error,
    },
    /// There is no file system that is read.
    #[error("no file system was found that can be read: {found}")]
    NoFileSystem {
        /// What was found instead.
        found: String,
        /// The name of a file system that is there and not read.
        unread: Option<String>,
    },
    /// There is no partition of that number.
    #[error("there is no partition {number}; there are {present}")]
    NoPartition {
        /// The number asked for.
        number: u32,
        /// The numbers there are.
        present: String,
    },
    /// No data root was found.
    #[error("no Docker data root was found{searched}")]
    NoDataRoot {
        /// Where was looked; begins with a space or is empty.
        searched: String,
        /// Whether directories that could not be read, or the limits of the search, may hide one.
        uncertain: bool,
    },
    /// There is more than one file system or data root, and one must be chosen.
    #[error("{what}: {choices}")]
    Ambiguous {
        /// What there is several of.
        what: &'static str,
        /// Those there are.
        choices: String,
        /// The option that chooses.
        option: &'static str,
    },
    /// The data root could not be read.
    #[error(transparent)]
    DataRoot(#[from] data_root_reader::Error),
    /// There is no volume of that name.
    #[error("there is no volume {name:?}")]
    UnknownVolume {
        /// The name asked for.
        name: String,
        /// Names there are that are close to it.
        nearest: Vec<String>,
    },
    /// The volume's data is not on this disk.
    #[error("the data of volume {name} is not here: {place}")]
    DataElsewhere {
        /// The volume.
        name: String,
        /// Where it is.
        place: String,
    },
    /// A path inside the source could not be followed.
    #[error("{path}")]
    Path {
        /// The path, printable.
        path: String,
        /// Why not.
        source: file_tree::Error,
    },
    /// Files could not be read or written.
    #[error(transparent)]
    Tree(#[from] file_tree::Error),
    /// The destination exists already.
    #[error("{} exists", path.display())]
    Exists {
        /// The destination.
        path: PathBuf,
    },
    /// The destination is not a new or empty directory.
    #[error("{} is not empty", path.display())]
    NotEmpty {
        /// The destination.
        path: PathBuf,
    },
    /// What would be written to lies inside the source.
    #[error("{} lies inside the source, which must not be changed", path.display())]
    InsideSource {
        /// The destination.
        path: PathBuf,
    },
    /// The operating system refused to write.
    #[error("cannot {action} {}", path.display())]
    Write {
        /// What was tried.
        action: &'static str,
        /// The path it was tried on.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Error {
    /// What to try, in one line, where there is something.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Disk(error) => error.hint()?.to_owned(),
            Self::NoFileSystem { unread: Some(name), .. } => {
                format!("{name} is not read here: on Linux mount it read-only and give the directory as SOURCE")
            }
            Self::NoFileSystem { .. } => {
                "if this is Docker's disk, its first blocks are lost or it is encrypted; check that it is the right \
                 file with `docker-rescue info`"
                    .to_owned()
            }
            Self::NoDataRoot { uncertain: true, .. } => {
                "part of the file system could not be searched: if you know where it is, name it with --data-root PATH"
                    .to_owned()
            }
            Self::NoDataRoot { .. } => {
                "is this the right disk? `docker-rescue info` lists those found on this computer; \
                 `docker-rescue fs ls` shows what is on this one"
                    .to_owned()
            }
            Self::NoPartition { .. } => "`docker-rescue info SOURCE` lists the partitions".to_owned(),
            Self::Ambiguous { option, .. } => format!("choose one with {option}"),
            Self::UnknownVolume { nearest, .. } if !nearest.is_empty() => {
                format!("did you mean {}?", nearest.join(" or "))
            }
            Self::UnknownVolume { .. } => "`docker-rescue volume ls SOURCE` lists the volumes".to_owned(),
            Self::DataElsewhere { .. } => "what Docker left in the volume's own directory can be copied with \
                 `docker-rescue fs cp`"
                .to_owned(),
            Self::Exists { .. } => "name a new file, or allow to overwrite it with --force".to_owned(),
            Self::NotEmpty { .. } => "name a directory that is new or empty: nothing is ever overwritten".to_owned(),
            Self::InsideSource { .. } => "name a directory on another disk".to_owned(),
            Self::Write { source, .. } | Self::Tree(file_tree::Error::Io { source, .. }) => of_system(source)?,
            Self::FileSystem { source: ext4_reader::Error::Unsupported(_), .. } => {
                "on Linux mount it read-only and give the directory as SOURCE".to_owned()
            }
            _ => return None,
        })
    }
}

fn of_system(error: &io::Error) -> Option<String> {
    Some(match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "choose a place you may write to, or run as another user".to_owned()
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, or choose another disk; the source is unchanged".to_owned()
        }
        io::ErrorKind::ReadOnlyFilesystem => "choose a place on a disk that can be written to".to_owned(),
        _ => return None,
    })
}

/// An error and its causes in one line, for people.
#[must_use]
pub fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // Some errors tell their cause themselves.
        if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        next = cause.source();
    }
    line
}
