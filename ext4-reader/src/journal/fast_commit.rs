//! Fast commits: behind the log, what a few files became since the last transaction.

use super::log::Log;
use crate::ReadAt;
use crate::bytes::Fields;

const TAG_HEAD: u16 = 9;

/// Whether there are fast commits that belong behind the transaction before `sequence`.
///
/// The first block of their area then begins with a head: `0 tag 9 (16 bits)  2 length  4 features  8 sequence`.
pub(super) fn is_pending<S: ReadAt>(log: &Log<'_, S>, sequence: u32) -> bool {
    // What cannot be read may be one.
    log.superblock.fast_commits.clone().next().is_some_and(|first| {
        log.blocks.read(first).map_or(true, |bytes| {
            let fields = Fields(&bytes);
            fields.u16(0) == TAG_HEAD && fields.u32(8) == sequence
        })
    })
}
