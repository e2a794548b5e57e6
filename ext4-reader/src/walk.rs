use std::cmp::Reverse;
use std::collections::HashSet;

use crate::{Error, Ext4, FileKind, Inode, InodeNumber, ReadAt, Result};

/// A file met on a [`Walk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalkEntry {
    /// The path from the directory where the walk began, without a leading `/`.
    pub path: Vec<u8>,
    /// The file.
    pub inode: Inode,
}

/// All files below a directory, depth first; see [`Ext4::walk`]. The entries of a directory come in the order of their
/// inodes, which is the fastest to read.
///
/// What cannot be read is an `Err`, and the walk goes on with the rest. A directory that was already visited, which only
/// damage can cause, is not entered again, and one deeper than 4,096 levels not at all; both are an `Err`.
#[derive(Debug)]
pub struct Walk<'a, S> {
    filesystem: &'a Ext4<S>,
    levels: Vec<Level>,
    path: Vec<u8>,
    /// The directory returned last, to be entered next.
    entered: Option<Inode>,
    visited: HashSet<InodeNumber>,
}

#[derive(Debug)]
struct Level {
    /// By inode, in reverse.
    entries: Vec<Result<(Vec<u8>, InodeNumber)>>,
    /// How much of the path is the directory's own.
    path_len: usize,
}

const MAX_DEPTH: usize = 4096;

impl<'a, S: ReadAt> Walk<'a, S> {
    pub(crate) fn new(filesystem: &'a Ext4<S>, directory: &Inode) -> Self {
        let entered = Some(directory.clone());
        Self { filesystem, levels: Vec::new(), path: Vec::new(), entered, visited: HashSet::new() }
    }

    fn enter(&mut self, directory: &Inode) -> Result<()> {
        if self.levels.len() >= MAX_DEPTH {
            let needed = crate::bytes::to_u64(MAX_DEPTH).saturating_add(1);
            return Err(Error::Limit {
                what: "the depth of a directory",
                needed,
                allowed: needed.saturating_sub(1),
            });
        }
        if !self.visited.insert(directory.number()) {
            let error =
                Error::corrupt("directory", directory.offset, "it has a second name, or lies within itself");
            return Err(error.of_inode(directory.number()));
        }
        let entries =
            self.filesystem.read_dir(directory)?.map(|entry| entry.map(|entry| (entry.name, entry.inode)));
        let mut entries: Vec<_> = entries.collect();
        // An index scatters names over its blocks; by number, inodes are read as they lie. Errors come first.
        entries.sort_unstable_by_key(|entry| Reverse(entry.as_ref().ok().map(|(_, number)| *number)));
        self.levels.push(Level { entries, path_len: self.path.len() });
        Ok(())
    }
}

impl<S: ReadAt> Iterator for Walk<'_, S> {
    type Item = Result<WalkEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(directory) = self.entered.take()
            && let Err(error) = self.enter(&directory)
        {
            return Some(Err(error));
        }
        loop {
            let level = self.levels.last_mut()?;
            self.path.truncate(level.path_len);
            let (name, number) = match level.entries.pop() {
                Some(Ok(entry)) => entry,
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    self.levels.pop();
                    continue;
                }
            };
            if !self.path.is_empty() {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(&name);
            return Some(self.filesystem.inode(number).map(|inode| {
                if inode.kind() == FileKind::Directory {
                    self.entered = Some(inode.clone());
                }
                WalkEntry { path: self.path.clone(), inode }
            }));
        }
    }
}
