use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::units::{HostOffset, bytes, len};

/// Slices of L1 and L2 tables, kept in bounded memory and found by where they lie in the image.
///
/// Reading takes no lock and writes no shared memory, so threads do not slow each other down: a line is a
/// sequence lock. Its version is odd while a slice is written into it; a reader computes what it wants from
/// the words it finds, and throws that away if the version is not the one it began with. As all words are
/// atomic, reading a line that changes yields wrong words, but no data race.
pub(crate) struct SliceCache {
    sets: Box<[[Line; WAYS]]>,
}

/// How many lines a slice may lie in. It makes it unlikely that slices in use drive each other out while
/// there is room elsewhere.
const WAYS: usize = 4;

struct Line {
    /// Even; odd while the line is written.
    version: AtomicU64,
    /// The host offset of the slice that the line holds.
    slice: AtomicU64,
    /// Allocated when the line is first used.
    words: OnceLock<Box<[AtomicU64]>>,
}

/// The words of a slice, which another slice may overwrite at any time.
pub(crate) struct CachedSlice<'a> {
    pub(crate) words: &'a [AtomicU64],
    line: &'a Line,
    version: u64,
}

impl CachedSlice<'_> {
    /// Whether all that was read of the words was of the slice.
    #[inline]
    pub(crate) fn is_unchanged(&self) -> bool {
        fence(Ordering::Acquire);
        self.line.version.load(Ordering::Relaxed) == self.version
    }
}

/// No slice lies here, as slices are aligned.
const NO_SLICE: u64 = u64::MAX;

impl SliceCache {
    /// A cache for as many slices as `budget_bytes` hold, of which an image has `slices`.
    pub(crate) fn new(slice_bytes: u64, budget_bytes: u64, slices: u64) -> Self {
        let lines = budget_bytes.checked_div(slice_bytes).unwrap_or(0);
        // With this much room nearly every slice has a set of its own, and is found in its first line.
        let lines = lines.min(slices.saturating_mul(8));
        let sets = lines.div_ceil(bytes(WAYS));
        Self { sets: (0..sets).map(|_| [const { Line::new() }; WAYS]).collect() }
    }

    /// The words of a slice, if the cache holds the slice.
    #[inline]
    pub(crate) fn find(&self, slice: HostOffset) -> Option<CachedSlice<'_>> {
        self.set(slice)?.iter().find(|line| line.slice.load(Ordering::Relaxed) == slice.0)?.read(slice)
    }

    /// Keeps a slice, in the place of the one that has been in its set for the longest time.
    pub(crate) fn insert(&self, slice: HostOffset, words: &[AtomicU64]) {
        let lines = self.set(slice).into_iter().flatten();
        if let Some(line) = lines.min_by_key(|line| line.version.load(Ordering::Relaxed)) {
            line.write(slice, words);
        }
    }

    #[inline]
    fn set(&self, slice: HostOffset) -> Option<&[Line; WAYS]> {
        // Fibonacci hashing: multiples of any power of two spread evenly over the sets.
        let hash = slice.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let index = hash.wrapping_mul(bytes(self.sets.len())) >> 32;
        self.sets.get(len(index))
    }
}

impl Line {
    const fn new() -> Self {
        Self { version: AtomicU64::new(0), slice: AtomicU64::new(NO_SLICE), words: OnceLock::new() }
    }

    #[inline]
    fn read(&self, slice: HostOffset) -> Option<CachedSlice<'_>> {
        let version = self.version.load(Ordering::Acquire);
        if !version.is_multiple_of(2) || self.slice.load(Ordering::Relaxed) != slice.0 {
            return None;
        }
        Some(CachedSlice { words: self.words.get()?, line: self, version })
    }

    /// Does nothing if another thread writes the line.
    fn write(&self, slice: HostOffset, words: &[AtomicU64]) {
        let version = self.version.load(Ordering::Relaxed);
        let odd = version | 1;
        if version == odd
            || self.version.compare_exchange(version, odd, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            return;
        }
        fence(Ordering::Release);
        self.slice.store(slice.0, Ordering::Relaxed);
        let places = self.words.get_or_init(|| words.iter().map(|_| AtomicU64::new(0)).collect());
        for (place, word) in places.iter().zip(words) {
            place.store(word.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.version.store(odd.wrapping_add(1), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(value: u64) -> Vec<AtomicU64> {
        (0..64).map(|_| AtomicU64::new(value)).collect()
    }

    fn sum(cache: &SliceCache, slice: u64) -> Option<u64> {
        let found = cache.find(HostOffset(slice))?;
        let sum = found.words.iter().map(|word| word.load(Ordering::Relaxed)).sum();
        found.is_unchanged().then_some(sum)
    }

    #[test]
    fn all_slices_of_a_small_image_stay() {
        let cache = SliceCache::new(512, 1 << 20, 100);
        for slice in 0..100 {
            cache.insert(HostOffset(slice * 512), &words(slice));
        }
        for slice in 0..100 {
            assert_eq!(sum(&cache, slice * 512), Some(64 * slice));
        }
    }

    #[test]
    fn memory_stays_within_the_budget() {
        let cache = SliceCache::new(512, 16 * 512, u64::MAX);
        for slice in 0..1000 {
            cache.insert(HostOffset(slice * 512), &words(slice));
        }
        let held = cache.sets.iter().flatten().filter(|line| line.words.get().is_some()).count();
        assert_eq!(held, 16);
        assert!(sum(&cache, 999 * 512).is_some(), "the last slice is held");
    }

    #[test]
    fn without_a_budget_nothing_is_kept() {
        let cache = SliceCache::new(512, 0, 100);
        cache.insert(HostOffset(0), &words(1));
        assert_eq!(sum(&cache, 0), None);
    }

    #[test]
    fn readers_never_see_a_mixture_of_two_slices() {
        let cache = SliceCache::new(512, 4 * 512, 64);
        let reads = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for seed in 0..2 {
                let (cache, reads) = (&cache, &reads);
                scope.spawn(move || {
                    while reads.load(Ordering::Relaxed) < 200_000 {
                        for slice in seed..seed + 16 {
                            cache.insert(HostOffset(slice * 512), &words(slice));
                        }
                    }
                });
                scope.spawn(move || {
                    while reads.fetch_add(16, Ordering::Relaxed) < 200_000 {
                        for slice in 0..16 {
                            if let Some(sum) = sum(cache, slice * 512) {
                                assert_eq!(sum, 64 * slice);
                            }
                        }
                    }
                });
            }
        });
    }
}
