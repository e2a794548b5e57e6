//! From blocks of a file to blocks of the file system.

pub(crate) mod block_map;
pub(crate) mod extent_tree;
mod extents;
pub(crate) mod inline;
pub(crate) mod tour;

use crate::amendments::Next;
use crate::device::BlockDevice;
use crate::units::{BlockIndex, FileBlock};
use crate::{Error, Inode, ReadAt};

pub use extents::{ExtentKind, FileExtent, FileExtents};

/// Consecutive blocks of a file that share a fate.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) first: FileBlock,
    /// How many; at least 1.
    pub(crate) blocks: u64,
    pub(crate) kind: RunKind,
}

#[derive(Debug)]
pub(crate) enum RunKind {
    /// They hold data, in consecutive blocks from this one.
    Data(BlockIndex),
    /// They are reserved, but were never written: what lies there is older and of another file.
    Unwritten(BlockIndex),
    /// Where they lie could not be read.
    Damaged(Error),
}

/// The first run of blocks at or behind `from` that is no hole; it does not begin before `from`. `None` if only a hole
/// follows.
pub(crate) fn next_run<S: ReadAt>(device: &BlockDevice<S>, inode: &Inode, from: FileBlock) -> Option<Run> {
    next_run_of(device, inode, from, u64::MAX)
}

/// The same, for who wants no more than so many blocks: of those behind them nothing need be found out.
pub(crate) fn next_run_of<S: ReadAt>(
    device: &BlockDevice<S>,
    inode: &Inode,
    from: FileBlock,
    wanted: u64,
) -> Option<Run> {
    let Some(ranges) = &inode.ranges else { return mapped_run(device, inode, from, wanted) };
    let mut from = from;
    // Every turn passes a range, and of these there are few.
    loop {
        let end = match ranges.next(device, inode, from) {
            Next::Run(run) => return Some(run),
            Next::HoleTo(FileBlock::MAX) => return None,
            Next::HoleTo(end) => {
                from = end;
                continue;
            }
            Next::AsMapped(None) => return mapped_run(device, inode, from, wanted),
            Next::AsMapped(Some(end)) => end,
        };
        match mapped_run(device, inode, from, wanted) {
            Some(run) if run.first < end => {
                let blocks = run.blocks.min(end.saturating_sub(run.first));
                return Some(Run { blocks, ..run });
            }
            _ => from = end,
        }
    }
}

/// The same, by what the inode says.
fn mapped_run<S: ReadAt>(
    device: &BlockDevice<S>,
    inode: &Inode,
    from: FileBlock,
    wanted: u64,
) -> Option<Run> {
    let run = if inode.has_extents() {
        extent_tree::next_run(device, inode, from)
    } else {
        block_map::next_run(device, inode, from, wanted)
    };
    run.map(|mut run| {
        if let RunKind::Damaged(error) = run.kind {
            run.kind = RunKind::Damaged(error.of_inode(inode.number()));
        }
        run
    })
}
