//! From the log to its transactions: in order, up to the first that was not committed.

use super::descriptor::{Tag, most_tags, parse_tags};
use super::header::Kind;
use super::log::{COMMIT_CHECKSUM, Log, Record, Soundness};
use super::state::{JournalDamage, JournalLoss};
use super::superblock::LogChecksums;
use crate::ReadAt;
use crate::bytes::Fields;
use crate::checksum::crc32;
use crate::units::BlockIndex;

/// The type and the length of the checksum of a transaction, as a commit block tells them.
const CRC32: (u8, u8) = (1, 4);

pub(super) struct Scan {
    /// Those that were committed, oldest first.
    pub(super) transactions: Vec<Transaction>,
    /// The sequence number behind the last of them.
    pub(super) end: u32,
}

#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) sequence: u32,
    pub(super) copies: Vec<Copy>,
    /// Where its revoke blocks lie in the log.
    pub(super) revokes: Vec<u32>,
    pub(super) damage: Vec<JournalDamage>,
}

/// A block as a transaction left it.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) tag: Tag,
    pub(super) place: BlockIndex,
}

/// Reads the log. It ends where the kernel takes it to end; but where a damaged block stands at that place and the log
/// demonstrably goes on behind it, the scan goes on as well and says what it passed over.
pub(super) fn scan<S: ReadAt>(log: &Log<'_, S>) -> Scan {
    let mut scanner = Scanner {
        log,
        position: log.superblock.start,
        blocks_left: log.len(),
        last_commit_time: 0,
        crc: !0,
        current: Transaction { sequence: log.superblock.sequence, ..Transaction::default() },
        transactions: Vec::new(),
        is_doubtful: false,
    };
    while scanner.blocks_left > 0 {
        let goes_on = match log.record(scanner.position, scanner.current.sequence) {
            Some(record) => scanner.take(&record),
            None => scanner.pass_over_damage(),
        };
        if !goes_on {
            break;
        }
    }
    Scan { end: scanner.current.sequence, transactions: scanner.transactions }
}

struct Scanner<'a, 'b, S> {
    log: &'a Log<'b, S>,
    position: u32,
    /// The ring is gone round once.
    blocks_left: u32,
    last_commit_time: u64,
    /// Of what the transaction has so far, where transactions have checksums.
    crc: u32,
    current: Transaction,
    transactions: Vec<Transaction>,
    /// The transaction has a block whose checksum is wrong: it may be left from a journal that lay here before.
    is_doubtful: bool,
}

impl<S: ReadAt> Scanner<'_, '_, S> {
    /// Returns whether the log goes on.
    fn take(&mut self, record: &Record) -> bool {
        if record.soundness == Soundness::Mended {
            self.note(self.position, JournalLoss::Nothing);
        }
        match record.kind {
            Kind::Commit => return self.commit(record),
            _ if record.soundness == Soundness::Broken => {
                self.is_doubtful = true;
                return self.pass_over_damage();
            }
            Kind::Revoke => {
                self.current.revokes.push(self.position);
                self.advance(1);
            }
            _ => {
                self.advance(1);
                self.add_to_checksum(&record.bytes);
                for tag in parse_tags(&record.bytes, &self.log.superblock) {
                    self.add_copy(tag);
                }
            }
        }
        true
    }

    fn add_copy(&mut self, tag: Tag) {
        if self.blocks_left == 0 {
            return;
        }
        match self.log.blocks.block(self.position) {
            Ok(place) => {
                self.current.copies.push(Copy { tag, place });
                if self.log.superblock.checksums == LogChecksums::Transaction
                    && let Ok(bytes) = self.log.blocks.read_at(place)
                {
                    self.add_to_checksum(&bytes);
                }
            }
            Err(_) => self.note(self.position, JournalLoss::Copy(tag.block)),
        }
        self.advance(1);
    }

    fn add_to_checksum(&mut self, bytes: &[u8]) {
        if self.log.superblock.checksums == LogChecksums::Transaction {
            self.crc = crc32(self.crc, bytes);
        }
    }

    fn commit(&mut self, record: &Record) -> bool {
        let is_sound = record.soundness != Soundness::Broken && self.checksum_holds(record);
        if !is_sound || self.is_doubtful {
            // What is older than the commit before it is left from a journal that lay here before.
            if record.commit_time() < self.last_commit_time {
                return false;
            }
        }
        if !is_sound {
            // An asynchronous commit may reach the disk before what it commits; then the log ends there, unless it
            // demonstrably goes on.
            let next = self.log.position_behind(self.position, 1);
            let goes_on = || self.log.record(next, self.current.sequence.wrapping_add(1)).is_some();
            if self.log.superblock.is_async && !goes_on() {
                return false;
            }
            self.note(self.position, JournalLoss::Unknown);
        }
        self.last_commit_time = record.commit_time();
        self.advance(1);
        self.finish_transaction();
        true
    }

    /// The checksum of a transaction, if transactions have one.
    fn checksum_holds(&self, record: &Record) -> bool {
        if self.log.superblock.checksums != LogChecksums::Transaction {
            return true;
        }
        let fields = Fields(&record.bytes);
        let kind = (fields.u8(0xc), fields.u8(0xd));
        let stored = fields.u32_be(COMMIT_CHECKSUM);
        (kind, stored) == ((0, 0), 0) || (kind, stored) == (CRC32, self.crc)
    }

    fn finish_transaction(&mut self) {
        let next = Transaction { sequence: self.current.sequence.wrapping_add(1), ..Transaction::default() };
        self.transactions.push(std::mem::replace(&mut self.current, next));
        self.crc = !0;
        self.is_doubtful = false;
    }

    /// The block in hand is no record of the transaction. Either the log ends here, or it is damaged: then a record of
    /// this transaction or of the next follows, no further off than the copies that one descriptor can speak of.
    fn pass_over_damage(&mut self) -> bool {
        if self.log.superblock.is_async {
            return false;
        }
        let reach = most_tags(&self.log.superblock, self.log.blocks.block_len()).saturating_add(1);
        let reach = u32::try_from(reach).unwrap_or(u32::MAX).min(self.blocks_left.saturating_sub(1));
        let next_sequence = self.current.sequence.wrapping_add(1);
        for distance in 1..=reach {
            let position = self.log.position_behind(self.position, distance);
            let Some(record) = self.log.sound_record(position) else { continue };
            let is_next = record.sequence == next_sequence;
            if !is_next && record.sequence != self.current.sequence {
                continue;
            }
            self.note(self.position, JournalLoss::Unknown);
            self.advance(distance);
            // The next one was begun, so this one was committed.
            if is_next {
                self.finish_transaction();
            }
            return true;
        }
        false
    }

    fn note(&mut self, position: u32, loss: JournalLoss) {
        let transaction = self.current.sequence;
        self.current.damage.push(JournalDamage { transaction, offset: self.log.offset_of(position), loss });
    }

    fn advance(&mut self, blocks: u32) {
        self.blocks_left = self.blocks_left.saturating_sub(blocks);
        self.position = self.log.position_behind(self.position, blocks);
    }
}
