//! The log: a ring of blocks, each of its records verified, and mended where one byte of it is wrong.

use super::header::{Header, Kind};
use super::location::JournalBlocks;
use super::mend;
use super::superblock::{JournalSuperblock, LogChecksums};
use crate::bytes::Fields;
use crate::checksum::crc32c;
use crate::units::BlockIndex;
use crate::{ReadAt, Result};

/// Behind a commit block's header: `0x0c` checksum type (8 bits), `0x0d` its length, `0x10` the checksum, `0x30` the time
/// in seconds (64 bits).
pub(super) const COMMIT_CHECKSUM: usize = 0x10;
const COMMIT_TIME: usize = 0x30;
const COMMIT_LEN: usize = 0x40;

pub(super) struct Log<'a, S> {
    pub(super) blocks: JournalBlocks<'a, S>,
    pub(super) superblock: JournalSuperblock,
}

/// A block of the log that is not a copy.
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) sequence: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) soundness: Soundness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Soundness {
    Sound,
    /// One byte was wrong.
    Mended,
    /// Its checksum is wrong.
    Broken,
}

impl Record {
    /// When a commit was written, in seconds.
    pub(super) fn commit_time(&self) -> u64 {
        Fields(&self.bytes).u64_be(COMMIT_TIME)
    }
}

impl<S: ReadAt> Log<'_, S> {
    /// How many blocks the ring has.
    pub(super) fn len(&self) -> u32 {
        self.superblock.end.saturating_sub(self.superblock.first)
    }

    /// The block so many behind another, around the ring.
    pub(super) fn position_behind(&self, position: u32, distance: u32) -> u32 {
        let along = u64::from(position.saturating_sub(self.superblock.first)).saturating_add(distance.into());
        let along = along.checked_rem(self.len().into()).unwrap_or(0);
        self.superblock.first.saturating_add(u32::try_from(along).unwrap_or(0))
    }

    /// What a block of the log says, if it is a record of this transaction.
    pub(super) fn record(&self, position: u32, sequence: u32) -> Option<Record> {
        let bytes = self.blocks.read(position).ok()?;
        let expected = |bytes: &[u8]| {
            Header::parse(bytes).filter(|header| header.sequence == sequence && is_record(header.kind))
        };
        let record = |header: Header, bytes, soundness| Record {
            kind: header.kind,
            sequence: header.sequence,
            bytes,
            soundness,
        };
        let header = expected(&bytes);
        if let Some(header) = header
            && self.is_sound(header.kind, &bytes)
        {
            return Some(record(header, bytes, Soundness::Sound));
        }
        let mended = self.mended(&bytes).find_map(|mended| Some((expected(&mended)?, mended)));
        match (mended, header) {
            (Some((header, mended)), _) => Some(record(header, mended, Soundness::Mended)),
            (None, Some(header)) => Some(record(header, bytes, Soundness::Broken)),
            (None, None) => None,
        }
    }

    /// What a block of the log says, if it is a sound record of any transaction.
    pub(super) fn sound_record(&self, position: u32) -> Option<Record> {
        let bytes = self.blocks.read(position).ok()?;
        let Header { kind, sequence } = Header::parse(&bytes).filter(|header| is_record(header.kind))?;
        self.is_sound(kind, &bytes).then_some(Record { kind, sequence, bytes, soundness: Soundness::Sound })
    }

    fn is_sound(&self, kind: Kind, bytes: &[u8]) -> bool {
        if !self.superblock.has_crc32c() {
            return true;
        }
        let seed = self.superblock.seed;
        if kind == Kind::Commit {
            let stored = Fields(bytes).u32_be(COMMIT_CHECKSUM);
            mend::checksum_without(seed, bytes, COMMIT_CHECKSUM) == stored || {
                // The kernel takes a block of which only the first sector reached the disk.
                let mut first = bytes.get(..COMMIT_LEN).unwrap_or_default().to_vec();
                first.resize(bytes.len(), 0);
                mend::checksum_without(seed, &first, COMMIT_CHECKSUM) == stored
            }
        } else {
            let tail = bytes.len().saturating_sub(self.superblock.tail_len());
            mend::checksum_without(seed, bytes, tail) == Fields(bytes).u32_be(tail)
        }
    }

    /// What a block may have been before one byte of it was damaged.
    fn mended(&self, bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        let tail = bytes.len().saturating_sub(self.superblock.tail_len());
        let fields = if self.superblock.has_crc32c() { &[tail, COMMIT_CHECKSUM][..] } else { &[] };
        let seed = self.superblock.seed;
        fields
            .iter()
            .filter_map(move |&field| mend::block(seed, bytes, field))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Whether a copy is what the descriptor's tag says it is.
    pub(super) fn verify_copy(&self, place: BlockIndex, sequence: u32, checksum: u32) -> Result<bool> {
        if !self.superblock.has_crc32c() {
            return Ok(true);
        }
        let bytes = self.blocks.read_at(place)?;
        let found = crc32c(crc32c(self.superblock.seed, &sequence.to_be_bytes()), &bytes);
        let compared = if self.superblock.checksums == LogChecksums::V2 { found & 0xffff } else { found };
        Ok(compared == checksum)
    }

    /// Where a block of the log lies in its source, in bytes, for reports.
    pub(super) fn offset_of(&self, position: u32) -> u64 {
        self.blocks.block(position).map_or(0, |block| self.blocks.offset_of(block))
    }
}

fn is_record(kind: Kind) -> bool {
    matches!(kind, Kind::Descriptor | Kind::Commit | Kind::Revoke)
}
