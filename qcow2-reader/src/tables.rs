use std::sync::atomic::AtomicU64;

use crate::Result;
use crate::cache::SliceCache;
use crate::source::{Measured, ReadAt};
use crate::units::{HostOffset, len};

/// The L1 and L2 tables of an image, read in slices as they are needed.
///
/// Tables are not read whole: a slice in use costs 4 KiB where a table may have 2 MiB, and a part that cannot
/// be read costs only what it maps.
pub(crate) struct Tables {
    cache: SliceCache,
    slice_bytes: u64,
}

/// The longest slice, in bytes.
const SLICE_BYTES: usize = 4096;

impl Tables {
    /// For tables of `tables_bytes` altogether, of which each begins at a cluster.
    pub(crate) fn new(cluster_bytes: u64, tables_bytes: u64, budget_bytes: u64) -> Self {
        let slice_bytes = cluster_bytes.min(crate::units::bytes(SLICE_BYTES));
        let slices = tables_bytes.div_ceil(slice_bytes);
        Self { cache: SliceCache::new(slice_bytes, budget_bytes, slices), slice_bytes }
    }

    /// What `read` makes of the words from `at` to the end of their slice, or of the file: none at all if `at`
    /// lies beyond that. `read` may be called twice.
    #[inline]
    pub(crate) fn read<S: ReadAt, R>(
        &self,
        image: &Measured<S>,
        at: HostOffset,
        structure: &'static str,
        read: impl Fn(&[AtomicU64]) -> R,
    ) -> Result<R> {
        let in_slice = at.0 & self.slice_bytes.wrapping_sub(1);
        let slice = HostOffset(at.0.wrapping_sub(in_slice));
        let in_file = image.bytes_after(slice).min(self.slice_bytes);
        let range = len(in_slice >> 3)..len(in_file >> 3);
        let mut cached = self.cache.find(slice);
        loop {
            let loaded;
            let words = if let Some(cached) = &cached {
                cached.words
            } else {
                loaded = self.load(image, slice, in_file, structure)?;
                &loaded
            };
            let result = read(words.get(range.clone()).unwrap_or_default());
            if cached.take().is_none_or(|cached| cached.is_unchanged()) {
                return Ok(result);
            }
        }
    }

    /// Reads a slice and keeps it in the cache; where the file ends within it, zeros fill it up.
    #[cold]
    fn load<S: ReadAt>(
        &self,
        image: &Measured<S>,
        slice: HostOffset,
        in_file: u64,
        structure: &'static str,
    ) -> Result<Vec<AtomicU64>> {
        let mut buf = [0; SLICE_BYTES];
        if let Some(found) = buf.get_mut(..len(in_file)).filter(|found| !found.is_empty()) {
            image.read(found, slice, structure)?;
        }
        let (words, _) = buf.as_chunks();
        let words = words.iter().take(len(self.slice_bytes >> 3));
        let words: Vec<_> = words.map(|&word| AtomicU64::new(u64::from_be_bytes(word))).collect();
        self.cache.insert(slice, &words);
        Ok(words)
    }
}
