//! All that a file's map consists of, its own blocks included, whether a reader would come by it or not.

use std::ops::Range;

use super::{Run, RunKind, block_map, extent_tree, next_run};
use crate::device::BlockDevice;
use crate::units::{BlockIndex, FileBlock};
use crate::{Error, Inode, ReadAt};

/// A piece of a map.
#[derive(Debug)]
pub(crate) enum Part {
    /// A block that holds a part of the map itself.
    Node(BlockIndex),
    /// Blocks of the file.
    Run(Run),
}

/// How many blocks of maps are still looked at. Those that lead to one another over and over would have no end.
#[derive(Debug)]
pub(crate) struct Budget(pub(crate) u64);

impl Budget {
    pub(super) fn spend(&mut self) -> bool {
        let left = self.0.checked_sub(1);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// Visits all parts of the map of a file that has one, in no particular order.
pub(crate) fn tour<S: ReadAt>(
    device: &BlockDevice<S>,
    inode: &Inode,
    budget: &mut Budget,
    visit: &mut dyn FnMut(Part),
) {
    if inode.ranges.is_some() {
        let mut from = 0;
        while budget.spend()
            && let Some(run) = next_run(device, inode, from)
        {
            from = run.first.saturating_add(run.blocks);
            visit(Part::Run(run));
        }
    } else if inode.has_extents() {
        extent_tree::tour(device, inode, budget, visit);
    } else {
        block_map::tour(device, inode, budget, visit);
    }
}

/// A range of the file whose place is not known.
pub(super) fn damaged(range: Range<FileBlock>, error: Error, inode: &Inode) -> Part {
    let blocks = range.end.saturating_sub(range.start).max(1);
    let error = error.of_inode(inode.number());
    Part::Run(Run { first: range.start, blocks, kind: RunKind::Damaged(error) })
}
