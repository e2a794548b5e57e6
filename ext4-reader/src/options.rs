use crate::{Ext4, ReadAt, Result};

/// How to open a file system; [`Ext4::open`] takes the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOptions {
    pub(crate) offset: u64,
    pub(crate) cache_bytes: usize,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { offset: 0, cache_bytes: 8 << 20 }
    }
}

impl OpenOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the file system begins in the source, in bytes: 0 unless the source is a partitioned disk.
    #[must_use]
    pub fn offset(mut self, bytes: u64) -> Self {
        self.offset = bytes;
        self
    }

    /// How much memory may hold metadata that was read lately, in bytes: 8 MiB by default. Contents of files are not
    /// cached.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Opens the file system that lies in `source`.
    pub fn open<S: ReadAt>(&self, source: S) -> Result<Ext4<S>> {
        Ext4::open_with(source, self)
    }
}
