//! The blocks of a file system, read from the caller's source.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::bytes::{to_u64, to_usize};
use crate::cache::{BlockCache, Cached};
use crate::finding::Amount;
use crate::journal::{LoggedCopy, Overlay};
use crate::read_ahead::{Locality, ReadAhead};
use crate::scrutiny::Scrutiny;
use crate::units::{BlockIndex, BlockSize};
use crate::{Corrupt, Error, InodeNumber, ReadAt, Result};

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
    scrutiny: Scrutiny,
    read_ahead: ReadAhead,
}

impl<S: ReadAt> BlockDevice<S> {
    pub(crate) fn new(
        region: Region<S>,
        block_size: BlockSize,
        blocks_count: u64,
        cache_bytes: usize,
        scrutiny: Scrutiny,
    ) -> Self {
        let cache = BlockCache::new(cache_bytes, block_size.len());
        let read_ahead = ReadAhead::new(block_size, cache.capacity_blocks());
        let present_blocks = blocks_count.min(block_size.blocks_for(region.size()));
        Self {
            region,
            journal: None,
            overlay: Overlay::default(),
            block_size,
            blocks_count,
            present_blocks,
            cache,
            scrutiny,
            read_ahead,
        }
    }

    pub(crate) fn scrutiny(&self) -> &Scrutiny {
        &self.scrutiny
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
        match self.cache.find(block) {
            Some(found) => Ok(found.bytes),
            None => self.fetch(block, Locality::Cluster, structure),
        }
    }

    /// The same, for a block of a table.
    pub(crate) fn table_block(&self, block: BlockIndex, structure: &'static str) -> Result<Arc<[u8]>> {
        match self.cache.find(block) {
            Some(found) => Ok(found.bytes),
            None => self.fetch(block, Locality::Table, structure),
        }
    }

    /// The same for a block with a checksum; `amount` is what it speaks of.
    pub(crate) fn verified(
        &self,
        block: BlockIndex,
        structure: &'static str,
        owner: Option<InodeNumber>,
        is_right: impl FnOnce(u32, &[u8]) -> bool,
        amount: impl FnOnce(&[u8]) -> Amount,
    ) -> Result<Arc<[u8]>> {
        self.examined(block, structure, |bytes| {
            self.verify_checksum(block, structure, owner, |seed| is_right(seed, bytes), || amount(bytes))
        })
    }

    /// The same for a block that is to be examined as a whole: once, as long as it stays in the cache.
    pub(crate) fn examined(
        &self,
        block: BlockIndex,
        structure: &'static str,
        examine: impl FnOnce(&[u8]) -> Result<()>,
    ) -> Result<Arc<[u8]>> {
        let bytes = match self.cache.find(block) {
            Some(found) if found.examined_as == Some(structure) => return Ok(found.bytes),
            Some(found) => found.bytes,
            None => self.fetch(block, Locality::Cluster, structure)?,
        };
        examine(&bytes)?;
        self.cache.insert(block, Cached { bytes: Arc::clone(&bytes), examined_as: Some(structure) });
        Ok(bytes)
    }

    pub(crate) fn verify_checksum(
        &self,
        block: BlockIndex,
        structure: &'static str,
        owner: Option<InodeNumber>,
        is_right: impl FnOnce(u32) -> bool,
        amount: impl FnOnce() -> Amount,
    ) -> Result<()> {
        if self.scrutiny.seed().is_none_or(is_right) {
            return Ok(());
        }
        let damage = Corrupt::new(structure, self.offset_of(block), "its checksum is wrong");
        let damage = match owner {
            Some(number) => damage.of_inode(number),
            None => damage,
        };
        self.scrutiny.wrong_checksum(damage, amount())
    }

    /// The same, after `mend` has seen, and perhaps changed, what was read from the source.
    pub(crate) fn mended(
        &self,
        block: BlockIndex,
        structure: &'static str,
        mend: impl FnOnce(Result<Vec<u8>>) -> Result<Vec<u8>>,
    ) -> Result<Arc<[u8]>> {
        match self.cache.find(block) {
            Some(found) if found.examined_as == Some(structure) => return Ok(found.bytes),
            _ => {}
        }
        let bytes = mend(self.read_blocks(&(block.0..block.plus(1).0), structure))?;
        let bytes: Arc<[u8]> = bytes.into();
        self.cache.insert(block, Cached { bytes: Arc::clone(&bytes), examined_as: Some(structure) });
        Ok(bytes)
    }

    /// Reads a block, and those around it that are worth it, into the cache.
    fn fetch(&self, block: BlockIndex, locality: Locality, structure: &'static str) -> Result<Arc<[u8]>> {
        let window = self.read_ahead.on_miss(block, locality);
        let window = window.start..window.end.min(self.present_blocks);
        // One bad sector must not cost the blocks around it: on failure only what was asked for is read.
        if window.end.saturating_sub(window.start) > 1
            && let Ok(bytes) = self.read_blocks(&window, structure)
        {
            for (index, bytes) in window.zip(bytes.chunks_exact(self.block_size.len())) {
                self.cache.insert(BlockIndex(index), Cached { bytes: bytes.into(), examined_as: None });
            }
            if let Some(found) = self.cache.find(block) {
                return Ok(found.bytes);
            }
        }
        let bytes: Arc<[u8]> = self.read_blocks(&(block.0..block.plus(1).0), structure)?.into();
        self.cache.insert(block, Cached { bytes: Arc::clone(&bytes), examined_as: None });
        Ok(bytes)
    }

    /// Reads whole blocks. Whoever calls bounds how many.
    fn read_blocks(&self, blocks: &Range<u64>, structure: &'static str) -> Result<Vec<u8>> {
        let count = to_usize(blocks.end.saturating_sub(blocks.start));
        let mut bytes = vec![0; count.saturating_mul(self.block_size.len())];
        self.read(&mut bytes, BlockIndex(blocks.start), 0, structure).map(|()| bytes)
    }

    /// Reads bytes that may span several blocks, beginning `offset` bytes into `block`.
    pub(crate) fn read(
        &self,
        buf: &mut [u8],
        block: BlockIndex,
        offset: u64,
        structure: &'static str,
    ) -> Result<()> {
        let end_in_block = offset.saturating_add(to_u64(buf.len()));
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
                let end = within.saturating_add(to_u64(rest.len()));
                self.overlay.alike(block, self.block_size.blocks_for(end))
            };
            let len = self.block_size.offset_of(blocks).saturating_sub(within);
            let len = to_usize(len).min(rest.len());
            let (piece, behind) = rest.split_at_mut(len);
            match copy {
                Some(copy) => self.read_copy(piece, copy, within, structure)?,
                None => self.region.read(piece, position, structure)?,
            }
            position = position.saturating_add(to_u64(len));
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
