use std::fmt;
use std::sync::Arc;

use crate::{BoxNode, Error, FileKind, FileTree, Node, Result, name};

/// A directory of a tree as a tree of its own.
#[derive(Clone)]
pub struct SubTree {
    root: Arc<dyn Node>,
}

impl SubTree {
    /// The tree below the directory `path` of `tree`: components separated by `/`, symbolic links not
    /// followed. An empty path is the whole tree.
    ///
    /// Fails with [`Error::NotFound`] or [`Error::NotADirectory`] if there is no such directory.
    pub fn new(tree: &dyn FileTree, path: impl AsRef<[u8]>) -> Result<Self> {
        let mut node = tree.root()?;
        for component in path.as_ref().split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
            if !name::is_safe(component) {
                return Err(Error::NotFound);
            }
            node = node.lookup(component)?;
        }
        Self::at(node)
    }

    /// The tree below a directory that is open already.
    ///
    /// Fails with [`Error::NotADirectory`] if it is none.
    pub fn at(directory: impl Into<Arc<dyn Node>>) -> Result<Self> {
        let root = directory.into();
        match root.metadata().kind {
            FileKind::Directory => Ok(Self { root }),
            _ => Err(Error::NotADirectory),
        }
    }
}

impl FileTree for SubTree {
    fn root(&self) -> Result<BoxNode> {
        Ok(Box::new(Arc::clone(&self.root)))
    }
}

impl fmt::Debug for SubTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubTree").field("root", self.root.metadata()).finish()
    }
}
