//! Paths, with symbolic links, as a process would see them whose root is the file system's.

use crate::{Error, Ext4, FileKind, Inode, ReadAt, Result};

/// What becomes of a symbolic link that a path ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastLink {
    Follow,
    Keep,
}

/// As many as the kernel follows.
const MAX_LINKS: usize = 40;
/// The kernel's `PATH_MAX`, for a path together with the targets of the links on it.
const MAX_PENDING: usize = 4096 * 2;

pub(crate) fn resolve<S: ReadAt>(filesystem: &Ext4<S>, path: &[u8], last: LastLink) -> Result<Inode> {
    // The directories from the root to where we are, so that `..` leads back the way we came.
    let mut trail = vec![filesystem.root()?];
    // What is left of the path, in reverse.
    let mut pending: Vec<Vec<u8>> = components(path);
    let mut links = 0_usize;

    while let Some(name) = pending.pop() {
        let Some(current) = trail.last() else { return Err(Error::NotFound) };
        if current.kind() != FileKind::Directory {
            return Err(Error::NotADirectory);
        }
        if name == b"." {
            continue;
        }
        if name == b".." {
            if trail.len() > 1 {
                trail.pop();
            }
            continue;
        }
        let found = filesystem.lookup_in(current, &name)?;
        let is_last = pending.is_empty();
        if found.kind() == FileKind::Symlink && !(is_last && last == LastLink::Keep) {
            links = links.saturating_add(1);
            let target = filesystem.read_link(&found)?;
            if links > MAX_LINKS || pending.len().saturating_add(target.len()) > MAX_PENDING {
                return Err(Error::SymlinkLoop);
            }
            if target.is_empty() {
                return Err(Error::NotFound);
            }
            if target.starts_with(b"/") {
                trail.truncate(1);
            }
            pending.extend(components(&target));
        } else {
            trail.push(found);
        }
    }

    trail.pop().ok_or(Error::NotFound)
}

/// The components of a path, in reverse. A `/` at the end asks for a directory, as `/.` does.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    let end: &[u8] = if path.ends_with(b"/") { b"." } else { b"" };
    let names = path.split(|&byte| byte == b'/').chain([end]).filter(|name| !name.is_empty());
    let mut names: Vec<_> = names.map(<[u8]>::to_vec).collect();
    names.reverse();
    names
}
