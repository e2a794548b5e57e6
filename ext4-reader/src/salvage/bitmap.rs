//! What the bitmaps of the groups say is in use.

use std::sync::Arc;

use crate::block_group::{self, Bitmap};
use crate::bytes::{Fields, to_usize};
use crate::finding::Amount;
use crate::units::BlockIndex;
use crate::{Ext4, InodeNumber, ReadAt, Result, checksum};

/// Whether an inode is in use.
pub(super) fn inode_is_used<S: ReadAt>(filesystem: &Ext4<S>, number: InodeNumber) -> Result<bool> {
    let per_group = filesystem.superblock().inodes_per_group;
    let index = number.0.saturating_sub(1);
    bit(filesystem, (index / per_group).into(), BitmapOf::Inodes, (index % per_group).into())
}

/// How many of `blocks` blocks from `first` are in use.
pub(super) fn used_blocks<S: ReadAt>(filesystem: &Ext4<S>, first: BlockIndex, blocks: u64) -> Result<u64> {
    let superblock = filesystem.superblock();
    let block_size = superblock.block_size;
    let mut used = 0_u64;
    for block in first.0..first.0.saturating_add(blocks) {
        let Some(group) = superblock.group_of(block) else { continue };
        let within = block.saturating_sub(superblock.first_block_of(group).0);
        // A bit stands for a cluster, which without bigalloc is a block.
        let index =
            block_size.offset_of(within).checked_div(superblock.cluster_size_bytes()).unwrap_or(within);
        used = used.saturating_add(bit(filesystem, group, BitmapOf::Blocks, index)?.into());
    }
    Ok(used)
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum BitmapOf {
    Blocks,
    Inodes,
}

fn bit<S: ReadAt>(filesystem: &Ext4<S>, group: u64, of: BitmapOf, index: u64) -> Result<bool> {
    let Some(bytes) = read(filesystem, group, of)? else { return Ok(false) };
    Ok(Fields(&bytes).u8(to_usize(index / 8)) & 1_u8.wrapping_shl(u32::try_from(index % 8).unwrap_or(0)) != 0)
}

/// The bitmap of a group. `None` if nothing of the group was ever in use, and it has none.
pub(crate) fn read<S: ReadAt>(filesystem: &Ext4<S>, group: u64, of: BitmapOf) -> Result<Option<Arc<[u8]>>> {
    let superblock = filesystem.superblock();
    let device = filesystem.device();
    let descriptor = block_group::read(device, superblock, group)?;
    let (bitmap, bits, structure) = match of {
        BitmapOf::Blocks => (descriptor.block_bitmap, superblock.clusters_per_group, "block bitmap"),
        BitmapOf::Inodes => (descriptor.inode_bitmap, superblock.inodes_per_group.get(), "inode bitmap"),
    };
    let Some(Bitmap { block, checksum }) = bitmap else { return Ok(None) };
    let is_right = |seed, bytes: &[u8]| {
        let covered = Fields(bytes).slice(0, to_usize((bits / 8).into())).unwrap_or_default();
        checksum::bitmap(seed, covered, checksum)
    };
    device.verified(block, structure, None, is_right, |_| Amount::default()).map(Some)
}
