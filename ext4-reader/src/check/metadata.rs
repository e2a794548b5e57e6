//! What belongs to no file: the journal, backups of the superblock, group descriptors, bitmaps, the orphan list.

use std::ops::ControlFlow;

use super::{CheckStep, Checker, damage_of};
use crate::block_group;
use crate::finding::{Amount, Cost};
use crate::salvage::bitmap::{self, BitmapOf};
use crate::superblock::{self, Superblock};
use crate::{Corrupt, Error, JournalLoss, JournalState, OrphanFate, ReadAt, journal};

impl<S: ReadAt> Checker<'_, S> {
    /// Changes that are missing from what is shown leave it of mixed age; which files they concern nobody can tell.
    pub(super) fn journal(&mut self) {
        let offset = self.filesystem.device().offset_of_superblock();
        let corrupt = |detail: String| Corrupt::new("journal", offset, detail);
        match self.filesystem.journal_state() {
            JournalState::Absent => {}
            JournalState::Clean => {
                let examined = journal::examine(self.filesystem.device(), self.filesystem.superblock());
                self.note(examined, "journal", Cost::Nothing);
            }
            JournalState::Replayed(replay) => {
                let damage = replay.damage.iter().map(|damage| {
                    let cost = if damage.loss == JournalLoss::Nothing { Cost::Nothing } else { Cost::Doubt };
                    (Corrupt::new("journal", damage.offset, damage.to_string()), cost)
                });
                let left = replay.fast_commits_left.iter().map(|reason| {
                    (corrupt(format!("its fast commits are not applied: {reason}")), Cost::Doubt)
                });
                for (damage, cost) in damage.chain(left) {
                    self.find(damage, cost, Amount::default());
                }
            }
            JournalState::NeedsReplay(reason) => {
                let damage = corrupt(format!("the changes it holds are not applied: {reason}"));
                self.find(damage, Cost::Doubt, Amount::default());
            }
        }
    }

    /// Those that were being cut short may be longer than they say.
    pub(super) fn orphans(&mut self) {
        match self.filesystem.orphans() {
            Ok(orphans) => {
                let truncated = orphans.iter().filter(|orphan| orphan.fate == OrphanFate::Truncated);
                self.truncated = truncated.map(|orphan| orphan.inode).collect();
                self.truncated.sort_unstable();
            }
            Err(error) => self.note(Err(error), "orphan list", Cost::Nothing),
        }
    }

    pub(super) fn groups(&mut self) -> ControlFlow<()> {
        let device = self.filesystem.device();
        let superblock = self.filesystem.superblock();
        let block_size = superblock.block_size;
        let groups = superblock.present_groups(device.present_blocks());
        for group in 0..groups {
            if super::is_worth_saying(group) {
                self.report(CheckStep::Groups, group, groups)?;
            }
            if superblock.group_has_superblock(group) {
                let at = if group == 0 { superblock::OFFSET } else { 0 };
                let block = superblock.first_block_of(group);
                let offset = block_size.offset_of(block.0).max(at);
                let block = block_size.blocks_before(offset);
                self.system.insert(&(block..block.saturating_add(1)));
                if group > 0 {
                    self.backup(group, offset);
                }
            }
            match block_group::read(device, superblock, group) {
                Ok(descriptor) => {
                    let table = descriptor.inode_table.0;
                    self.system.insert(&(table..table.saturating_add(superblock.inode_table_blocks())));
                    for bitmap in [descriptor.block_bitmap, descriptor.inode_bitmap].into_iter().flatten() {
                        self.system.insert(&(bitmap.block.0..bitmap.block.plus(1).0));
                    }
                    for of in [BitmapOf::Blocks, BitmapOf::Inodes] {
                        let read = bitmap::read(self.filesystem, group, of).map(|_| ());
                        self.note(read, "bitmap", Cost::Nothing);
                    }
                }
                // How many files that are the names tell that lead there.
                Err(error) => self.note(Err(error), "group descriptor", Cost::Files),
            }
        }
        for (block, backup) in block_group::copies(device, superblock) {
            self.system.insert(&(block.0..block.plus(1).0));
            if let Some(problem) = backup {
                let damage = Corrupt::new("backup of group descriptors", device.offset_of(block), problem);
                self.find(damage, Cost::Nothing, Amount::default());
            }
        }
        ControlFlow::Continue(())
    }

    /// A backup of the superblock; it is needed only if the primary one is lost.
    fn backup(&mut self, group: u64, offset: u64) {
        let device = self.filesystem.device();
        let structure = "backup of the superblock";
        let mut bytes = [0; superblock::LEN];
        let block_size = device.block_size();
        let block = crate::units::BlockIndex(block_size.blocks_before(offset));
        let within = block_size.offset_in_block(offset);
        let read = device.read(&mut bytes, block, within, structure);
        let in_source = device.offset_of(block).saturating_add(within);
        let problem =
            read.and_then(|()| Superblock::parse(&bytes, in_source)).and_then(|backup| {
                match backup.difference(
                    self.filesystem.superblock(),
                    &bytes,
                    device.scrutiny().seed().is_some(),
                ) {
                    Some(problem) => Err(Error::corrupt(structure, in_source, problem)),
                    None => Ok(()),
                }
            });
        if let Err(error) = problem {
            let detail = match error {
                Error::NotExt4 => "it is none".to_owned(),
                Error::Corrupt(corrupt) => corrupt.detail().to_owned(),
                other => other.to_string(),
            };
            let damage = Corrupt::new(structure, in_source, format!("{detail} (group {group})"));
            self.find(damage, Cost::Nothing, Amount::default());
        }
    }

    fn note(&mut self, outcome: crate::Result<()>, structure: &'static str, cost: Cost) {
        let offset = self.filesystem.device().offset_of_superblock();
        if let Some(damage) = outcome.err().and_then(|error| damage_of(error, structure, offset)) {
            self.find(damage, cost, Amount::default());
        }
    }
}
