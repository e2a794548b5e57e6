//! Directories: blocks of entries, read in order whatever index lies over them, and the index for looking up a name.

mod dots;
mod entry;
mod hash;
mod htree;
mod linear;
mod salvage;

use crate::{Error, Ext4, FileKind, Inode, InodeNumber, ReadAt, Result};

pub(crate) use dots::{Dots, dots};
pub use linear::ReadDir;

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The name's bytes: not empty, not `.` or `..`, without `/` and NUL; not necessarily UTF-8.
    pub name: Vec<u8>,
    /// The file it names.
    pub inode: InodeNumber,
    /// What kind of file that is, if the directory tells. The inode has the last word.
    pub kind: Option<FileKind>,
}

/// See [`Ext4::read_dir`].
pub(crate) fn read<'a, S: ReadAt>(filesystem: &'a Ext4<S>, directory: &'a Inode) -> Result<ReadDir<'a, S>> {
    refuse_unreadable(directory)?;
    ReadDir::new(filesystem, directory)
}

/// The inode that a name in a directory leads to, by the directory's index if it has one that can be used.
pub(crate) fn lookup<S: ReadAt>(filesystem: &Ext4<S>, directory: &Inode, name: &[u8]) -> Result<InodeNumber> {
    refuse_unreadable(directory)?;
    if let Some(amended) = filesystem.amendments.directory(directory.number()) {
        match amended.names.get(name) {
            Some(found) => return found.ok_or(Error::NotFound),
            None if amended.is_new => return Err(Error::NotFound),
            None => {}
        }
    }
    if directory.is_indexed() && !directory.is_casefolded() {
        // An index that cannot be followed costs time, not files.
        match htree::lookup(filesystem, directory, name) {
            Ok(Some(number)) => return Ok(number),
            Ok(None) => return Err(Error::NotFound),
            Err(_) => {}
        }
    }
    let mut damage = None;
    for entry in read(filesystem, directory)? {
        match entry {
            Ok(entry) if entry.name == name => return Ok(entry.inode),
            Ok(_) => {}
            Err(error) => damage = Some(error),
        }
    }
    // In a damaged directory nobody can say that the name is not there.
    Err(damage.unwrap_or(Error::NotFound))
}

/// How many names lie where the directory's index leads. `None` if it has none, or none by which names are looked up.
pub(crate) fn count_indexed<S: ReadAt>(filesystem: &Ext4<S>, directory: &Inode) -> Option<Result<u64>> {
    let is_used = directory.is_indexed()
        && !directory.is_casefolded()
        && !directory.is_encrypted()
        && filesystem.amendments.directory(directory.number()).is_none();
    is_used.then(|| htree::count_indexed(filesystem, directory))
}

fn refuse_unreadable(directory: &Inode) -> Result<()> {
    if directory.kind() != FileKind::Directory {
        return Err(Error::NotADirectory);
    }
    if directory.is_encrypted() {
        return Err(Error::Unsupported("an encrypted directory".to_owned()));
    }
    Ok(())
}
