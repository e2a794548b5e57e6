//! The blocks that hold descriptors, and whether the backups among them could take the place of the first.

use super::{DescriptorBlock, GroupDescriptor, MOST_BACKUPS, per_block};
use crate::bytes::Fields;
use crate::device::BlockDevice;
use crate::units::BlockIndex;
use crate::{ReadAt, Superblock};

/// Every block of descriptors; for a backup that could not be gone by also why.
pub(crate) fn copies<S: ReadAt>(
    device: &BlockDevice<S>,
    superblock: &Superblock,
) -> Vec<(BlockIndex, Option<String>)> {
    let groups = superblock.present_groups(device.present_blocks());
    let blocks = groups.div_ceil(per_block(superblock).get());
    let mut found = Vec::new();
    for number in 0..blocks {
        let set = DescriptorBlock { device, superblock, number };
        let primary = set.primary();
        found.push((primary, None));
        // What is wrong with the first is told when it is read.
        let Ok(sound) = super::read_block(&set) else { continue };
        let backups = set.backups().into_iter().take(MOST_BACKUPS).filter(|&backup| {
            backup != primary && superblock.group_of(backup.0).is_some_and(|group| group < groups)
        });
        found.extend(backups.map(|backup| (backup, set.problem_of(backup, &sound))));
    }
    found
}

impl<S: ReadAt> DescriptorBlock<'_, S> {
    fn problem_of(&self, backup: BlockIndex, sound: &[u8]) -> Option<String> {
        let mut copy = vec![0; sound.len()];
        if let Err(error) = self.device.read(&mut copy, backup, 0, super::STRUCTURE) {
            return Some(crate::error::chain(&error));
        }
        let mut bad = self.groups().filter_map(|group| {
            let at = self.position(group);
            let table = |block| {
                let bytes = Fields(block).slice(at, self.superblock.descriptor_size.get().into());
                GroupDescriptor::parse(self.superblock, bytes.unwrap_or_default()).inode_table
            };
            let moved = (table(&copy) != table(sound)).then_some("its inode table lies elsewhere");
            self.flaw(group, &copy).map(super::Flaw::problem).or(moved).map(|problem| (group, problem))
        });
        let (group, problem) = bad.next()?;
        Some(match bad.count() {
            0 => format!("{problem} (group {group})"),
            more => format!("{problem} (group {group} and {more} more)"),
        })
    }
}
