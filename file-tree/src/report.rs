use std::ops::AddAssign;

use serde::Serialize;

use crate::{Error, FileKind, printable};

/// What bulk work wrote, what it could not write, and what it wrote but could not keep.
#[derive(Debug, Clone, Default, Serialize)]
#[must_use = "bulk work does not stop at damage: only its report tells whether all was written"]
pub struct Report {
    /// What was written.
    pub written: Counts,
    /// Entries of which nothing was written, and directories part of whose entries could not be read, each
    /// with the reason. At most [`MAX_LISTED`](Self::MAX_LISTED) are listed;
    /// [`failed_count`](Self::failed_count) counts all.
    pub failed: Vec<Failure>,
    /// How many such entries there are.
    pub failed_count: u64,
    /// What could not be read of written files: ranges of content, where the copy has zeros, and extended
    /// attributes. At most [`MAX_LISTED`](Self::MAX_LISTED) are listed.
    pub damaged: Vec<Damage>,
    /// How many such ranges there are.
    pub damaged_count: u64,
    /// How many bytes of content could not be read.
    pub damaged_bytes: u64,
    /// What the destination could not hold; the sidecar manifest keeps it.
    pub not_kept: NotKept,
    /// The caller cancelled: what is counted was written, the rest was not.
    pub cancelled: bool,
    /// Why the work ended early for another reason, such as a full disk: what is counted was written, the
    /// rest was not.
    pub stopped: Option<String>,
}

impl Report {
    /// How many entries each list of a report holds at most.
    pub const MAX_LISTED: usize = 10_000;

    /// Whether the work came to its end: it was neither cancelled nor stopped, though it may have met damage.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !self.cancelled && self.stopped.is_none()
    }

    /// Whether everything that was to be written was written, as it stands in the source. What the
    /// destination could not hold ([`not_kept`](Self::not_kept)) is in the sidecar and does not count here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_finished() && self.failed_count == 0 && self.damaged_count == 0
    }

    pub(crate) fn fail(&mut self, path: &[u8], error: &Error) {
        self.failed_count = self.failed_count.saturating_add(1);
        if self.failed.len() < Self::MAX_LISTED {
            let offset = match error {
                Error::Source { offset, .. } => *offset,
                _ => None,
            };
            self.failed.push(Failure { path: printable(path), reason: error.reason(), offset });
        }
    }

    /// Records that a range of a file could not be read; a range that adjoins the last one extends it.
    pub(crate) fn damage(&mut self, path: &[u8], offset: u64, len: u64, error: &Error) {
        self.damaged_bytes = self.damaged_bytes.saturating_add(len);
        let path = printable(path);
        if let Some(last) = self.damaged.last_mut()
            && last.path == path
            && len != 0
            && last.offset.checked_add(last.len) == Some(offset)
        {
            last.len = last.len.saturating_add(len);
            return;
        }
        self.damaged_count = self.damaged_count.saturating_add(1);
        if self.damaged.len() < Self::MAX_LISTED {
            self.damaged.push(Damage { path, offset, len, reason: error.reason() });
        }
    }

    /// Adds what was recorded of another file.
    pub(crate) fn add_damage(&mut self, other: Self) {
        self.damaged_count = self.damaged_count.saturating_add(other.damaged_count);
        self.damaged_bytes = self.damaged_bytes.saturating_add(other.damaged_bytes);
        let room = Self::MAX_LISTED.saturating_sub(self.damaged.len());
        self.damaged.extend(other.damaged.into_iter().take(room));
    }

    /// Records why the work ended early.
    pub(crate) fn stop(&mut self, error: &Error) {
        match error {
            Error::Cancelled => self.cancelled = true,
            _ => self.stopped = Some(error.reason()),
        }
    }
}

/// Counts of written entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Regular files, hard links to one file counted once.
    pub files: u64,
    /// Directories, the root included.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Further names of files already counted.
    pub hard_links: u64,
    /// Fifos, sockets and devices.
    pub special: u64,
    /// Sizes of the regular files added up, in bytes, holes included.
    pub bytes: u64,
    /// Bytes of them that are data, not holes.
    pub data_bytes: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, kind: FileKind) {
        let count = match kind {
            FileKind::Regular => &mut self.files,
            FileKind::Directory => &mut self.directories,
            FileKind::Symlink => &mut self.symlinks,
            FileKind::Fifo | FileKind::CharDevice | FileKind::BlockDevice | FileKind::Socket => {
                &mut self.special
            }
        };
        *count = count.saturating_add(1);
    }

    pub(crate) fn add_hard_link(&mut self) {
        self.hard_links = self.hard_links.saturating_add(1);
    }

    pub(crate) fn add_content(&mut self, size: u64, data_bytes: u64) {
        self.bytes = self.bytes.saturating_add(size);
        self.data_bytes = self.data_bytes.saturating_add(data_bytes);
    }
}

/// An entry that could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The path below the root of the tree, as [`printable`] shows it.
    pub path: String,
    /// Why, in one line.
    pub reason: String,
    /// Where the damage lies in bytes from the start of the source, if known.
    pub offset: Option<u64>,
}

/// A range of a file, or its extended attributes, that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The path below the root of the tree, as [`printable`] shows it.
    pub path: String,
    /// Where the range begins in the file, in bytes.
    pub offset: u64,
    /// How long it is, in bytes; 0 for extended attributes.
    pub len: u64,
    /// Why, in one line.
    pub reason: String,
}

/// How many entries lost what; nothing of it is lost for good, see the sidecar manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct NotKept {
    /// Owner or group.
    pub owners: u64,
    /// Permission bits.
    pub modes: u64,
    /// Times.
    pub times: u64,
    /// Extended attributes and ACLs.
    pub xattrs: u64,
    /// Entries of a kind the destination cannot create: devices, sockets, fifos, symbolic links.
    pub kinds: u64,
    /// Names the destination cannot hold; the entry was written under another.
    pub names: u64,
    /// Hard links written as copies.
    pub hard_links: u64,
}

impl AddAssign for NotKept {
    fn add_assign(&mut self, other: Self) {
        self.owners = self.owners.saturating_add(other.owners);
        self.modes = self.modes.saturating_add(other.modes);
        self.times = self.times.saturating_add(other.times);
        self.xattrs = self.xattrs.saturating_add(other.xattrs);
        self.kinds = self.kinds.saturating_add(other.kinds);
        self.names = self.names.saturating_add(other.names);
        self.hard_links = self.hard_links.saturating_add(other.hard_links);
    }
}
