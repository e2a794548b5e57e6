//! Files that no path leads to.

use std::ops::ControlFlow;

use super::{Checker, State};
use crate::finding::{Amount, Cost};
use crate::{Corrupt, FileKind, InodeNumber, ReadAt, directory};

impl<S: ReadAt> Checker<'_, S> {
    /// Tells them by the topmost: what a lost directory holds is found in it.
    pub(super) fn unnamed(&mut self) -> ControlFlow<()> {
        let lost: Vec<_> = self
            .inodes
            .iter()
            .filter(|(_, state)| is_lost(*state))
            .map(|(number, state)| (number, state.kind()))
            .collect();
        self.totals.files_unnamed = crate::bytes::to_u64(lost.len());
        for &(number, kind) in &lost {
            if kind == Some(FileKind::Directory) {
                self.hold_entries(number);
            }
        }
        // Directories that hold one another have no topmost one: of those, the first stands for all.
        for only_tops in [true, false] {
            for &(number, kind) in &lost {
                let state = self.inodes.find(number);
                if is_lost(state) && !(only_tops && state.is(State::HELD)) {
                    self.top(number, kind == Some(FileKind::Directory))?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn hold_entries(&mut self, number: InodeNumber) {
        let Ok(inode) = self.filesystem.inode(number) else { return };
        let Ok(entries) = directory::read(self.filesystem, &inode) else { return };
        for entry in entries.flatten().filter(|entry| entry.inode != number) {
            let Some(left) = self.entries_left.checked_sub(1) else { return };
            self.entries_left = left;
            if self.inodes.find(entry.inode).is_in_use() {
                self.inodes.add(entry.inode, State::HELD);
            }
        }
    }

    fn top(&mut self, number: InodeNumber, is_directory: bool) -> ControlFlow<()> {
        self.inodes.add(number, State::REACHED);
        let Ok(inode) = self.filesystem.inode(number) else { return ControlFlow::Continue(()) };
        let path = format!("lost+found/#{number}").into_bytes();
        self.name(number, path.clone());
        let before = self.reached;
        if is_directory {
            self.below(&inode, path, None)?;
        }
        let files = self.reached.saturating_sub(before).saturating_add(1);
        let damage = Corrupt::new("inode", inode.offset, "no path leads to it").of_inode(number);
        self.find(damage, Cost::Names, Amount::files(files));
        ControlFlow::Continue(())
    }
}

fn is_lost(state: State) -> bool {
    state.is_in_use() && !state.is(State::REACHED) && !state.is(State::HIDDEN)
}
