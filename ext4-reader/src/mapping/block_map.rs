//! Block maps, as ext2 and ext3 have them: twelve direct pointers in `i_block`, then a single, a double and a triple
//! indirect one, each 32 bits. A pointer of 0 is a hole of all it could lead to.

mod tour;

use std::ops::Range;

use super::{Run, RunKind};
use crate::bytes::{Fields, to_usize};
use crate::device::BlockDevice;
use crate::units::{BlockIndex, FileBlock};
use crate::{Error, Inode, ReadAt};

pub(crate) use tour::tour;

const DIRECT: u64 = 12;
const POINTER_LEN: u64 = 4;

/// See [`super::next_run_of`].
pub(crate) fn next_run<S: ReadAt>(
    device: &BlockDevice<S>,
    inode: &Inode,
    from: FileBlock,
    wanted: u64,
) -> Option<Run> {
    let mut from = from;
    for _ in 0..MAX_HOLES {
        match find(device, inode, from, wanted)? {
            Found::Hole { blocks } => from = from.saturating_add(blocks.max(1)),
            Found::Data { start, blocks } => {
                return Some(Run { first: from, blocks, kind: RunKind::Data(start) });
            }
            Found::Damaged { error, blocks } => {
                return Some(Run { first: from, blocks: blocks.max(1), kind: RunKind::Damaged(error) });
            }
        }
        // Behind the end of the file nothing is looked for; what pointers there may say is no data of it.
        if from >= device.block_size().blocks_for(inode.size()) {
            return None;
        }
    }
    let error =
        Error::corrupt("block map", inode.offset, "it has too many indirect blocks without a pointer");
    let blocks = device.block_size().blocks_for(inode.size()).saturating_sub(from).max(1);
    Some(Run { first: from, blocks, kind: RunKind::Damaged(error) })
}

/// How many holes may follow one another. A sound map joins them on each of its levels; one that leads to the same empty
/// block over and over would take hours to pass over.
const MAX_HOLES: usize = 1000;

enum Found {
    Hole { blocks: u64 },
    Data { start: BlockIndex, blocks: u64 },
    Damaged { error: Error, blocks: u64 },
}

/// What the map says of a block, and of how many behind it, of `wanted`, the same holds. `None` behind the last block a map can hold.
fn find<S: ReadAt>(device: &BlockDevice<S>, inode: &Inode, from: FileBlock, wanted: u64) -> Option<Found> {
    let per_block = device.block_size().bytes() / POINTER_LEN;
    let root = Fields(&inode.i_block);
    if from < DIRECT {
        return Some(examine(device, root, from..DIRECT, wanted, 1, inode.offset));
    }

    // Which of the three trees holds the block, and where in it.
    let mut within = from.saturating_sub(DIRECT);
    let mut reach = per_block;
    let mut slot = DIRECT;
    let mut depth = 1_u32;
    while within >= reach {
        within = within.saturating_sub(reach);
        reach = reach.saturating_mul(per_block);
        slot = slot.saturating_add(1);
        depth = depth.saturating_add(1);
        if depth > 3 {
            return None;
        }
    }

    let mut pointer = pointer(root, slot);
    // How many blocks of the file the tree below `pointer` leads to.
    let mut span = reach;
    loop {
        let left = span.saturating_sub(within);
        if pointer == 0 {
            return Some(Found::Hole { blocks: left });
        }
        let block = BlockIndex(pointer.into());
        let bytes = match device.metadata(block, "indirect block") {
            Ok(bytes) => bytes,
            Err(error) => return Some(Found::Damaged { error, blocks: left }),
        };
        span = span.checked_div(per_block).unwrap_or(1).max(1);
        let position = within.checked_div(span).unwrap_or(0);
        within = within.checked_rem(span).unwrap_or(0);
        let offset = device.offset_of(block);
        let found = examine(device, Fields(&bytes), position..per_block, wanted, span, offset);
        match found {
            // Only where the pointer is a hole or leads to data is there an answer on this level.
            Found::Data { start, .. } if span > 1 => pointer = u32::try_from(start.0).unwrap_or(u32::MAX),
            Found::Hole { blocks } => return Some(Found::Hole { blocks: blocks.saturating_sub(within) }),
            found => return Some(found),
        }
    }
}

fn pointer(pointers: Fields<'_>, position: u64) -> u32 {
    pointers.u32(to_usize(position.saturating_mul(POINTER_LEN)))
}

/// Looks at the first of the pointers at `positions` and at those behind it that say the same, of those that lead to data
/// no more than `wanted`. Each leads to `span` blocks of the file. The pointers lie at byte `offset` of the source.
fn examine<S: ReadAt>(
    device: &BlockDevice<S>,
    pointers: Fields<'_>,
    positions: Range<u64>,
    wanted: u64,
    span: u64,
    offset: u64,
) -> Found {
    let first = u64::from(pointer(pointers, positions.start));
    let end =
        if first == 0 { positions.end } else { positions.start.saturating_add(wanted).min(positions.end) };
    let same = |&(distance, other): &(u64, u64)| {
        if first == 0 { other == 0 } else { other == first.saturating_add(distance) }
    };
    let alike = (positions.start..end).map(|at| u64::from(pointer(pointers, at))).enumerate();
    let count =
        alike.map(|(distance, other)| (crate::bytes::to_u64(distance), other)).take_while(same).count();
    let blocks = crate::bytes::to_u64(count).saturating_mul(span);
    if first == 0 {
        return Found::Hole { blocks };
    }
    let start = BlockIndex(first);
    if span == 1 && !device.holds(start, blocks) {
        let detail = format!("it points to block {first}, past the end of the file system");
        return Found::Damaged { error: Error::corrupt("block map", offset, detail), blocks };
    }
    Found::Data { start, blocks }
}
