//! Directories: what their entries lead to, and whether each has its place in the tree.

use std::ops::ControlFlow;

use super::{CheckStep, Checker, State, damage_of};
use crate::bytes::to_u64;
use crate::directory::{self, Dots};
use crate::finding::{Amount, Cost};
use crate::salvage::is_hidden;
use crate::{Corrupt, DirEntry, Error, FileKind, Inode, InodeNumber, ReadAt};

/// A directory that is being gone through.
struct Level {
    number: InodeNumber,
    /// The directories in it, in the order in which they are still to be entered, the last one first.
    below: Vec<(Vec<u8>, InodeNumber)>,
    /// How much of the path is the directory's own.
    path_len: usize,
}

/// Deeper than any path that a program could name.
const MAX_DEPTH: usize = 4096;
const STRUCTURE: &str = "directory entry";

impl<S: ReadAt> Checker<'_, S> {
    /// All that paths from the root lead to.
    pub(super) fn tree(&mut self) -> ControlFlow<()> {
        self.inodes.add(InodeNumber::ROOT, State::REACHED);
        let root = match self.filesystem.root() {
            Ok(root) if root.kind() == FileKind::Directory => root,
            Ok(root) => {
                let damage = Corrupt::new("inode", root.offset, "the root is no directory");
                self.find(damage.of_inode(root.number()), Cost::Names, Amount::files(1));
                return ControlFlow::Continue(());
            }
            Err(error) => {
                let offset = self.filesystem.device().offset_of_superblock();
                if let Some(damage) = damage_of(error, "inode", offset) {
                    self.find(damage, Cost::Names, Amount::files(1));
                }
                return ControlFlow::Continue(());
            }
        };
        if root.links() == 0 {
            let damage = Corrupt::new("inode", root.offset, "the root says that it was deleted");
            self.find(damage.of_inode(root.number()), Cost::Doubt, Amount::files(1));
        }
        // The scan does not meet it where its group says that nothing was ever used.
        self.examine(&root);
        self.below(&root, Vec::new(), Some(InodeNumber::ROOT))
    }

    /// A directory and all below it. `parent` is where its `..` has to lead, if anybody knows.
    pub(super) fn below(
        &mut self,
        top: &Inode,
        mut path: Vec<u8>,
        parent: Option<InodeNumber>,
    ) -> ControlFlow<()> {
        let first = self.directory(top, parent, &path)?;
        let mut levels = vec![Level { number: top.number(), below: first, path_len: path.len() }];
        while let Some(level) = levels.last_mut() {
            path.truncate(level.path_len);
            let Some((name, number)) = level.below.pop() else {
                levels.pop();
                continue;
            };
            let parent = level.number;
            push(&mut path, &name);
            let Ok(inode) = self.filesystem.inode(number) else { continue };
            let below = self.directory(&inode, Some(parent), &path)?;
            if levels.len() < MAX_DEPTH {
                levels.push(Level { number, below, path_len: path.len() });
            } else if !below.is_empty() {
                let detail = format!("it lies deeper than {MAX_DEPTH} directories");
                let damage = Corrupt::new("directory", inode.offset, detail).of_inode(number);
                self.find(damage, Cost::Names, Amount::files(to_u64(below.len())));
            }
        }
        ControlFlow::Continue(())
    }

    /// Examines one directory, and returns those in it that are to be entered.
    fn directory(
        &mut self,
        directory: &Inode,
        parent: Option<InodeNumber>,
        path: &[u8],
    ) -> ControlFlow<(), Vec<(Vec<u8>, InodeNumber)>> {
        self.totals_of_directories()?;
        let found_before = self.found();
        let mut below = Vec::new();
        match directory::read(self.filesystem, directory) {
            Err(error) => self.unreadable(directory, error, Amount::default()),
            Ok(mut entries) => {
                let mut names = Vec::new();
                while let Some(entry) = entries.next() {
                    let Some(left) = self.entries_left.checked_sub(1) else { break };
                    self.entries_left = left;
                    match entry {
                        Ok(entry) => {
                            if self.entry(directory, &entry, entries.entry_offset(), path) {
                                below.push((entry.name.clone(), entry.inode));
                            }
                            names.push(entry.name);
                        }
                        Err(error) => self.unreadable(directory, error, Amount::default()),
                    }
                }
                self.duplicates(directory, &mut names);
                self.index(directory, to_u64(names.len()));
            }
        }
        self.dots(directory, parent);
        if self.inodes.find(directory.number()).is(State::DAMAGED) || self.found() > found_before {
            self.name(directory.number(), path.to_vec());
        }
        // By number, inodes are read as they lie.
        below.sort_unstable_by_key(|&(_, number)| std::cmp::Reverse(number));
        ControlFlow::Continue(below)
    }

    fn totals_of_directories(&mut self) -> ControlFlow<()> {
        let done = self.directories_done;
        self.directories_done = done.saturating_add(1);
        if super::is_worth_saying(done) {
            return self.report(CheckStep::Directories, done, self.totals.directories);
        }
        ControlFlow::Continue(())
    }

    /// How many findings there are, those made in reading among them.
    fn found(&self) -> u64 {
        self.filesystem.device().scrutiny().findings_count().saturating_add(self.findings.count())
    }

    pub(super) fn name(&mut self, number: InodeNumber, path: Vec<u8>) {
        const MOST: usize = 20_000;
        if self.paths.len() < MOST {
            self.paths.entry(number).or_insert(path);
        }
    }

    fn unreadable(&mut self, directory: &Inode, error: Error, amount: Amount) {
        if let Some(damage) = damage_of(error, "directory block", directory.offset) {
            self.find(damage.of_inode(directory.number()), Cost::Names, amount);
        }
    }

    /// Whether the entry leads to a directory that is to be entered.
    fn entry(&mut self, directory: &Inode, entry: &DirEntry, offset: u64, path: &[u8]) -> bool {
        let corrupt = |detail: String| Corrupt::new(STRUCTURE, offset, detail).of_inode(directory.number());
        let number = entry.inode;
        let name = String::from_utf8_lossy(&entry.name);
        if !self.inodes.find(number).is_in_use() && !self.examine_unscanned(entry, offset, directory, path) {
            return false;
        }
        let state = self.inodes.add(number, State::REACHED);
        let Some(kind) = state.kind() else { return false };
        if !state.is(State::REACHED) {
            self.reached = self.reached.saturating_add(1);
        }
        if state.is(State::HIDDEN) {
            let detail = format!("{name:?} leads to inode {number}, which the file system keeps for itself");
            self.find(corrupt(detail), Cost::Doubt, Amount::files(1));
            return false;
        }
        if state.is(State::DAMAGED) {
            let mut path = path.to_vec();
            push(&mut path, &entry.name);
            self.name(number, path);
        }
        if entry.kind.is_some_and(|told| told != kind) {
            let detail = format!("{name:?} leads to inode {number}, which is of another kind than it says");
            self.find(corrupt(detail), Cost::Doubt, Amount::files(1));
        }
        if kind == FileKind::Directory && state.is(State::REACHED) {
            let detail =
                format!("{name:?} is a second name of directory {number}, or leads back to one above");
            self.find(corrupt(detail), Cost::Doubt, Amount::files(1));
            return false;
        }
        kind == FileKind::Directory
    }

    /// An inode that the scan did not meet: it cannot be read, is free, or lies where nothing should have been used.
    fn examine_unscanned(&mut self, entry: &DirEntry, offset: u64, directory: &Inode, path: &[u8]) -> bool {
        let number = entry.inode;
        let name = String::from_utf8_lossy(&entry.name);
        let corrupt = |detail: String| Corrupt::new(STRUCTURE, offset, detail).of_inode(directory.number());
        match self.filesystem.inode(number) {
            Ok(inode) if inode.links() > 0 => {
                let problem = if inode.deleted().is_none() {
                    "where none should have been used"
                } else {
                    "which says that it was deleted, and is shown all the same"
                };
                let detail = format!("{name:?} leads to inode {number}, {problem}");
                // In files that were being cut short, the next such file stands in place of that time.
                let is_known = self.truncated.binary_search(&number).is_ok()
                    || is_hidden(self.filesystem, &inode)
                    || self.filesystem.amendments.inode(number).is_some();
                if !is_known {
                    self.find(corrupt(detail), Cost::Nothing, Amount::default());
                }
                self.examine(&inode);
                true
            }
            Ok(_) => {
                let detail = format!("{name:?} leads to inode {number}, which is that of a deleted file");
                self.find(corrupt(detail), Cost::Files, Amount::files(1));
                false
            }
            Err(error) => {
                let Some(damage) = damage_of(error, STRUCTURE, offset) else { return false };
                if damage.inode() == Some(number) {
                    let mut path = path.to_vec();
                    push(&mut path, &entry.name);
                    self.name(number, path);
                }
                self.find(damage, Cost::Files, Amount::files(1));
                false
            }
        }
    }

    /// Of two files of one name only one can be opened.
    fn duplicates(&mut self, directory: &Inode, names: &mut [Vec<u8>]) {
        names.sort_unstable();
        for pair in names.windows(2) {
            if let [first, second] = pair
                && first == second
            {
                let name = String::from_utf8_lossy(first);
                let detail = format!("{name:?} is in it twice");
                let damage = Corrupt::new("directory", directory.offset, detail);
                self.find(damage.of_inode(directory.number()), Cost::Doubt, Amount::files(1));
            }
        }
    }

    /// Whether the index leads to all of the names.
    fn index(&mut self, directory: &Inode, names: u64) {
        let (damage, files) = match directory::count_indexed(self.filesystem, directory) {
            None => return,
            Some(Ok(indexed)) if indexed >= names => return,
            Some(Ok(indexed)) => {
                let missed = names.saturating_sub(indexed);
                let detail = format!("it does not lead to {missed} of {names} names");
                (Corrupt::new("directory index", directory.offset, detail), missed)
            }
            Some(Err(error)) => match damage_of(error, "directory index", directory.offset) {
                Some(damage) => (damage, 0),
                None => return,
            },
        };
        // An index that cannot be followed costs time: names are then looked for one by one.
        let cost = if files == 0 { Cost::Nothing } else { Cost::Doubt };
        self.find(damage.of_inode(directory.number()), cost, Amount::files(files));
    }

    fn dots(&mut self, directory: &Inode, parent: Option<InodeNumber>) {
        // What cannot be read of the first block was told already.
        let Some(Ok(Dots { own, parent: told })) = directory::dots(self.filesystem, directory) else {
            return;
        };
        let number = directory.number();
        let detail = if own != Some(number) {
            "its `.` is missing or leads elsewhere"
        } else if told.is_none() || parent.is_some_and(|parent| told != Some(parent)) {
            "its `..` is missing or leads elsewhere"
        } else {
            return;
        };
        let damage = Corrupt::new("directory", directory.offset, detail).of_inode(number);
        self.find(damage, Cost::Nothing, Amount::default());
    }
}

pub(super) fn push(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}
