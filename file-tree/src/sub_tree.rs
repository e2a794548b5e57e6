use std::fmt;
use std::sync::Arc;

use crate::{BoxNode, Error, FileKind, FileTree, Result, name, printable};

/// A directory of a tree as a tree of its own.
#[derive(Clone)]
pub struct SubTree {
    tree: Arc<dyn FileTree>,
    path: Vec<u8>,
}

impl SubTree {
    /// The tree below the directory `path` of `tree`: components separated by `/`, symbolic links not
    /// followed. An empty path is the whole tree.
    ///
    /// Fails with [`Error::NotFound`] or [`Error::NotADirectory`] if there is no such directory.
    pub fn new(tree: Arc<dyn FileTree>, path: impl Into<Vec<u8>>) -> Result<Self> {
        let below = Self { tree, path: path.into() };
        match below.root()?.metadata().kind {
            FileKind::Directory => Ok(below),
            _ => Err(Error::NotADirectory),
        }
    }
}

impl FileTree for SubTree {
    fn root(&self) -> Result<BoxNode> {
        let mut node = self.tree.root()?;
        for component in self.path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
            if !name::is_safe(component) {
                return Err(Error::NotFound);
            }
            node = node.lookup(component)?;
        }
        Ok(node)
    }
}

impl fmt::Debug for SubTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubTree").field("path", &printable(&self.path)).finish_non_exhaustive()
    }
}
