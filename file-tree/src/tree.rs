use std::sync::Arc;

use crate::{Metadata, Result, Xattr};

/// A read-only tree of files: an ext4 directory, a directory of this computer, an archive.
///
/// Sinks ([`write_directory`](crate::write_directory), [`write_tar`](crate::write_tar)) take `&dyn FileTree`.
pub trait FileTree: Send + Sync {
    /// The directory at the top of the tree.
    fn root(&self) -> Result<BoxNode>;
}

/// A file of any kind, opened for reading. It keeps what it needs of its tree alive.
pub type BoxNode = Box<dyn Node>;

/// One file of a tree, of any kind, with its metadata already read.
///
/// Methods that do not fit the kind fail with [`Error::NotADirectory`](crate::Error::NotADirectory),
/// [`Error::NotAFile`](crate::Error::NotAFile) or [`Error::NotASymlink`](crate::Error::NotASymlink).
pub trait Node: Send + Sync {
    /// Kind, owner, size and times.
    fn metadata(&self) -> &Metadata;

    /// The extended attributes, in no particular order. POSIX ACLs are among them
    /// (`system.posix_acl_access`, `system.posix_acl_default`), in the form `getxattr(2)` gives.
    fn xattrs(&self) -> Result<Vec<Xattr>>;

    /// The entries of a directory, without `.` and `..`, in the order the tree stores them. An unreadable
    /// part is one `Err`, and the iteration goes on behind it.
    fn read_dir(&self) -> Result<Box<dyn Iterator<Item = Result<DirEntry>> + '_>>;

    /// The entry `name` of a directory, or [`Error::NotFound`](crate::Error::NotFound). Symbolic links are
    /// not followed.
    fn lookup(&self, name: &[u8]) -> Result<BoxNode>;

    /// Opens an entry that [`read_dir`](Self::read_dir) of this node returned. Trees that can do so faster
    /// than by name override this.
    fn open(&self, entry: &DirEntry) -> Result<BoxNode> {
        self.lookup(&entry.name)
    }

    /// The target of a symbolic link, byte for byte.
    fn read_link(&self) -> Result<Vec<u8>>;

    /// Reads a regular file's bytes at `offset`; holes read as zeros. Returns how many bytes were read:
    /// fewer than `buf.len()` only where the file ends.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize>;

    /// The ranges of a regular file that hold data, ascending and apart; what lies between them, and behind
    /// the last up to the size, are holes. A tree that knows of no holes returns one range.
    fn data_ranges(&self) -> Result<Box<dyn Iterator<Item = Result<DataRange>> + '_>>;
}

/// A shared node, such as one that is to be opened again as the root of a tree.
impl Node for Arc<dyn Node> {
    fn metadata(&self) -> &Metadata {
        (**self).metadata()
    }

    fn xattrs(&self) -> Result<Vec<Xattr>> {
        (**self).xattrs()
    }

    fn read_dir(&self) -> Result<Box<dyn Iterator<Item = Result<DirEntry>> + '_>> {
        (**self).read_dir()
    }

    fn lookup(&self, name: &[u8]) -> Result<BoxNode> {
        (**self).lookup(name)
    }

    fn open(&self, entry: &DirEntry) -> Result<BoxNode> {
        (**self).open(entry)
    }

    fn read_link(&self) -> Result<Vec<u8>> {
        (**self).read_link()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        (**self).read_at(buf, offset)
    }

    fn data_ranges(&self) -> Result<Box<dyn Iterator<Item = Result<DataRange>> + '_>> {
        (**self).data_ranges()
    }
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The name's bytes: not empty, not `.` or `..`, without `/` and NUL; not necessarily UTF-8.
    pub name: Vec<u8>,
    /// A number by which the tree that returned this entry opens it; without meaning elsewhere.
    pub token: u64,
}

/// A range of a file that holds data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataRange {
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// How long it is, in bytes; not 0.
    pub len: u64,
}
