//! The blocks of a file system, read from the caller's source.

use std::fmt;
use std::sync::Arc;

use crate::cache::BlockCache;
use crate::journal::{LoggedCopy, Overlay};
use crate::units::{BlockIndex, BlockSize};
use crate::{Error, ReadAt, Result};

/// The source from which a file system is read, by bytes before the block size is known.
pub(crate) struct Region<S> {
    source: S,
    /// Where the file system begins in the source.
    start: u64,
}

impl<S: ReadAt> Region<S> {
    pub(crate) fn new(source: S, start: u64) -> Self {
        Self { source, start }
    }

    /// An offset in the file system as one in the source, which is what errors tell.
    pub(crate) fn in_source(&self, offset: u64) -> u64 {
        self.start.saturating_add(offset)
    }

    /// How long the file system can be, in bytes. A source that does not know its size is no reason to give up.
    pub(crate) fn size(&self) -> u64 {
        self.source.size().map_or(u64::MAX, |size| size.saturating_sub(self.start))
    }

    pub(crate) fn read(&self, buf: &mut [u8], offset: u64, structure: &'static str) -> Result<()> {
        let offset = self.in_source(offset);
        self.source.read_exact_at(buf, offset).map_err(|source| Error::Io { structure, offset, source })
    }
}

/// The blocks of a file system.
pub(crate) struct BlockDevice<S> {
    region: Region<S>,
    /// The device that the journal has to itself, if it was given.
    journal: Option<Region<S>>,
    /// Which blocks are read from the journal in place of their own places.
    overlay: Overlay,
    block_size: BlockSize,
    blocks_count: u64,
    present_blocks: u64,
    cache: BlockCache,
}

impl<S: ReadAt> BlockDevice<S> {
    pub(crate) fn new(
        region: Region<S>,
        block_size: BlockSize,
        blocks_count: u64,
        cache_bytes: usize,
    ) -> Self {
        let cache = BlockCache::new(cache_bytes, block_size.len());
        let present_blocks = blocks_count.min(block_size.blocks_for(region.size()));
        let overlay = Overlay::default();
        Self { region, journal: None, overlay, block_size, blocks_count, present_blocks, cache }
    }

    /// With the device that the journal has to itself.
    pub(crate) fn with_journal(self, journal: Option<Region<S>>) -> Self {
        Self { journal, ..self }
    }

    /// With newer copies of some blocks. Nothing that was read before is kept.
    pub(crate) fn with_overlay(self, overlay: Overlay, cache_bytes: usize) -> Self {
        let cache = BlockCache::new(cache_bytes, self.block_size.len());
        Self { overlay, cache, ..self }
    }

    /// With another number of blocks, as a journaled superblock may have it.
    pub(crate) fn with_blocks_count(self, blocks_count: u64) -> Self {
        let present_blocks = blocks_count.min(self.block_size.blocks_for(self.region.size()));
        Self { blocks_count, present_blocks, ..self }
    }

    pub(crate) fn has_journal_device(&self) -> bool {
        self.journal.is_some()
    }

    /// Whether the newest copy of a block lies in the journal.
    pub(crate) fn is_journaled(&self, block: BlockIndex) -> bool {
        self.overlay.find(block).is_some()
    }

    /// How many blocks from this one on lie either all in their own places or all in the journal, at most `blocks`.
    pub(crate) fn alike(&self, first: BlockIndex, blocks: u64) -> u64 {
        self.overlay.alike(first, blocks)
    }

    /// How many blocks can be read at most: the source may end before the file system does.
    pub(crate) fn present_blocks(&self) -> u64 {
        self.present_blocks
    }

    pub(crate) fn block_size(&self) -> BlockSize {
        self.block_size
    }

    /// Where a block lies in the source, in bytes: its newest copy, unless that is on the journal's own device.
    pub(crate) fn offset_of(&self, block: BlockIndex) -> u64 {
        let copy = self.overlay.find(block).filter(|_| self.journal.is_none());
        let block = copy.map_or(block, |copy| copy.place);
        self.region.in_source(self.block_size.offset_of(block.0))
    }

    pub(crate) fn offset_of_superblock(&self) -> u64 {
        self.region.in_source(crate::superblock::OFFSET)
    }

    /// Where a block that holds a part of the journal lies, in bytes of the source that has it.
    pub(crate) fn journal_offset_of(&self, block: BlockIndex) -> u64 {
        self.journal.as_ref().unwrap_or(&self.region).in_source(self.block_size.offset_of(block.0))
    }

    /// Reads from within a block that holds a part of the journal.
    pub(crate) fn read_journal(
        &self,
        buf: &mut [u8],
        block: BlockIndex,
        offset: u64,
        structure: &'static str,
    ) -> Result<()> {
        if self.journal.is_none() && !self.holds(block, 1) {
            let detail = format!("block {} is past the last of {}", block.0, self.blocks_count);
            return Err(Error::corrupt(structure, self.offset_of(block), detail));
        }
        self.read_journal_bytes(buf, self.block_size.offset_of(block.0).saturating_add(offset), structure)
    }

    /// Reads from the device that holds the journal.
    pub(crate) fn read_journal_bytes(
        &self,
        buf: &mut [u8],
        offset: u64,
        structure: &'static str,
    ) -> Result<()> {
        self.journal.as_ref().unwrap_or(&self.region).read(buf, offset, structure)
    }

    /// Whether `blocks` blocks from `first` lie on the file system.
    pub(crate) fn holds(&self, first: BlockIndex, blocks: u64) -> bool {
        first.0.checked_add(blocks).is_some_and(|end| end <= self.blocks_count)
    }

    /// A whole block of metadata, from the cache if it was read lately.
    pub(crate) fn metadata(&self, block: BlockIndex, structure: &'static str) -> Result<Arc<[u8]>> {
        if let Some(found) = self.cache.find(block) {
            return Ok(found);
        }
        let mut bytes = vec![0; self.block_size.len()];
        self.read(&mut bytes, block, 0, structure)?;
        let bytes: Arc<[u8]> = bytes.into();
        self.cache.insert(block, Arc::clone(&bytes));
        Ok(bytes)
    }

    /// Reads bytes that may span several blocks, beginning `offset` bytes into `block`.
    pub(crate) fn read(
        &self,
        buf: &mut [u8],
        block: BlockIndex,
        offset: u64,
        structure: &'static str,
    ) -> Result<()> {
        let end_in_block = offset.saturating_add(crate::bytes::to_u64(buf.len()));
        if !self.holds(block, self.block_size.blocks_for(end_in_block)) {
            let detail = format!("block {} is past the last of {}", block.0, self.blocks_count);
            return Err(Error::corrupt(structure, self.offset_of(block), detail));
        }
        let mut position = self.block_size.offset_of(block.0).saturating_add(offset);
        let mut rest = buf;
        while !rest.is_empty() {
            let block = BlockIndex(self.block_size.blocks_before(position));
            let within = self.block_size.offset_in_block(position);
            let copy = self.overlay.find(block);
            let blocks = if copy.is_some() {
                1
            } else {
                let end = within.saturating_add(crate::bytes::to_u64(rest.len()));
                self.overlay.alike(block, self.block_size.blocks_for(end))
            };
            let len = self.block_size.offset_of(blocks).saturating_sub(within);
            let len = crate::bytes::to_usize(len).min(rest.len());
            let (piece, behind) = rest.split_at_mut(len);
            match copy {
                Some(copy) => self.read_copy(piece, copy, within, structure)?,
                None => self.region.read(piece, position, structure)?,
            }
            position = position.saturating_add(crate::bytes::to_u64(len));
            rest = behind;
        }
        Ok(())
    }

    fn read_copy(
        &self,
        buf: &mut [u8],
        copy: LoggedCopy,
        offset: u64,
        structure: &'static str,
    ) -> Result<()> {
        self.read_journal(buf, copy.place, offset, structure)?;
        copy.unescape(buf, offset);
        Ok(())
    }
}

impl<S> fmt::Debug for BlockDevice<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockDevice").field("blocks_count", &self.blocks_count).finish_non_exhaustive()
    }
}
