//! Ranges of a file whose mapping is another than its inode says.

use std::collections::BTreeMap;

use crate::Error;
use crate::bytes::to_u64;
use crate::device::BlockDevice;
use crate::journal::RangeTarget;
use crate::mapping::{Run, RunKind};
use crate::units::FileBlock;
use crate::{Inode, ReadAt};

/// By their first block; they do not overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranges(BTreeMap<FileBlock, Range>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    blocks: u64,
    /// `None` for a hole.
    target: Option<RangeTarget>,
}

/// What comes next in a file.
pub(crate) enum Next {
    Run(Run),
    /// This is so up to a block; there it is to be asked again.
    HoleTo(FileBlock),
    /// What the inode says holds, up to a block, or to the end.
    AsMapped(Option<FileBlock>),
}

impl Ranges {
    /// A file without any block.
    pub(crate) fn nothing() -> Self {
        Self([(0, Range { blocks: FileBlock::MAX, target: None })].into())
    }

    pub(crate) fn set(&mut self, first: FileBlock, blocks: u64, target: Option<RangeTarget>) {
        let end = first.saturating_add(blocks);
        let before = self.0.range(..end).rev();
        let overlapping: Vec<_> = before
            .take_while(|(start, range)| start.saturating_add(range.blocks) > first)
            .map(|(&start, &range)| (start, range))
            .collect();
        for (start, range) in overlapping {
            self.0.remove(&start);
            if start < first {
                let blocks = first.saturating_sub(start);
                self.0.insert(start, Range { blocks, ..range });
            }
            let rest = start.saturating_add(range.blocks).saturating_sub(end);
            if rest > 0 {
                self.0.insert(end, range.behind(end.saturating_sub(start), rest));
            }
        }
        if blocks > 0 {
            self.0.insert(first, Range { blocks, target });
        }
    }

    /// What a file's blocks from this one on are.
    pub(crate) fn next<S: ReadAt>(&self, device: &BlockDevice<S>, inode: &Inode, from: FileBlock) -> Next {
        let covering = self.0.range(..=from).next_back();
        let covering = covering.filter(|(start, range)| start.saturating_add(range.blocks) > from);
        let Some((&start, range)) = covering else {
            return Next::AsMapped(self.0.range(from..).next().map(|(&start, _)| start));
        };
        let end = start.saturating_add(range.blocks);
        let blocks = end.saturating_sub(from);
        let Some(target) = range.behind(from.saturating_sub(start), blocks).target else {
            return Next::HoleTo(end);
        };
        let kind = if target.is_unwritten {
            RunKind::Unwritten(target.start)
        } else if device.holds(target.start, blocks) {
            RunKind::Data(target.start)
        } else {
            let detail = format!("a fast commit of {} ranges leaves the file system", to_u64(self.0.len()));
            RunKind::Damaged(Error::corrupt("extent tree", inode.offset, detail))
        };
        Next::Run(Run { first: from, blocks, kind })
    }
}

impl Range {
    /// What is left of it behind some blocks.
    fn behind(self, skipped: u64, blocks: u64) -> Self {
        let target = self.target.map(|target| RangeTarget { start: target.start.plus(skipped), ..target });
        Self { blocks, target }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::BlockIndex;

    /// Against a list of every block.
    #[test]
    fn later_ranges_cover_earlier_ones() {
        let mut ranges = Ranges::default();
        let mut model = [None; 64];
        let mut number = 1_u64;
        for turn in 0..2000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (first, blocks) = (number >> 33 & 63, number >> 40 & 15);
            let target = (number >> 50 & 1 == 0).then_some(RangeTarget {
                start: BlockIndex(100 * turn),
                is_unwritten: number >> 51 & 1 == 0,
            });
            ranges.set(first, blocks, target);
            for block in first..(first + blocks).min(64) {
                let at = target.map(|t| RangeTarget { start: t.start.plus(block - first), ..t });
                model[usize::try_from(block).expect("small")] = Some(at);
            }
            for (block, expected) in (0..).zip(model) {
                let covering = ranges.0.range(..=block).next_back();
                let found = covering.filter(|(start, range)| **start + range.blocks > block);
                let found = found.map(|(start, range)| range.behind(block - start, 1).target);
                assert_eq!(found, expected, "block {block} after turn {turn}");
            }
        }
    }
}
