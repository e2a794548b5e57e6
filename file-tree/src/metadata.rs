/// What `stat(2)` would tell of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// What kind of file it is.
    pub kind: FileKind,
    /// Permission bits with setuid, setgid and sticky: `0o7777` at most.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Length of a regular file's content or of a symbolic link's target, in bytes; 0 for other kinds.
    pub size: u64,
    /// Bytes of storage the file occupies, as the tree accounts for them; 0 where it does not know.
    pub allocated_bytes: u64,
    /// How many names the file has, also outside this tree.
    pub links: u64,
    /// Which file this is: two names with the same identity are hard links to one file.
    pub id: FileId,
    /// Device number; all zero but for [`FileKind::CharDevice`] and [`FileKind::BlockDevice`].
    pub rdev: Device,
    /// Last access.
    pub accessed: Timestamp,
    /// Last change of the content.
    pub modified: Timestamp,
    /// Last change of the metadata.
    pub changed: Timestamp,
    /// Creation, where the tree keeps it.
    pub created: Option<Timestamp>,
}

impl Metadata {
    /// Metadata of a file of this kind of which nothing else is known: mode 0755 for directories, 0777 for
    /// symbolic links, else 0644; owned by root, empty, one name, times of 1970.
    #[must_use]
    pub fn new(kind: FileKind) -> Self {
        let mode = match kind {
            FileKind::Directory => 0o755,
            FileKind::Symlink => 0o777,
            _ => 0o644,
        };
        let never = Timestamp::default();
        Self {
            kind,
            mode,
            uid: 0,
            gid: 0,
            size: 0,
            allocated_bytes: 0,
            links: 1,
            id: FileId { device: 0, inode: 0 },
            rdev: Device::default(),
            accessed: never,
            modified: never,
            changed: never,
            created: None,
        }
    }
}

/// All a file has besides its content: what a sink writes beside it.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// Kind, owner, size and times.
    pub metadata: &'a Metadata,
    /// The extended attributes, ACLs and capabilities among them.
    pub xattrs: &'a [Xattr],
}

/// The kinds of files a POSIX file system holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A Unix domain socket.
    Socket,
}

impl FileKind {
    /// A word for it, as manifests have it: `file`, `directory`, `symlink`, `fifo`, `char`, `block`, `socket`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Regular => "file",
            Self::Directory => "directory",
            Self::Symlink => "symlink",
            Self::Fifo => "fifo",
            Self::CharDevice => "char",
            Self::BlockDevice => "block",
            Self::Socket => "socket",
        }
    }
}

/// Identity of a file within its tree, for finding hard links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    /// The file system, where a tree spans several; otherwise 0.
    pub device: u64,
    /// The inode number.
    pub inode: u64,
}

/// A device number, as `mknod(2)` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Device {
    /// The driver.
    pub major: u32,
    /// The device of that driver.
    pub minor: u32,
}

/// A moment, to the nanosecond, relative to 1970-01-01 00:00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp {
    /// Whole seconds, rounded towards the past.
    pub seconds: i64,
    /// Nanoseconds after them: 0 to 999,999,999.
    pub nanoseconds: u32,
}

/// An extended attribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Xattr {
    /// The full name with its namespace, such as `user.comment` or `security.capability`.
    pub name: Vec<u8>,
    /// The value's bytes.
    pub value: Vec<u8>,
}
