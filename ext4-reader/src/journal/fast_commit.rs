//! Fast commits: behind the log, what a few files became since the last transaction.
//!
//! Their area is a sequence of tags, each with its length and value (little-endian, unlike the rest of the journal). A
//! commit begins with a head or behind the one before it, and ends with a tail that has the CRC-32C of all of it:
//!
//! ```text
//! 0 tag   2 length of the value   4 value:
//!   1 add range     0 inode  4 extent: 4 first block  8 length, above 32768 unwritten  10 start, high  12 start, low
//!   2 delete range  0 inode  4 first block  8 length
//!   3 create, 4 link, 5 unlink    0 directory  4 inode  8 name
//!   6 inode         0 inode  4 its bytes, without attributes
//!   7 padding       8 tail  0 sequence  4 checksum       9 head  0 features  4 sequence
//! ```
//!
//! Source: the kernel's `fs/ext4/fast_commit.h` and the documentation, "Fast Commits".

use super::log::Log;
use crate::bytes::Fields;
use crate::checksum::crc32c;
use crate::units::{BlockIndex, FileBlock};
use crate::{InodeNumber, ReadAt};

/// What became of a file.
#[derive(Debug)]
pub(crate) enum Change {
    /// Blocks of the file lie in consecutive blocks from `start`, or nowhere.
    Range { inode: InodeNumber, first: FileBlock, blocks: u64, target: Option<RangeTarget> },
    /// The directory has a new name for a new file.
    Create(Naming),
    /// The directory has a new name for a file.
    Link(Naming),
    /// A name is gone.
    Unlink(Naming),
    /// The inode's bytes.
    Inode { inode: InodeNumber, bytes: Vec<u8> },
}

/// Where blocks of a file lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RangeTarget {
    pub(crate) start: BlockIndex,
    /// They were reserved and never written.
    pub(crate) is_unwritten: bool,
}

/// That a directory names a file so.
#[derive(Debug)]
pub(crate) struct Naming {
    pub(crate) directory: InodeNumber,
    pub(crate) inode: InodeNumber,
    pub(crate) name: Vec<u8>,
}

/// Fast commits that belong behind the last transaction.
#[derive(Debug, Default)]
pub(crate) struct FastCommits {
    pub(crate) changes: Vec<Change>,
    pub(crate) count: u64,
    /// Why some are left out, if some are.
    pub(crate) left: Option<String>,
}

const ADD_RANGE: u16 = 1;
const DELETE_RANGE: u16 = 2;
const CREATE: u16 = 3;
const LINK: u16 = 4;
const UNLINK: u16 = 5;
const INODE: u16 = 6;
const PADDING: u16 = 7;
const TAIL: u16 = 8;
const HEAD: u16 = 9;

const TAG_LEN: usize = 4;
const TAIL_CHECKED_LEN: usize = 8;
const MAX_WRITTEN_LEN: u16 = 0x8000;
const MAX_INODE_LEN: usize = 65536;

/// Reads the fast commits that follow on the transaction before `sequence`.
pub(super) fn read<S: ReadAt>(log: &Log<'_, S>, sequence: u32) -> FastCommits {
    let mut reader = Reader { sequence, crc: 0, pending: Vec::new(), found: FastCommits::default() };
    for position in log.superblock.fast_commits.clone() {
        let Ok(bytes) = log.blocks.read(position) else {
            reader.found.left = Some(format!("block {position} of the journal cannot be read"));
            break;
        };
        // What does not begin with a head of this sequence is left from earlier.
        let fields = Fields(&bytes);
        if position == log.superblock.fast_commits.start && (fields.u16(0), fields.u32(8)) != (HEAD, sequence)
        {
            break;
        }
        if !reader.take_block(&bytes) {
            break;
        }
    }
    reader.found
}

struct Reader {
    sequence: u32,
    crc: u32,
    /// What the commit in hand says so far.
    pending: Vec<Change>,
    found: FastCommits,
}

impl Reader {
    /// Returns whether the next block may go on.
    fn take_block(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while let Some((tag, behind)) = rest.split_at_checked(TAG_LEN) {
            let len = usize::from(Fields(tag).u16(2));
            let Some((value, behind)) = behind.split_at_checked(len) else {
                return self.end("a tag is too long");
            };
            let kind = Fields(tag).u16(0);
            let fields = Fields(value);
            match kind {
                TAIL if len >= TAIL_CHECKED_LEN => {
                    let checked = value.get(..4).unwrap_or_default();
                    let crc = crc32c(crc32c(self.crc, tag), checked);
                    if (fields.u32(0), fields.u32(4)) != (self.sequence, crc) {
                        return self.end("a checksum is wrong");
                    }
                    self.found.changes.append(&mut self.pending);
                    self.found.count = self.found.count.saturating_add(1);
                    self.crc = 0;
                    rest = behind;
                    continue;
                }
                HEAD if len == 8 => {
                    if fields.u32(0) != 0 {
                        return self.end("they have features that are not known");
                    }
                    if fields.u32(4) != self.sequence {
                        return self.end("a head is of another transaction");
                    }
                }
                PADDING => {}
                _ => match change(kind, value) {
                    Some(change) => self.pending.push(change),
                    None => return self.end("a tag is not known"),
                },
            }
            self.crc = crc32c(crc32c(self.crc, tag), value);
            rest = behind;
        }
        true
    }

    /// Behind a whole commit, what cannot be read is left from earlier; before the first it is a loss.
    fn end(&mut self, problem: &str) -> bool {
        if self.found.count == 0 {
            self.found.left = Some(problem.to_owned());
        }
        false
    }
}

fn change(kind: u16, value: &[u8]) -> Option<Change> {
    let fields = Fields(value);
    let name = || {
        let name = value.get(8..).filter(|name| (1..=255).contains(&name.len()))?.to_vec();
        Some(Naming { directory: InodeNumber(fields.u32(0)), inode: InodeNumber(fields.u32(4)), name })
    };
    let inode = InodeNumber(fields.u32(0));
    match (kind, value.len()) {
        (ADD_RANGE, 16) => {
            let len = fields.u16(8);
            let is_unwritten = len > MAX_WRITTEN_LEN;
            let start = u64::from(fields.u16(10)) << 32 | u64::from(fields.u32(12));
            Some(Change::Range {
                inode,
                first: fields.u32(4).into(),
                blocks: u64::from(if is_unwritten { len & !MAX_WRITTEN_LEN } else { len }),
                target: Some(RangeTarget { start: BlockIndex(start), is_unwritten }),
            })
        }
        (DELETE_RANGE, 12) => {
            let (first, blocks) = (fields.u32(4).into(), fields.u32(8).into());
            Some(Change::Range { inode, first, blocks, target: None })
        }
        (CREATE, _) => name().map(Change::Create),
        (LINK, _) => name().map(Change::Link),
        (UNLINK, _) => name().map(Change::Unlink),
        (INODE, len) if (132..=MAX_INODE_LEN).contains(&len) => {
            Some(Change::Inode { inode, bytes: value.get(4..)?.to_vec() })
        }
        _ => None,
    }
}
