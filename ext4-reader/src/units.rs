//! Numbers of blocks and inodes, kept apart by type.

use std::fmt;

use crate::bytes::to_usize;

/// The number of an inode: 1 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InodeNumber(pub u32);

impl InodeNumber {
    /// The root directory's.
    pub const ROOT: Self = Self(2);
}

impl fmt::Display for InodeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a block on the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BlockIndex(pub(crate) u64);

impl BlockIndex {
    pub(crate) fn plus(self, blocks: u64) -> Self {
        Self(self.0.saturating_add(blocks))
    }
}

/// The number of a block within a file, also of one in a hole.
pub(crate) type FileBlock = u64;

/// The size of a block: 1 to 64 KiB, a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockSize {
    log2: u32,
}

impl BlockSize {
    /// `s_log_block_size` is 0 for 1 KiB. `None` above 64 KiB.
    pub(crate) fn new(s_log_block_size: u32) -> Option<Self> {
        (s_log_block_size <= 6).then_some(Self { log2: s_log_block_size.saturating_add(10) })
    }

    pub(crate) fn bytes(self) -> u64 {
        1_u64.wrapping_shl(self.log2)
    }

    pub(crate) fn len(self) -> usize {
        to_usize(self.bytes())
    }

    /// How many whole blocks lie before a byte offset.
    pub(crate) fn blocks_before(self, offset_bytes: u64) -> u64 {
        offset_bytes.wrapping_shr(self.log2)
    }

    /// How many blocks it takes to hold that many bytes.
    pub(crate) fn blocks_for(self, len_bytes: u64) -> u64 {
        len_bytes.div_ceil(self.bytes())
    }

    /// The byte offset within a block.
    pub(crate) fn offset_in_block(self, offset_bytes: u64) -> u64 {
        offset_bytes & self.bytes().wrapping_sub(1)
    }

    /// Where a block begins. Saturates: such a block lies beyond every source.
    pub(crate) fn offset_of(self, block: u64) -> u64 {
        block.saturating_mul(self.bytes())
    }
}
