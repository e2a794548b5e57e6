use serde::Serialize;

/// What bulk work wrote, what it could not write, and what it wrote but could not keep.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// What was written.
    pub written: Counts,
    /// Entries of which nothing was written, each with the reason. At most
    /// [`MAX_LISTED`](Self::MAX_LISTED) are listed; [`failed_count`](Self::failed_count) counts all.
    pub failed: Vec<Failure>,
    /// How many entries were not written.
    pub failed_count: u64,
    /// Ranges of written files that could not be read; the copy has a hole there. At most
    /// [`MAX_LISTED`](Self::MAX_LISTED) are listed.
    pub damaged: Vec<Damage>,
    /// How many bytes of content could not be read.
    pub damaged_bytes: u64,
    /// What the destination could not hold; the sidecar manifest keeps it.
    pub not_kept: NotKept,
    /// The caller cancelled: what is counted was written, the rest was not.
    pub cancelled: bool,
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

/// An entry that could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The path below the root of the tree; bytes that are not UTF-8 as `\xNN`, a backslash as `\\`.
    pub path: String,
    /// Why, in one line.
    pub reason: String,
    /// Where the damage lies in bytes from the start of the source, if known.
    pub offset: Option<u64>,
}

/// A range of a file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The path below the root of the tree, escaped as in [`Failure::path`].
    pub path: String,
    /// Where the range begins in the file, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
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
