//! Group descriptors: where each group of blocks keeps its inodes.

use std::num::NonZeroU64;

use crate::Superblock;
use crate::bytes::{Fields, to_usize};
use crate::features::INCOMPAT_64BIT;
use crate::units::BlockIndex;

/// Where the descriptor of a group lies: its block and the byte offset in that block.
pub(crate) fn descriptor_location(superblock: &Superblock, group: u64) -> (BlockIndex, usize) {
    let descriptor_size = NonZeroU64::from(superblock.descriptor_size);
    let per_block =
        NonZeroU64::new(superblock.block_size.bytes() / descriptor_size).unwrap_or(NonZeroU64::MIN);
    let descriptor_block = group / per_block;
    let offset = to_usize((group % per_block).saturating_mul(descriptor_size.get()));

    // The block that holds the superblock: with blocks of 1 KiB it comes behind the boot block.
    let superblock_block = u64::from(superblock.block_size.bytes() == 1024);
    let block = if superblock.is_meta_bg(descriptor_block) {
        let first_group = descriptor_block.saturating_mul(per_block.get());
        let first_block = first_group
            .saturating_mul(superblock.blocks_per_group.get().into())
            .saturating_add(u64::from(superblock.first_data_block));
        let behind_superblock = u64::from(superblock.group_has_superblock(first_group));
        // With clusters, blocks of 1 KiB are counted from 0 and the boot block belongs to the first group.
        let behind_boot_block = superblock_block.saturating_sub(u64::from(superblock.first_data_block));
        let behind_boot_block = if descriptor_block == 0 { behind_boot_block } else { 0 };
        first_block.saturating_add(behind_superblock).saturating_add(behind_boot_block)
    } else {
        superblock_block.saturating_add(1).saturating_add(descriptor_block)
    };
    (BlockIndex(block), offset)
}

/// The first block of a group's inode table: `bg_inode_table`, at 0x08 and, in descriptors of 64 bytes, 0x28.
pub(crate) fn parse_inode_table(superblock: &Superblock, descriptor: &[u8]) -> BlockIndex {
    let fields = Fields(descriptor);
    let wide = superblock.features().has_incompat(INCOMPAT_64BIT) && superblock.descriptor_size.get() >= 64;
    BlockIndex(if wide { fields.u64_split(0x08, 0x28) } else { u64::from(fields.u32(0x08)) })
}
