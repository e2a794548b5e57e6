use std::collections::HashMap;
use std::ops::Range;

use crate::bytes::to_usize;

/// A set of blocks, a bit for each: it takes memory only around those that are in it, and little where they fill whole
/// chunks, as those of large files do.
#[derive(Debug, Default)]
pub(super) struct BlockSet(HashMap<u64, Chunk>);

#[derive(Debug)]
enum Chunk {
    Full,
    Part(Box<Words>),
}

type Words = [u64; WORDS];

/// A chunk has 32,768 blocks: as many as an extent at most, and as a group usually.
const WORDS: usize = 512;
const CHUNK_BLOCKS: u64 = 1 << 15;
const WORD_BLOCKS: u64 = 64;

impl BlockSet {
    pub(super) fn contains(&self, block: u64) -> bool {
        self.count(&(block..block.saturating_add(1))) > 0
    }

    /// How many of these blocks are in the set.
    pub(super) fn count(&self, blocks: &Range<u64>) -> u64 {
        let counts = pieces(blocks).filter_map(|piece| match self.0.get(&piece.chunk)? {
            Chunk::Full => Some(piece.within.end.saturating_sub(piece.within.start)),
            Chunk::Part(words) => {
                let words = words.get(piece.words())?.iter();
                Some(words.zip(piece.masks()).map(|(word, mask)| u64::from((word & mask).count_ones())).sum())
            }
        });
        counts.fold(0, u64::saturating_add)
    }

    pub(super) fn insert(&mut self, blocks: &Range<u64>) {
        for piece in pieces(blocks) {
            if piece.within == (0..CHUNK_BLOCKS) {
                self.0.insert(piece.chunk, Chunk::Full);
                continue;
            }
            let chunk = self.0.entry(piece.chunk).or_insert_with(|| Chunk::Part(Box::new([0; WORDS])));
            let Chunk::Part(words) = chunk else { continue };
            for (word, mask) in words.get_mut(piece.words()).unwrap_or_default().iter_mut().zip(piece.masks())
            {
                *word |= mask;
            }
            if words.iter().all(|&word| word == u64::MAX) {
                *chunk = Chunk::Full;
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What of a range lies in one chunk; it is not empty.
struct Piece {
    chunk: u64,
    within: Range<u64>,
}

fn pieces(blocks: &Range<u64>) -> impl Iterator<Item = Piece> + use<> {
    let Range { start, end } = blocks.clone();
    let chunks = if start < end { start / CHUNK_BLOCKS..end.div_ceil(CHUNK_BLOCKS) } else { 0..0 };
    chunks.map(move |chunk| {
        let first = chunk.saturating_mul(CHUNK_BLOCKS);
        let within = start.saturating_sub(first)..end.saturating_sub(first).min(CHUNK_BLOCKS);
        Piece { chunk, within }
    })
}

impl Piece {
    /// The words of the chunk that it touches.
    fn words(&self) -> Range<usize> {
        to_usize(self.within.start / WORD_BLOCKS)..to_usize(self.within.end.div_ceil(WORD_BLOCKS))
    }

    /// The bits of each of these that lie in it.
    fn masks(&self) -> impl Iterator<Item = u64> + use<> {
        let Range { start, end } = self.within.clone();
        let words = start / WORD_BLOCKS..end.div_ceil(WORD_BLOCKS);
        words.map(move |word| {
            let first = word.saturating_mul(WORD_BLOCKS);
            let below = |block: u64| match block.saturating_sub(first) {
                bits @ 0..WORD_BLOCKS => (1_u64 << bits).wrapping_sub(1),
                _ => u64::MAX,
            };
            below(end) & !below(start)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_holds_what_a_plain_set_holds() {
        let (mut set, mut plain) = (BlockSet::default(), BTreeSet::new());
        let mut seed = 7_u64;
        let mut below = |most: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % most
        };
        for _ in 0..300 {
            let start = below(200_000);
            let blocks = start..start + below(if start % 9 == 0 { 90_000 } else { 200 });
            assert_eq!(set.count(&blocks), plain.range(blocks.clone()).count() as u64, "{blocks:?}");
            set.insert(&blocks);
            plain.extend(blocks.clone());
            assert_eq!(set.count(&blocks), blocks.end - blocks.start, "{blocks:?}");
            assert!(!set.contains(blocks.end) || plain.contains(&blocks.end));
        }
        assert_eq!(set.count(&(0..400_000)), plain.len() as u64);
    }

    #[test]
    fn what_is_full_takes_no_memory() {
        let mut set = BlockSet::default();
        set.insert(&(5..CHUNK_BLOCKS * 3));
        set.insert(&(0..5));
        assert!(set.0.values().all(|chunk| matches!(chunk, Chunk::Full)));
    }
}
