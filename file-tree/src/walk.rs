use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::name;
use crate::{DirEntry, Error, FileId, FileKind, FileTree, Node};

/// Walks a tree depth first, each directory's entries in the order of their names' bytes.
///
/// The memory it takes is that of the entries of the directories on the way to the current one, and an
/// identity for each directory seen. A directory deeper than [`Walk::MAX_DEPTH`], and one that was already
/// reached by another name (a cycle in a damaged tree), is a [`Step::Unreadable`].
///
/// ```
/// # fn main() -> file_tree::Result<()> {
/// let tree = file_tree::HostTree::open("src")?;
/// let names = file_tree::walk(&tree).filter_map(|step| match step {
///     file_tree::Step::Entry { path, .. } => Some(path),
///     _ => None,
/// });
/// assert!(names.into_iter().any(|path| path == b"lib.rs"));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn walk(tree: &dyn FileTree) -> Walk<'_> {
    Walk { start: Some(tree), entered: None, levels: Vec::new(), path: Vec::new(), seen: HashSet::new() }
}

/// A step of a [`walk`]. Paths are relative to the tree's root, which is the empty path itself; their
/// components are separated by `/`.
#[non_exhaustive]
pub enum Step {
    /// A file of any kind. A directory's entries follow, then its [`Leave`](Self::Leave).
    Entry {
        /// Where it is.
        path: Vec<u8>,
        /// The file.
        node: Arc<dyn Node>,
    },
    /// All entries below a directory have passed.
    Leave {
        /// Where it is.
        path: Vec<u8>,
        /// The directory.
        node: Arc<dyn Node>,
    },
    /// A file that could not be opened, or a directory part of whose entries could not be read.
    Unreadable {
        /// Where it is.
        path: Vec<u8>,
        /// Why.
        error: Error,
    },
}

/// An iterator over the files of a tree; see [`walk`].
pub struct Walk<'a> {
    start: Option<&'a dyn FileTree>,
    /// The directory returned last, if its entries are still to be read.
    entered: Option<Arc<dyn Node>>,
    levels: Vec<Level>,
    path: Vec<u8>,
    seen: HashSet<FileId>,
}

/// A directory whose entries are being walked.
struct Level {
    node: Arc<dyn Node>,
    /// Sorted by name, to be taken from the end.
    entries: Vec<DirEntry>,
    errors: Vec<Error>,
    /// How long the path of the directory is.
    path_len: usize,
}

impl Walk<'_> {
    /// How deep a tree may be: the root's entries have depth 1.
    pub const MAX_DEPTH: usize = 1024;

    /// Passes over the entries of the directory that was returned last; its [`Step::Leave`] does not come.
    pub fn skip_directory(&mut self) {
        self.entered = None;
    }

    fn enter(&mut self, node: Arc<dyn Node>) -> Option<Step> {
        if self.levels.len() >= Self::MAX_DEPTH {
            let error = Error::Limit {
                what: "depth of directories",
                needed: self.levels.len().saturating_add(1) as u64,
                allowed: Self::MAX_DEPTH as u64,
            };
            return Some(Step::Unreadable { path: self.path.clone(), error });
        }
        if !self.seen.insert(node.metadata().id) {
            let error = Error::corrupt("directory", None, "it was already reached by another name");
            return Some(Step::Unreadable { path: self.path.clone(), error });
        }
        let (entries, errors) = read_sorted(&*node);
        self.levels.push(Level { node, entries, errors, path_len: self.path.len() });
        None
    }

    fn open(&mut self, level_path_len: usize, entry: &DirEntry, parent: &dyn Node) -> Step {
        self.path.truncate(level_path_len);
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(&entry.name);
        let path = self.path.clone();
        match parent.open(entry) {
            Ok(node) => {
                let node: Arc<dyn Node> = Arc::from(node);
                if node.metadata().kind == FileKind::Directory {
                    self.entered = Some(Arc::clone(&node));
                }
                Step::Entry { path, node }
            }
            Err(error) => Step::Unreadable { path, error },
        }
    }
}

/// A damaged directory that reports errors without end is given up after this many.
const MAX_ERRORS_PER_DIRECTORY: usize = 1000;

fn read_sorted(node: &dyn Node) -> (Vec<DirEntry>, Vec<Error>) {
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    match node.read_dir() {
        Ok(found) => {
            for entry in found {
                match entry {
                    Ok(entry) if name::is_safe(&entry.name) => entries.push(entry),
                    Ok(_) => {
                        errors.push(Error::corrupt("directory", None, "an entry's name is not a file name"));
                    }
                    Err(error) => errors.push(error),
                }
                if errors.len() >= MAX_ERRORS_PER_DIRECTORY {
                    break;
                }
            }
        }
        Err(error) => errors.push(error),
    }
    entries.sort_unstable_by(|a, b| b.name.cmp(&a.name));
    (entries, errors)
}

impl Iterator for Walk<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if let Some(tree) = self.start.take() {
            return Some(match tree.root() {
                Ok(node) => {
                    let node: Arc<dyn Node> = Arc::from(node);
                    if node.metadata().kind == FileKind::Directory {
                        self.entered = Some(Arc::clone(&node));
                    }
                    Step::Entry { path: Vec::new(), node }
                }
                Err(error) => Step::Unreadable { path: Vec::new(), error },
            });
        }
        if let Some(node) = self.entered.take()
            && let Some(refusal) = self.enter(node)
        {
            return Some(refusal);
        }
        let level = self.levels.last_mut()?;
        let path_len = level.path_len;
        if let Some(error) = level.errors.pop() {
            self.path.truncate(path_len);
            return Some(Step::Unreadable { path: self.path.clone(), error });
        }
        if let Some(entry) = level.entries.pop() {
            let parent = Arc::clone(&level.node);
            return Some(self.open(path_len, &entry, &*parent));
        }
        let Level { node, .. } = self.levels.pop()?;
        self.path.truncate(path_len);
        Some(Step::Leave { path: self.path.clone(), node })
    }
}

impl fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").field("path", &crate::printable(&self.path)).finish_non_exhaustive()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, path) = match self {
            Self::Entry { path, .. } => ("Entry", path),
            Self::Leave { path, .. } => ("Leave", path),
            Self::Unreadable { path, .. } => ("Unreadable", path),
        };
        f.debug_struct(name).field("path", &crate::printable(path)).finish_non_exhaustive()
    }
}
