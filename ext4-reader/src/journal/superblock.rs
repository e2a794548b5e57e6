use std::ops::Range;

use super::header::{Header, Kind};
use super::mend;
use crate::bytes::Fields;
use crate::checksum::crc32c;
use crate::units::BlockSize;
use crate::{Error, Result};

pub(super) const LEN: usize = 1024;
const CHECKSUM: usize = 0xfc;

const COMPAT_CHECKSUM: u32 = 0x1;
const INCOMPAT_64BIT: u32 = 0x2;
const INCOMPAT_ASYNC_COMMIT: u32 = 0x4;
const INCOMPAT_CSUM_V2: u32 = 0x8;
const INCOMPAT_CSUM_V3: u32 = 0x10;
const INCOMPAT_FAST_COMMIT: u32 = 0x20;
const KNOWN_INCOMPAT: u32 = 0x3f;
const CRC32C: u8 = 4;

/// Where fast commits lie if the superblock does not say how many blocks they have.
const DEFAULT_FAST_COMMIT_BLOCKS: u32 = 256;
/// With fewer blocks than this left for the log, fast commits have no blocks of their own.
const MIN_LOG_BLOCKS: u32 = 1024;
/// What mke2fs refuses to exceed; it bounds the memory that a replay may take.
const MAX_BLOCKS: u32 = 10_240_000;

/// What the journal's own superblock says, in the journal's first block. Big-endian:
///
/// ```text
/// 0x00 header, kind 3 (version 1) or 4 (version 2)   0x0c block size   0x10 blocks   0x14 first block of the log
/// 0x18 sequence of the first transaction   0x1c its block, or 0 if the log is empty
/// version 2:  0x24 compat   0x28 incompat   0x30 UUID   0x50 checksum type   0x54 blocks for fast commits
///             0xfc checksum of 1024 bytes
/// ```
#[derive(Debug, Clone)]
pub(super) struct JournalSuperblock {
    /// The log is a ring of the blocks from `first` to before `end`.
    pub(super) first: u32,
    pub(super) end: u32,
    /// The blocks for fast commits, if there are any.
    pub(super) fast_commits: Range<u32>,
    /// Where the oldest transaction begins, or 0: then there is none.
    pub(super) start: u32,
    pub(super) sequence: u32,
    pub(super) is_64bit: bool,
    pub(super) is_async: bool,
    pub(super) checksums: LogChecksums,
    /// What the checksums of this journal begin with.
    pub(super) seed: u32,
    /// A byte of it was wrong, and its checksum told which.
    pub(super) is_mended: bool,
}

/// How the log is checksummed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogChecksums {
    None,
    /// One CRC-32 for all descriptors and copies of a transaction.
    Transaction,
    /// CRC-32C of every block, cut to 16 bits for copies.
    V2,
    /// CRC-32C of every block.
    V3,
}

impl JournalSuperblock {
    /// `bytes` are 1024 that lie at `offset` in the source; `blocks` is how many the journal has room for.
    pub(super) fn parse(bytes: &[u8], offset: u64, block_size: BlockSize, blocks: u64) -> Result<Self> {
        match Self::parse_sound(bytes, offset, block_size, blocks) {
            Ok(superblock) => Ok(superblock),
            Err(error) => {
                // One wrong byte can be told from the checksum, wherever it is.
                let mended = mend::superblock(bytes, CHECKSUM).ok_or(error)?;
                let superblock = Self::parse_sound(&mended, offset, block_size, blocks)?;
                Ok(Self { is_mended: true, ..superblock })
            }
        }
    }

    fn parse_sound(bytes: &[u8], offset: u64, block_size: BlockSize, present: u64) -> Result<Self> {
        let fields = Fields(bytes);
        let corrupt = |detail: String| Error::corrupt("journal superblock", offset, detail);
        let has_features = match Header::parse(bytes).map(|header| header.kind) {
            Some(Kind::SuperblockV1) => false,
            Some(Kind::SuperblockV2) => true,
            _ => return Err(corrupt("its magic number or version is wrong".to_owned())),
        };
        let feature_bits = |at| if has_features { fields.u32_be(at) } else { 0 };
        let (compat, incompat) = (feature_bits(0x24), feature_bits(0x28));
        if incompat & !KNOWN_INCOMPAT != 0 {
            return Err(Error::Unsupported(format!(
                "the journal feature incompat_{:#x}",
                incompat & !KNOWN_INCOMPAT
            )));
        }
        let checksums =
            match (compat & COMPAT_CHECKSUM, incompat & INCOMPAT_CSUM_V2, incompat & INCOMPAT_CSUM_V3) {
                (0, 0, 0) => LogChecksums::None,
                (_, 0, 0) => LogChecksums::Transaction,
                (0, _, 0) => LogChecksums::V2,
                (0, 0, _) => LogChecksums::V3,
                _ => return Err(corrupt("it has checksums of several versions".to_owned())),
            };
        let has_crc32c = matches!(checksums, LogChecksums::V2 | LogChecksums::V3);
        if has_crc32c {
            if fields.u8(0x50) != CRC32C {
                return Err(Error::Unsupported(format!("the journal checksum type {}", fields.u8(0x50))));
            }
            if mend::checksum_without(!0, bytes, CHECKSUM) != fields.u32_be(CHECKSUM) {
                return Err(corrupt("its checksum is wrong".to_owned()));
            }
        }

        let blocks = fields.u32_be(0x10);
        if blocks > MAX_BLOCKS {
            let what = "the length of the journal in blocks";
            return Err(Error::Limit { what, needed: blocks.into(), allowed: MAX_BLOCKS.into() });
        }
        let has_fast_commits = incompat & INCOMPAT_FAST_COMMIT != 0;
        let fast_commit_blocks = match (has_fast_commits, fields.u32_be(0x54)) {
            (false, _) => 0,
            (true, 0) => DEFAULT_FAST_COMMIT_BLOCKS,
            (true, blocks) => blocks,
        };
        let end =
            blocks.checked_sub(fast_commit_blocks).filter(|&log| log >= MIN_LOG_BLOCKS).unwrap_or(blocks);
        let superblock = Self {
            first: fields.u32_be(0x14),
            end,
            // The block between is not used.
            fast_commits: end.saturating_add(1)..blocks,
            start: fields.u32_be(0x1c),
            sequence: fields.u32_be(0x18),
            is_64bit: incompat & INCOMPAT_64BIT != 0,
            is_async: incompat & INCOMPAT_ASYNC_COMMIT != 0,
            checksums,
            seed: crc32c(!0, &fields.array::<16>(0x30)),
            is_mended: false,
        };
        let in_log = |block| (superblock.first..superblock.end).contains(&block);
        if u64::from(fields.u32_be(0xc)) != block_size.bytes() {
            Err(corrupt(format!("its blocks have {} bytes", fields.u32_be(0xc))))
        } else if u64::from(blocks) > present {
            Err(corrupt(format!("it has {blocks} blocks where there is room for {present}")))
        } else if superblock.first == 0 || !in_log(superblock.first) {
            Err(corrupt(format!("its log begins at block {} of {end}", superblock.first)))
        } else if superblock.start != 0 && !in_log(superblock.start) {
            Err(corrupt(format!("its first transaction begins at block {} of {end}", superblock.start)))
        } else {
            Ok(superblock)
        }
    }

    /// The length of what ends descriptors and revoke blocks: their checksum.
    pub(super) fn tail_len(&self) -> usize {
        if self.has_crc32c() { 4 } else { 0 }
    }

    /// Whether every block of the log has a checksum.
    pub(super) fn has_crc32c(&self) -> bool {
        matches!(self.checksums, LogChecksums::V2 | LogChecksums::V3)
    }
}
