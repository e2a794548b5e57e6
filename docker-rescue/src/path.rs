use file_tree::{BoxNode, Error, FileKind, FileTree, Result};

/// What becomes of a symbolic link that a path ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastLink {
    /// It is followed.
    Follow,
    /// It is what the path leads to.
    Keep,
}

/// As many as Linux follows.
const MAX_LINKS: usize = 40;
const MAX_PENDING: usize = 4096;

/// The file at a path of a tree, its components separated by `/`. Symbolic links on the way are followed, absolute ones
/// from the root of the tree, and none leads out of it.
///
/// Fails with [`Error::NotFound`] if there is none.
pub fn lookup(tree: &dyn FileTree, path: impl AsRef<[u8]>, last: LastLink) -> Result<BoxNode> {
    // The directories on the way from the root, so that `..` leads back.
    let mut trail = vec![tree.root()?];
    let mut pending = components(path.as_ref());
    let mut links = 0;
    while let Some(name) = pending.pop() {
        if name == b".." {
            if trail.len() > 1 {
                trail.pop();
            }
            continue;
        }
        let found = trail.last().ok_or(Error::NotFound)?.lookup(&name)?;
        if found.metadata().kind != FileKind::Symlink || (pending.is_empty() && last == LastLink::Keep) {
            trail.push(found);
            continue;
        }
        let target = found.read_link()?;
        links += 1;
        if links > MAX_LINKS || pending.len() > MAX_PENDING {
            return Err(Error::Limit {
                what: "symbolic links",
                needed: links as u64,
                allowed: MAX_LINKS as u64,
            });
        }
        if target.starts_with(b"/") {
            trail.truncate(1);
        }
        pending.extend(components(&target));
    }
    trail.pop().ok_or(Error::NotFound)
}

/// In reverse, without empty ones and `.`.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    let names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.rev().map(<[u8]>::to_vec).collect()
}
