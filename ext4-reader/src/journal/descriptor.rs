//! Descriptor blocks: where the copies behind them belong.

use super::header::HEADER_LEN;
use super::superblock::{JournalSuperblock, LogChecksums};
use crate::bytes::Fields;

const FLAG_ESCAPED: u16 = 0x1;
const FLAG_SAME_UUID: u16 = 0x2;
const FLAG_LAST: u16 = 0x8;
const UUID_LEN: usize = 16;

/// What a descriptor says of one copy. Behind the header stand tags, one for each block that follows in the log:
///
/// ```text
/// V3 (16 bytes):  0 block  4 flags (32 bits)  8 block, high  12 checksum
/// else:           0 block  4 checksum (16 bits)  6 flags  8 block, high (with 64bit)  2 more bytes with V2
/// flags:          1 escaped  2 same UUID; else 16 bytes of it follow  8 last tag
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    /// The block of the file system that this is a copy of.
    pub(super) block: u64,
    pub(super) checksum: u32,
    /// The block began with the journal's magic number, which the log must not hold: there are zeros instead.
    pub(super) is_escaped: bool,
}

pub(super) fn parse_tags<'a>(
    bytes: &'a [u8],
    superblock: &JournalSuperblock,
) -> impl Iterator<Item = Tag> + 'a {
    let is_v3 = superblock.checksums == LogChecksums::V3;
    let is_64bit = superblock.is_64bit;
    let len = tag_len(superblock);
    let end = bytes.len().saturating_sub(superblock.tail_len());
    let mut next = Some(HEADER_LEN);
    std::iter::from_fn(move || {
        let at = next?;
        if at.saturating_add(len) > end {
            return None;
        }
        let fields = Fields(bytes.get(at..)?);
        let flags = fields.u16_be(6);
        let uuid_len = if flags & FLAG_SAME_UUID == 0 { UUID_LEN } else { 0 };
        next = (flags & FLAG_LAST == 0).then(|| at.saturating_add(len).saturating_add(uuid_len));
        let high = if is_64bit { u64::from(fields.u32_be(8)) << 32 } else { 0 };
        Some(Tag {
            block: high | u64::from(fields.u32_be(0)),
            checksum: if is_v3 { fields.u32_be(12) } else { fields.u16_be(4).into() },
            is_escaped: flags & FLAG_ESCAPED != 0,
        })
    })
}

/// How many copies one descriptor can speak of at most.
pub(super) fn most_tags(superblock: &JournalSuperblock, block_len: usize) -> usize {
    block_len.checked_div(tag_len(superblock)).unwrap_or(0)
}

fn tag_len(superblock: &JournalSuperblock) -> usize {
    match (superblock.checksums, superblock.is_64bit) {
        (LogChecksums::V3, _) => 16,
        (LogChecksums::V2, true) => 14,
        (LogChecksums::V2, false) => 10,
        (_, true) => 12,
        (_, false) => 8,
    }
}
