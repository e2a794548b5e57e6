use std::num::NonZeroU64;

use super::metadata::Metadata;
use super::regions::Region;
use super::replayed::ReplayedFile;
use crate::disk::bytes::read_vec;
use crate::disk::{Error, Result};

/// The block allocation table ([MS-VHDX] 2.5): where in the file each block of the guest disk lies.
///
/// Entries are read when they are needed. A table can be 512 MiB long, and the system's page cache holds what is
/// used of it.
pub(super) struct BlockTable {
    offset: u64,
    blocks: u64,
    /// After so many blocks comes an entry for a bitmap, which only differencing disks use.
    chunk_blocks: NonZeroU64,
}

/// Where a block lies.
pub(super) enum Block {
    Zeros,
    At(u64),
}

const ENTRY_LEN: usize = 8;
/// The blocks read by one step of [`BlockTable::for_each`].
const STEP: u64 = 4096;
const MIB: u64 = 1 << 20;

impl BlockTable {
    pub(super) fn new(region: Region, metadata: &Metadata) -> Result<Self> {
        let chunk_bytes = u64::from(metadata.sector_bytes) << 23;
        let chunk_blocks = NonZeroU64::new(chunk_bytes / metadata.block_bytes).unwrap_or(NonZeroU64::MIN);
        let blocks = metadata.disk_bytes.div_ceil(metadata.block_bytes.get());
        let table = Self { offset: region.offset, blocks, chunk_blocks };
        let needed = table.entry_offset(blocks.saturating_sub(1), ENTRY_LEN as u64);
        if blocks > 0 && needed > region.offset.saturating_add(region.len.into()) {
            return Err(Error::corrupt(
                "VHDX block allocation table",
                region.offset,
                format!("its {} bytes are too few for {blocks} blocks", region.len),
            ));
        }
        Ok(table)
    }

    /// Where the block with this number lies.
    pub(super) fn read_block(&self, file: &ReplayedFile, block: u64) -> Result<Block> {
        let offset = self.entry_offset(block, 0);
        let bytes = read_vec(file, "VHDX block allocation table", offset, ENTRY_LEN)?;
        parse(&bytes, offset)
    }

    /// Hands every block that lies in the file to `visit`, and every entry that says nonsense.
    pub(super) fn for_each(&self, file: &ReplayedFile, mut visit: impl FnMut(Result<Block>)) -> Result<()> {
        let mut block = 0;
        while block < self.blocks {
            // Up to the bitmap's entry, so that the entries lie side by side.
            let in_chunk = self.chunk_blocks.get().saturating_sub(block % self.chunk_blocks);
            let step = STEP.min(in_chunk).min(self.blocks.saturating_sub(block));
            let offset = self.entry_offset(block, 0);
            let len = usize::try_from(step).unwrap_or_default().saturating_mul(ENTRY_LEN);
            let bytes = read_vec(file, "VHDX block allocation table", offset, len)?;
            for (entry, at) in bytes.chunks_exact(ENTRY_LEN).zip((offset..).step_by(ENTRY_LEN)) {
                visit(parse(entry, at));
            }
            block = block.saturating_add(step);
        }
        Ok(())
    }

    fn entry_offset(&self, block: u64, add: u64) -> u64 {
        let index = block.saturating_add(block / self.chunk_blocks);
        self.offset.saturating_add(index.saturating_mul(ENTRY_LEN as u64)).saturating_add(add)
    }
}

/// Bits 0..3 are the state, bits 20..64 the offset in MiB.
fn parse(entry: &[u8], offset: u64) -> Result<Block> {
    let entry = entry.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let corrupt = |detail| Error::corrupt("VHDX block allocation table entry", offset, detail);
    match entry & 7 {
        // Not present, undefined, zero, unmapped. What the guest reads of unmapped blocks is left to the writer.
        0..=3 => Ok(Block::Zeros),
        6 => match (entry >> 20).checked_mul(MIB) {
            Some(at) if at >= MIB => Ok(Block::At(at)),
            _ => Err(corrupt(format!("an offset of {} MiB", entry >> 20))),
        },
        7 => Err(corrupt("a block in part from a parent, which the disk does not have".into())),
        state => Err(corrupt(format!("the reserved state {state}"))),
    }
}
