//! Every pointer of a map.

use super::{DIRECT, POINTER_LEN, pointer};
use crate::bytes::Fields;
use crate::device::BlockDevice;
use crate::mapping::tour::{Budget, Part, damaged};
use crate::mapping::{Run, RunKind};
use crate::units::{BlockIndex, FileBlock};
use crate::{Error, Inode, ReadAt};

/// See [`crate::mapping::tour::tour`].
pub(crate) fn tour<S: ReadAt>(
    device: &BlockDevice<S>,
    inode: &Inode,
    budget: &mut Budget,
    visit: &mut dyn FnMut(Part),
) {
    let per_block = device.block_size().bytes() / POINTER_LEN;
    let mut tour = Tour { device, inode, budget, visit, per_block, open: None };
    let root = Fields(&inode.i_block);
    tour.leaf(root, DIRECT, 0, inode.offset);
    let (mut first, mut span) = (DIRECT, per_block);
    for (slot, depth) in (DIRECT..).zip(1..=3) {
        tour.tree(pointer(root, slot), depth, first, inode.offset);
        first = first.saturating_add(span);
        span = span.saturating_mul(per_block);
    }
    tour.close();
}

struct Tour<'a, S> {
    device: &'a BlockDevice<S>,
    inode: &'a Inode,
    budget: &'a mut Budget,
    visit: &'a mut dyn FnMut(Part),
    per_block: u64,
    /// The run that the next pointer may continue.
    open: Option<Run>,
}

impl<S: ReadAt> Tour<'_, S> {
    /// The tree below a pointer that stands at byte `offset` of the source. `first` is the first block of the file that it
    /// leads to, `depth` the levels of pointers below it, three at most.
    fn tree(&mut self, pointer_to: u32, depth: u32, first: FileBlock, offset: u64) {
        if pointer_to == 0 || !self.budget.spend() {
            return;
        }
        let block = BlockIndex(pointer_to.into());
        let span = self.per_block.saturating_pow(depth);
        let bytes = if self.device.holds(block, 1) {
            self.device.metadata(block, "indirect block")
        } else {
            Err(Error::corrupt("block map", offset, past_the_end(pointer_to)))
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => {
                return (self.visit)(damaged(first..first.saturating_add(span), error, self.inode));
            }
        };
        (self.visit)(Part::Node(block));
        let offset = self.device.offset_of(block);
        let Some(below) = depth.checked_sub(1).filter(|&below| below > 0) else {
            return self.leaf(Fields(&bytes), self.per_block, first, offset);
        };
        let span = self.per_block.saturating_pow(below);
        for position in 0..self.per_block {
            let first = first.saturating_add(position.saturating_mul(span));
            self.tree(pointer(Fields(&bytes), position), below, first, offset);
        }
    }

    /// The first `count` pointers, which lead to blocks of the file from `first` on.
    fn leaf(&mut self, pointers: Fields<'_>, count: u64, first: FileBlock, offset: u64) {
        for position in 0..count {
            let target = pointer(pointers, position);
            if target == 0 {
                continue;
            }
            let at = first.saturating_add(position);
            let block = BlockIndex(target.into());
            let is_there = self.device.holds(block, 1);
            match &mut self.open {
                Some(run)
                    if run.first.saturating_add(run.blocks) == at && continues(run, block, is_there) =>
                {
                    run.blocks = run.blocks.saturating_add(1);
                }
                _ => {
                    self.close();
                    let kind = if is_there {
                        RunKind::Data(block)
                    } else {
                        let error = Error::corrupt("block map", offset, past_the_end(target));
                        RunKind::Damaged(error.of_inode(self.inode.number()))
                    };
                    self.open = Some(Run { first: at, blocks: 1, kind });
                }
            }
        }
    }

    fn close(&mut self) {
        if let Some(run) = self.open.take() {
            (self.visit)(Part::Run(run));
        }
    }
}

fn continues(run: &Run, block: BlockIndex, is_there: bool) -> bool {
    match run.kind {
        RunKind::Data(start) => is_there && start.plus(run.blocks) == block,
        _ => !is_there,
    }
}

fn past_the_end(block: u32) -> String {
    format!("it points to block {block}, past the end of the file system")
}
