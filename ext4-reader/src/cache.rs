//! A bounded cache of metadata blocks, shared by threads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::units::BlockIndex;

/// Blocks that were read lately, within a bound of memory. File content does not pass through it.
pub(crate) struct BlockCache {
    shards: [Mutex<Shard>; SHARDS],
    /// How many blocks one generation of one shard may hold.
    generation: usize,
}

/// Threads that read different blocks seldom meet.
const SHARDS: usize = 8;

/// Two generations: a block that is asked for moves to the young one, and when that is full the old one is let go. This
/// keeps what is in use, as a list by age would, at the price of two maps.
#[derive(Default)]
struct Shard {
    young: HashMap<u64, Arc<[u8]>>,
    old: HashMap<u64, Arc<[u8]>>,
}

impl BlockCache {
    /// A cache of at most `bytes`, for blocks of `block_bytes`; at least a block in each generation.
    pub(crate) fn new(bytes: usize, block_bytes: usize) -> Self {
        let blocks = bytes.checked_div(block_bytes).unwrap_or(0);
        let generation = blocks.checked_div(SHARDS.saturating_mul(2)).unwrap_or(0).max(1);
        Self { shards: Default::default(), generation }
    }

    pub(crate) fn find(&self, block: BlockIndex) -> Option<Arc<[u8]>> {
        let mut shard = self.shard(block)?.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = shard.young.get(&block.0) {
            return Some(Arc::clone(found));
        }
        let found = shard.old.remove(&block.0)?;
        shard.insert(block, Arc::clone(&found), self.generation);
        Some(found)
    }

    pub(crate) fn insert(&self, block: BlockIndex, bytes: Arc<[u8]>) {
        if let Some(shard) = self.shard(block) {
            shard.lock().unwrap_or_else(PoisonError::into_inner).insert(block, bytes, self.generation);
        }
    }

    fn shard(&self, block: BlockIndex) -> Option<&Mutex<Shard>> {
        self.shards.get(crate::bytes::to_usize(block.0) % SHARDS)
    }
}

impl Shard {
    fn insert(&mut self, block: BlockIndex, bytes: Arc<[u8]>, generation: usize) {
        if self.young.len() >= generation {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(block.0, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_in_use_stay_and_the_bound_holds() {
        let cache = BlockCache::new(SHARDS * 2 * 4 * 512, 512);
        let block = |number: u64| BlockIndex(number * SHARDS as u64);
        for number in 0..100 {
            cache.insert(block(number), Arc::from([0; 512]));
            assert!(cache.find(block(0)).is_some(), "the block in use is kept after {number} others");
        }
        let kept = (0..100).filter(|&number| cache.find(block(number)).is_some()).count();
        assert!(kept <= 8, "{kept} blocks are kept in a shard of 8");
    }
}
