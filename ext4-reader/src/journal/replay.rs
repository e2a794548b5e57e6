//! From transactions to the newest copy of each block.

use std::collections::{BTreeMap, HashMap};

use super::log::Log;
use super::overlay::{LoggedCopy, Overlay};
use super::revoke::parse_revoked;
use super::scan::{Scan, Transaction};
use super::state::{JournalDamage, JournalLoss, Replay};
use crate::ReadAt;
use crate::bytes::to_u64;

pub(super) fn apply<S: ReadAt>(log: &Log<'_, S>, scan: Scan) -> (Overlay, Replay) {
    let mut overlay = Overlay::default();
    let mut replay = Replay { transactions: to_u64(scan.transactions.len()), ..Replay::default() };
    if log.superblock.is_mended {
        let transaction = log.superblock.sequence;
        replay.damage.push(JournalDamage {
            transaction,
            offset: log.offset_of(log.blocks.superblock_position()),
            loss: JournalLoss::Nothing,
        });
    }
    let revoked = revoked(log, &scan.transactions);
    // Blocks whose newest copy so far is damaged: a later one makes up for it.
    let mut lost = BTreeMap::new();
    for mut transaction in scan.transactions {
        replay.damage.append(&mut transaction.damage);
        for copy in &transaction.copies {
            let block = copy.tag.block;
            if let Some(Some(last)) = revoked.get(&block)
                && !is_after(transaction.sequence, *last)
            {
                replay.revoked = replay.revoked.saturating_add(1);
                continue;
            }
            if log.verify_copy(copy.place, transaction.sequence, copy.tag.checksum).unwrap_or(false) {
                overlay.insert(block, LoggedCopy { place: copy.place, is_escaped: copy.tag.is_escaped });
                lost.remove(&block);
            } else {
                lost.insert(
                    block,
                    JournalDamage {
                        transaction: transaction.sequence,
                        offset: log.blocks.offset_of(copy.place),
                        loss: JournalLoss::Copy(block),
                    },
                );
            }
        }
    }
    replay.damage.extend(lost.into_values());
    replay.blocks = to_u64(overlay.len());
    (overlay, replay)
}

/// For each block that has copies, the last transaction that revoked it: copies up to that one are void.
fn revoked<S: ReadAt>(log: &Log<'_, S>, transactions: &[Transaction]) -> HashMap<u64, Option<u32>> {
    if transactions.iter().all(|transaction| transaction.revokes.is_empty()) {
        return HashMap::new();
    }
    let copied = transactions.iter().flat_map(|transaction| &transaction.copies);
    let mut revoked: HashMap<u64, Option<u32>> = copied.map(|copy| (copy.tag.block, None)).collect();
    for transaction in transactions {
        for &position in &transaction.revokes {
            let Some(record) = log.record(position, transaction.sequence) else { continue };
            for block in parse_revoked(&record.bytes, &log.superblock) {
                if let Some(last) = revoked.get_mut(&block) {
                    *last = Some(transaction.sequence);
                }
            }
        }
    }
    revoked
}

/// Sequence numbers wrap around: the one that is less than half the way ahead is the later.
fn is_after(sequence: u32, other: u32) -> bool {
    sequence.wrapping_sub(other).cast_signed() > 0
}
