//! Extent trees: runs of blocks, found by binary search.
//!
//! A node, in `i_block` (the root, 60 bytes) or in a block of its own (source: the kernel's documentation, "Extent
//! Tree"):
//!
//! ```text
//! 0  magic 0xf30a   2  entries   4  most entries   6  depth   8  generation
//! then entries of 12 bytes, sorted by their first block:
//!   depth 0, an extent:  0 first block  4 length (above 32768: unwritten, length - 32768)  6 start, high  8 start, low
//!   depth > 0, an index: 0 first block  4 child block, low  8 child block, high (16 bits)
//! ```

mod tour;

use std::borrow::Cow;
use std::sync::Arc;

use super::{Run, RunKind};
use crate::bytes::Fields;
use crate::device::BlockDevice;
use crate::finding::Amount;
use crate::units::{BlockIndex, FileBlock};
use crate::{Error, Inode, ReadAt, Result, checksum};

pub(crate) use tour::tour;

const MAGIC: u16 = 0xf30a;
const HEADER_LEN: usize = 12;
const ENTRY_LEN: usize = 12;
/// The kernel's own bound; 340^5 blocks are far more than a file can have.
const MAX_DEPTH: u16 = 5;
const MAX_WRITTEN_LEN: u16 = 0x8000;
/// No file has blocks from here on.
const END: FileBlock = 1 << 32;

/// See [`super::next_run`].
pub(crate) fn next_run<S: ReadAt>(device: &BlockDevice<S>, inode: &Inode, from: FileBlock) -> Option<Run> {
    let mut from = from;
    // A leaf without an extent behind `from` sends the search to the next leaf. Sound trees do so once at most.
    for _ in 0..MAX_EMPTY_LEAVES {
        if from >= END {
            return None;
        }
        match search(device, inode, from) {
            Found::Run(run) => return Some(run),
            Found::Nothing { next: Some(next) } => from = next,
            Found::Nothing { next: None } => return None,
        }
    }
    let error = Error::corrupt(STRUCTURE, inode.offset, "it has too many empty leaves");
    Some(Run { first: from, blocks: END.saturating_sub(from), kind: RunKind::Damaged(error) })
}

const MAX_EMPTY_LEAVES: usize = 1000;

enum Found {
    Run(Run),
    /// The leaf that would hold the block has nothing from there on; the next leaf begins at `next`.
    Nothing {
        next: Option<FileBlock>,
    },
}

fn search<S: ReadAt>(device: &BlockDevice<S>, inode: &Inode, from: FileBlock) -> Found {
    // What the node in hand covers, up to the next index entry on any level above it.
    let mut end = END;
    let damaged = |error, end: FileBlock| {
        let blocks = end.saturating_sub(from).max(1);
        Found::Run(Run { first: from, blocks, kind: RunKind::Damaged(error) })
    };

    let mut node = Node::new(NodeBytes::Borrowed(&inode.i_block), inode.offset);
    if let Err(error) = node.verify() {
        return damaged(error, END);
    }
    while node.depth > 0 {
        let position = node.last_at_or_before(from);
        if let Some(next) = node.entry(position.saturating_add(1)) {
            end = end.min(next.first.max(from.saturating_add(1)));
        }
        let Some(index) = node.entry(position) else {
            return Found::Nothing { next: (end < END).then_some(end) };
        };
        let child = index.child();
        let depth = node.depth.saturating_sub(1);
        node = match Node::read(device, inode, child) {
            Ok(node) if node.depth == depth => node,
            Ok(node) => return damaged(node.corrupt("its depth is wrong"), end),
            Err(error) => return damaged(error, end),
        };
    }

    let position = node.last_at_or_before(from);
    for position in [position, position.saturating_add(1)] {
        let Some(extent) = node.entry(position) else { break };
        if extent.first >= end {
            break;
        }
        let Some(run) = extent.run_from(from) else { continue };
        return match &run.kind {
            RunKind::Data(start) if !device.holds(*start, run.blocks) => {
                let detail = format!(
                    "an extent of {} blocks from block {} leaves the file system",
                    run.blocks, start.0
                );
                let error = node.corrupt(detail);
                Found::Run(Run { kind: RunKind::Damaged(error), ..run })
            }
            _ => Found::Run(run),
        };
    }
    Found::Nothing { next: (end < END).then_some(end) }
}

enum NodeBytes<'a> {
    Borrowed(&'a [u8]),
    Cached(Arc<[u8]>),
}

/// A node; what it says holds once it was verified.
struct Node<'a> {
    bytes: NodeBytes<'a>,
    depth: u16,
    entries: usize,
    offset: u64,
}

const STRUCTURE: &str = "extent tree";

impl<'a> Node<'a> {
    /// The node in a block, verified.
    fn read<S: ReadAt>(device: &BlockDevice<S>, inode: &Inode, block: BlockIndex) -> Result<Self> {
        let offset = device.offset_of(block);
        let bytes = device.examined(block, STRUCTURE, |bytes| {
            let is_right = |seed| checksum::extent_block(seed, inode, bytes);
            let node = Node::new(NodeBytes::Borrowed(bytes), offset);
            let amount = || Amount::one_file(device.block_size().offset_of(node.reach()));
            device.verify_checksum(block, STRUCTURE, Some(inode.number()), is_right, amount)?;
            node.verify()
        })?;
        Ok(Self::new(NodeBytes::Cached(bytes), offset))
    }

    fn new(bytes: NodeBytes<'a>, offset: u64) -> Self {
        let mut node = Self { bytes, depth: 0, entries: 0, offset };
        node.entries = node.fields().u16(2).into();
        node.depth = node.fields().u16(6);
        node
    }

    fn verify(&self) -> Result<()> {
        let fields = self.fields();
        let capacity = fields.0.len().saturating_sub(HEADER_LEN).wrapping_div(ENTRY_LEN);
        if fields.u16(0) != MAGIC {
            Err(self.corrupt("its magic number is wrong"))
        } else if self.entries > fields.u16(4).into() || self.entries > capacity {
            Err(self.corrupt("it has more entries than fit"))
        } else if self.depth > MAX_DEPTH {
            Err(self.corrupt("its depth is wrong"))
        } else if !self.is_sorted() {
            Err(self.corrupt("its entries are out of order or overlap"))
        } else {
            Ok(())
        }
    }

    fn corrupt(&self, detail: impl Into<Cow<'static, str>>) -> Error {
        Error::corrupt(STRUCTURE, self.offset, detail)
    }

    fn fields(&self) -> Fields<'_> {
        Fields(match &self.bytes {
            NodeBytes::Borrowed(bytes) => bytes,
            NodeBytes::Cached(bytes) => bytes,
        })
    }

    fn entry(&self, position: usize) -> Option<Entry> {
        if position >= self.entries {
            return None;
        }
        let at = position.saturating_mul(ENTRY_LEN).saturating_add(HEADER_LEN);
        let fields = Fields(self.fields().slice(at, ENTRY_LEN)?);
        Some(Entry {
            first: fields.u32(0).into(),
            words: [fields.u16(4), fields.u16(6), fields.u16(8), fields.u16(10)],
        })
    }

    fn is_sorted(&self) -> bool {
        let mut free_from = 0;
        for position in 0..self.entries {
            let Some(entry) = self.entry(position) else { return false };
            if entry.first < free_from {
                return false;
            }
            let len = if self.depth == 0 { entry.len() } else { 1 };
            free_from = entry.first.saturating_add(len);
        }
        true
    }

    /// How many blocks of the file it speaks of: from its first entry to the end of its last.
    fn reach(&self) -> u64 {
        let last = self.entries.checked_sub(1).and_then(|last| self.entry(last));
        let end =
            last.map_or(0, |last| last.first.saturating_add(if self.depth == 0 { last.len() } else { 1 }));
        self.entry(0).map_or(0, |first| end.saturating_sub(first.first))
    }

    /// The last entry that begins at or before a block; the first one if all begin behind it.
    fn last_at_or_before(&self, block: FileBlock) -> usize {
        let (mut low, mut high) = (0, self.entries);
        while low < high {
            let middle = low.midpoint(high);
            if self.entry(middle).is_some_and(|entry| entry.first <= block) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low.saturating_sub(1)
    }
}

/// An entry of 12 bytes: an extent in a leaf, an index above.
struct Entry {
    first: FileBlock,
    /// What follows the first block, in words of 16 bits.
    words: [u16; 4],
}

impl Entry {
    /// The block of an index's child.
    fn child(&self) -> BlockIndex {
        let [low, middle, high, _] = self.words.map(u64::from);
        BlockIndex(high << 32 | middle << 16 | low)
    }

    /// The length of an extent, in blocks.
    fn len(&self) -> u64 {
        let [len, ..] = self.words;
        u64::from(if len > MAX_WRITTEN_LEN { len & !MAX_WRITTEN_LEN } else { len })
    }

    /// What of an extent lies at or behind a block.
    fn run_from(&self, from: FileBlock) -> Option<Run> {
        let [len, high, low, middle] = self.words;
        let first = self.first.max(from);
        let skipped = first.saturating_sub(self.first);
        let blocks = self.len().checked_sub(skipped).filter(|&blocks| blocks > 0)?;
        let start = u64::from(high) << 32 | u64::from(middle) << 16 | u64::from(low);
        let start = BlockIndex(start).plus(skipped);
        let kind = if len > MAX_WRITTEN_LEN { RunKind::Unwritten(start) } else { RunKind::Data(start) };
        Some(Run { first, blocks, kind })
    }
}
