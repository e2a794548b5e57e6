//! A bounded cache of metadata blocks, shared by threads.

use std::sync::{Arc, Mutex, PoisonError};

use crate::bytes::to_usize;
use crate::units::BlockIndex;

/// Blocks that were read lately, within a bound of memory. File content does not pass through it.
///
/// A block has a place in one set only, as in a processor's cache: finding it is a look at few neighbours, and threads
/// that read different blocks seldom meet.
pub(crate) struct BlockCache {
    sets: Box<[Mutex<Set>]>,
}

/// A block in the cache.
#[derive(Clone)]
pub(crate) struct Cached {
    pub(crate) bytes: Arc<[u8]>,
    /// The structure that the block was examined as, if it was.
    pub(crate) examined_as: Option<&'static str>,
}

/// The blocks of a set, those used last in front.
type Set = Vec<(BlockIndex, Cached)>;

const BLOCKS_PER_SET: usize = 8;
/// With blocks of 1 KiB, half a gigabyte.
const MAX_SETS: usize = 1 << 16;

impl BlockCache {
    /// A cache of at most `bytes`, for blocks of `block_bytes`; at least one set.
    pub(crate) fn new(bytes: usize, block_bytes: usize) -> Self {
        let sets = bytes.checked_div(block_bytes.saturating_mul(BLOCKS_PER_SET)).unwrap_or(0);
        Self { sets: (0..sets.clamp(1, MAX_SETS)).map(|_| Mutex::default()).collect() }
    }

    /// How many blocks it holds at most.
    pub(crate) fn capacity_blocks(&self) -> usize {
        self.sets.len().saturating_mul(BLOCKS_PER_SET)
    }

    pub(crate) fn find(&self, block: BlockIndex) -> Option<Cached> {
        self.in_set_of(block, |set| {
            bring_to_front(set, block).then(|| set.first().map(|(_, cached)| cached.clone())).flatten()
        })
    }

    /// Adds a block. What was examined already stays as it is.
    pub(crate) fn insert(&self, block: BlockIndex, new: Cached) {
        self.in_set_of(block, |set| {
            if !bring_to_front(set, block) {
                set.truncate(BLOCKS_PER_SET.saturating_sub(1));
                set.insert(0, (block, new));
            } else if let Some((_, known)) = set.first_mut().filter(|_| new.examined_as.is_some()) {
                *known = new;
            }
        });
    }

    fn in_set_of<T: Default>(&self, block: BlockIndex, work: impl FnOnce(&mut Set) -> T) -> T {
        /// 2^64 divided by the golden ratio: spreads also blocks that lie at equal distances, as those of groups do.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

        let spread = to_usize(block.0.wrapping_mul(SPREAD) >> 32);
        let set = spread.checked_rem(self.sets.len()).and_then(|index| self.sets.get(index));
        set.map(|set| work(&mut set.lock().unwrap_or_else(PoisonError::into_inner))).unwrap_or_default()
    }
}

/// Whether the block is there, then in front.
fn bring_to_front(set: &mut Set, block: BlockIndex) -> bool {
    let position = set.iter().position(|(found, _)| *found == block);
    if let Some(before) = position.and_then(|position| set.get_mut(..=position)) {
        before.rotate_right(1);
    }
    position.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cached(examined_as: Option<&'static str>) -> Cached {
        Cached { bytes: Arc::from([0; 512]), examined_as }
    }

    #[test]
    fn blocks_in_use_stay_and_the_bound_holds() {
        let cache = BlockCache::new(4 * BLOCKS_PER_SET * 512, 512);
        assert_eq!(cache.capacity_blocks(), 4 * BLOCKS_PER_SET);
        for number in 0..1000 {
            cache.insert(BlockIndex(number), cached(None));
            assert!(cache.find(BlockIndex(0)).is_some(), "the block in use is kept after {number} others");
        }
        let kept = (0..1000).filter(|&number| cache.find(BlockIndex(number)).is_some()).count();
        assert_eq!(kept, cache.capacity_blocks());
    }

    #[test]
    fn a_block_that_was_examined_is_not_lost_to_one_that_was_not() {
        let cache = BlockCache::new(0, 512);
        let examined = || cache.find(BlockIndex(7)).and_then(|cached| cached.examined_as);
        cache.insert(BlockIndex(7), cached(None));
        assert_eq!(examined(), None);
        cache.insert(BlockIndex(7), cached(Some("extent tree")));
        cache.insert(BlockIndex(7), cached(None));
        assert_eq!(examined(), Some("extent tree"));
        (8..100).for_each(|number| cache.insert(BlockIndex(number), cached(None)));
        cache.insert(BlockIndex(7), cached(None));
        assert_eq!(examined(), None, "what is read again is to be examined again");
    }
}
