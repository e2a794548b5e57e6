use std::collections::BTreeMap;

use file_tree::{SubTree, Timestamp};
use serde::Serialize;

use crate::place::Place;
use crate::{Error, Inspect, Result};

/// A volume.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Volume {
    /// The name, printable: bytes that Docker does not allow in names are escaped.
    pub name: String,
    /// The driver: `local`, or the name of a plugin.
    pub driver: String,
    /// The labels; `None` if it has none or they are not known, see [`record`](Self::record).
    pub labels: Option<BTreeMap<String, String>>,
    /// The driver's options; `None` if it has none.
    pub options: Option<BTreeMap<String, String>>,
    /// Whether the volume's record, which holds the labels, was found.
    pub record: RecordState,
    /// When it was created: when its directory was, or, where the file system does not keep that, when the metadata of
    /// the directory was changed last.
    pub created: Option<Timestamp>,
    /// Where Docker had it mounted: a path in the machine that broke.
    pub mountpoint: String,
    /// Where the data is.
    pub data: VolumeData,
    /// The containers that have it, ordered by name.
    pub used_by: Vec<Usage>,
    pub(crate) place: Place,
}

/// Whether a volume's record was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RecordState {
    /// It was, in a sound database.
    Current,
    /// One was that may be outdated: the database is damaged.
    Uncertain,
    /// It was not: labels and driver are not known. Docker adopts such volumes as `local`, without labels.
    Missing,
}

/// Where the data of a volume is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "where", rename_all = "snake_case")]
#[non_exhaustive]
pub enum VolumeData {
    /// In the data root.
    Here,
    /// Not in the data root: Docker mounted something else in its place whenever the volume was used.
    Elsewhere(Elsewhere),
    /// The volume's directory is gone or cannot be read.
    Missing,
}

/// What a volume stands for whose data is not in the data root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Elsewhere {
    /// A directory of the machine, bound into containers.
    Bind {
        /// Its path there.
        path: String,
    },
    /// A directory of an NFS server.
    Nfs {
        /// The server's name or address, if it is said.
        server: Option<String>,
        /// The directory exported by it.
        export: String,
    },
    /// A share of an SMB server.
    Cifs {
        /// `//server/share`.
        share: String,
    },
    /// Memory: the data went with the machine's power.
    Tmpfs,
    /// Another device with a file system of its own.
    Device {
        /// What was mounted.
        device: String,
        /// The type of the file system.
        file_system: String,
    },
    /// Wherever a volume plugin keeps it.
    Plugin {
        /// The plugin's name.
        driver: String,
    },
    /// Where a symbolic link in place of the volume's `_data` leads.
    Symlink {
        /// The target, printable.
        target: String,
    },
}

/// A container's use of a volume.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// The container's name.
    pub container: String,
    /// The container's id.
    pub container_id: String,
    /// Where the container has the volume.
    pub destination: String,
    /// Whether it may write to it.
    pub is_writable: bool,
}

impl Volume {
    /// Whether Docker allows the name: an ASCII letter or digit, then those, `_`, `.` and `-`. Only such a name is one
    /// that a caller may use as a file name.
    #[must_use]
    pub fn has_valid_name(&self) -> bool {
        is_valid_name(self.name.as_bytes())
    }

    /// Whether Docker made up the name, as it does for `docker run -v /path` and `VOLUME` in a Dockerfile.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        let is_labelled = self.labels.iter().any(|labels| labels.contains_key("com.docker.volume.anonymous"));
        is_labelled
            || self.name.len() == 64 && self.name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// The files of the volume, as they lie in the data root: also what lies beneath a mount, where the data is
    /// [elsewhere](VolumeData::Elsewhere).
    ///
    /// # Errors
    ///
    /// [`Error::NoData`] if it has no directory, [`Error::Tree`] if that cannot be read.
    pub fn tree(&self) -> Result<SubTree> {
        let data = self.place.join(b"_data");
        if data.open_directory()?.is_none() {
            return Err(Error::NoData(self.name.clone()));
        }
        data.tree()
    }

    /// What `docker volume inspect` says of the volume.
    #[must_use]
    pub fn inspect(&self) -> Inspect<'_> {
        Inspect::new(self)
    }
}

pub(crate) fn is_valid_name(name: &[u8]) -> bool {
    name.first().is_some_and(u8::is_ascii_alphanumeric)
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(byte))
}
