//! Revoke blocks: of which blocks the copies logged so far are void, since the blocks hold something else by now.

use super::header::HEADER_LEN;
use super::superblock::JournalSuperblock;
use crate::bytes::{Fields, to_usize};

const RECORDS_AT: usize = 16;

/// The blocks that are revoked. Behind the header:
///
/// ```text
/// 0x0c how many bytes are used, from the start of the block   0x10 numbers of blocks, of 32 bits, or 64 with 64bit
/// ```
pub(super) fn parse_revoked<'a>(
    bytes: &'a [u8],
    superblock: &JournalSuperblock,
) -> impl Iterator<Item = u64> + 'a {
    let len = if superblock.is_64bit { 8 } else { 4 };
    let used = to_usize(Fields(bytes).u32_be(HEADER_LEN).into());
    let end = used.min(bytes.len().saturating_sub(superblock.tail_len()));
    let records = bytes.get(RECORDS_AT..end).unwrap_or_default();
    records.chunks_exact(len).map(move |record| {
        let fields = Fields(record);
        if len == 8 { fields.u64_be(0) } else { fields.u32_be(0).into() }
    })
}
