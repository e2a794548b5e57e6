use super::entry::RawEntry;
use crate::Superblock;

/// Where behind a damaged entry at `damaged` the next one begins that is beyond doubt; the end of the block if none does.
///
/// Entries begin at multiples of 4. One is taken for one if all it says is possible and what it leads to is an entry too.
pub(super) fn next_entry(block: &[u8], damaged: usize, superblock: &Superblock) -> usize {
    let behind = |at: usize| block.get(at..).unwrap_or_default();
    let is_entry = |&at: &usize| {
        RawEntry::parse(behind(at), superblock).is_ok_and(|entry| {
            let next = behind(at.saturating_add(entry.len));
            entry.is_convincing(superblock) && (next.is_empty() || RawEntry::parse(next, superblock).is_ok())
        })
    };
    (damaged.saturating_add(4)..block.len()).step_by(4).find(is_entry).unwrap_or(block.len())
}
