use std::fmt;
use std::sync::Arc;

use file_tree::{BoxNode, FileKind, FileTree, Node, SubTree, printable};

use crate::{Error, Finding, Result};

/// A path in a tree.
#[derive(Clone)]
pub(crate) struct Place {
    tree: Arc<dyn FileTree>,
    /// Names joined by `/`; empty for the root.
    path: Vec<u8>,
}

impl Place {
    pub(crate) fn new(tree: Arc<dyn FileTree>, path: &[u8]) -> Self {
        let names: Vec<&[u8]> = names(path).collect();
        Self { tree, path: names.join(&b'/') }
    }

    pub(crate) fn join(&self, below: &[u8]) -> Self {
        let separator: &[u8] = if self.path.is_empty() { b"" } else { b"/" };
        Self { tree: Arc::clone(&self.tree), path: [&self.path, separator, below].concat() }
    }

    /// The directory above; none above the root.
    pub(crate) fn parent(&self) -> Option<Self> {
        let end = self.path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        let path = self.path.get(..end).filter(|_| !self.path.is_empty())?;
        Some(Self { tree: Arc::clone(&self.tree), path: path.to_vec() })
    }

    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }

    /// Opens what lies here, if anything does, without following symbolic links.
    pub(crate) fn open(&self) -> Result<Option<BoxNode>> {
        let root = self.tree.root().map_err(|source| self.error(source))?;
        if self.path.is_empty() {
            return Ok(Some(root));
        }
        open_below(root.as_ref(), &self.path).map_err(|source| self.error(source))
    }

    /// Opens the directory that lies here, if one does.
    pub(crate) fn open_directory(&self) -> Result<Option<BoxNode>> {
        Ok(self.open()?.filter(|node| node.metadata().kind == FileKind::Directory))
    }

    /// The directories in the directory that lies here, if one does. Of more than `limit` entries, the rest is not
    /// looked at.
    pub(crate) fn directories(&self, limit: usize) -> Result<Option<Directories>> {
        let Some(node) = self.open_directory()? else { return Ok(None) };
        let mut directories = Directories::default();
        for entry in node.read_dir().map_err(|source| self.error(source))? {
            if directories.entries >= limit {
                let (what, allowed) = ("a directory's entries", limit as u64);
                directories.damage = Some(Error::Limit { what, needed: allowed.saturating_add(1), allowed });
                break;
            }
            directories.entries = directories.entries.saturating_add(1);
            match entry {
                // An entry that cannot be opened may be a directory: whoever opens it by name meets the error.
                Ok(entry)
                    if node.open(&entry).map_or(true, |node| node.metadata().kind == FileKind::Directory) =>
                {
                    directories.names.push(entry.name);
                }
                Ok(_) => {}
                Err(source) => directories.damage = directories.damage.or_else(|| Some(self.error(source))),
            }
        }
        directories.names.sort_unstable();
        Ok(Some(directories))
    }

    /// As [`directories`](Self::directories), with what goes wrong as findings.
    pub(crate) fn listed_directories(&self, cost: &'static str, findings: &mut Vec<Finding>) -> Vec<Vec<u8>> {
        let directories = match self.directories(MAX_LISTED) {
            Ok(directories) => directories.unwrap_or_default(),
            Err(error) => Directories { damage: Some(error), ..Directories::default() },
        };
        findings.extend(directories.damage.map(|damage| Finding::of(&self.path, &damage, cost)));
        directories.names
    }

    /// The content of the regular file that lies here, if one does. A piece that cannot be read is zeros, and the first
    /// error is told.
    pub(crate) fn read(&self, limit_bytes: usize) -> Result<Option<Content>> {
        let Some(node) = self.open()? else { return Ok(None) };
        let needed = node.metadata().size;
        let len = usize::try_from(needed).ok().filter(|&len| len <= limit_bytes);
        let Some(len) = len else {
            return Err(Error::Limit { what: "a file's bytes", needed, allowed: limit_bytes as u64 });
        };
        let mut content = Content { bytes: vec![0; len], damage: None };
        let mut offset = 0_u64;
        for piece in content.bytes.chunks_mut(PIECE_BYTES) {
            if let Err(source) = node.read_at(piece, offset) {
                piece.fill(0);
                content.damage.get_or_insert_with(|| self.error(source));
            }
            offset = offset.saturating_add(PIECE_BYTES as u64);
        }
        Ok(Some(content))
    }

    /// The tree below the directory that lies here.
    pub(crate) fn tree(&self) -> Result<SubTree> {
        SubTree::new(&*self.tree, &self.path).map_err(|source| self.error(source))
    }

    pub(crate) fn error(&self, source: file_tree::Error) -> Error {
        Error::Tree { path: self.to_string(), source }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", printable(&self.path))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.to_string()).finish()
    }
}

/// No more volumes or containers than this are listed: each costs memory, and a damaged directory may name any number.
const MAX_LISTED: usize = 100_000;

/// The directories in a directory.
#[derive(Default)]
pub(crate) struct Directories {
    /// In bytewise order.
    pub(crate) names: Vec<Vec<u8>>,
    /// How many entries of any kind were looked at.
    pub(crate) entries: usize,
    /// Why there may be more.
    pub(crate) damage: Option<Error>,
}

/// The content of a file.
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    /// Why some of the bytes are zeros instead of what the file holds.
    pub(crate) damage: Option<Error>,
}

/// So much of a file is lost with one bad sector; a block of the common file systems.
const PIECE_BYTES: usize = 4096;

fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
}

/// Opens what lies at `path` below a directory, if anything does.
pub(crate) fn open_below(directory: &dyn Node, path: &[u8]) -> file_tree::Result<Option<BoxNode>> {
    let mut node: Option<BoxNode> = None;
    for name in names(path) {
        if matches!(name, b"." | b"..") {
            return Ok(None);
        }
        node = match node.as_deref().unwrap_or(directory).lookup(name) {
            Ok(below) => Some(below),
            Err(file_tree::Error::NotFound | file_tree::Error::NotADirectory) => return Ok(None),
            Err(error) => return Err(error),
        };
    }
    Ok(node)
}
