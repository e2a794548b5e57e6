//! Which blocks are worth reading together with the one that is asked for.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::bytes::{to_u64, to_usize};
use crate::units::{BlockIndex, BlockSize};

/// What a block is part of, and so how to tell that those around it will be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locality {
    /// A table: whoever has read on from one block to the next will go on.
    Table,
    /// Nothing, but blocks of a kind may lie side by side in no order: directories that were made together, leaves of an
    /// extent tree. A second one in the same place tells.
    Cluster,
}

/// Divides the blocks into windows, which are read as a whole where that is worth it.
pub(crate) struct ReadAhead {
    window_blocks: u64,
    /// Where the last read of a table ended.
    table_end: AtomicU64,
    /// Windows of which one block was read alone, each in the place that its number has.
    touched: Box<[AtomicU64]>,
}

const WINDOW_BYTES: u64 = 128 << 10;
const REMEMBERED_WINDOWS: usize = 4096;
const NONE: u64 = u64::MAX;

impl ReadAhead {
    /// For a cache of `cache_blocks`, of which a window takes a fourth at most.
    pub(crate) fn new(block_size: BlockSize, cache_blocks: usize) -> Self {
        let window_blocks = block_size.blocks_for(WINDOW_BYTES).min(to_u64(cache_blocks / 4)).max(1);
        let touched = (0..REMEMBERED_WINDOWS).map(|_| AtomicU64::new(NONE)).collect();
        Self { window_blocks, table_end: AtomicU64::new(NONE), touched }
    }

    /// The blocks to read for one that is not in the cache, itself among them.
    pub(crate) fn on_miss(&self, block: BlockIndex, locality: Locality) -> Range<u64> {
        // Threads that come together here may mistake each other's reads for their own, which costs a read.
        match locality {
            Locality::Table => {
                let ahead = block.0.checked_sub(self.table_end.load(Ordering::Relaxed));
                let reads_on = ahead.is_some_and(|blocks| blocks < self.window_blocks);
                let range = if reads_on { self.window(block) } else { alone(block) };
                self.table_end.store(range.end, Ordering::Relaxed);
                range
            }
            Locality::Cluster => {
                let window = self.window(block);
                let number = window.start.checked_div(self.window_blocks).unwrap_or(0);
                let place = to_usize(number).checked_rem(self.touched.len());
                let Some(place) = place.and_then(|place| self.touched.get(place)) else { return window };
                let is_touched = place.load(Ordering::Relaxed) == number;
                place.store(if is_touched { NONE } else { number }, Ordering::Relaxed);
                if is_touched { window } else { alone(block) }
            }
        }
    }

    fn window(&self, block: BlockIndex) -> Range<u64> {
        let before = block.0.checked_rem(self.window_blocks).unwrap_or(0);
        let first = block.0.saturating_sub(before);
        first..first.saturating_add(self.window_blocks)
    }
}

fn alone(block: BlockIndex) -> Range<u64> {
    block.0..block.plus(1).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(cache_blocks: usize) -> ReadAhead {
        ReadAhead::new(BlockSize::new(2).unwrap(), cache_blocks)
    }

    #[test]
    fn a_table_that_is_read_on_is_read_by_windows() {
        let ahead = ahead(1000);
        let reads =
            [70, 71, 96, 130, 500, 100, 101].map(|block| ahead.on_miss(BlockIndex(block), Locality::Table));
        assert_eq!(reads, [70..71, 64..96, 96..128, 128..160, 500..501, 100..101, 96..128]);
    }

    #[test]
    fn of_a_cluster_the_second_miss_reads_the_window() {
        let ahead = ahead(1000);
        let reads = [70, 200, 65, 66, 67].map(|block| ahead.on_miss(BlockIndex(block), Locality::Cluster));
        assert_eq!(reads, [70..71, 200..201, 64..96, 66..67, 64..96]);
    }

    #[test]
    fn a_small_cache_is_not_flooded() {
        let read = |cache_blocks| {
            let ahead = ahead(cache_blocks);
            ahead.on_miss(BlockIndex(70), Locality::Table);
            ahead.on_miss(BlockIndex(71), Locality::Table)
        };
        assert_eq!(read(16), 68..72);
        assert_eq!(read(1), 71..72);
    }
}
