use crate::{Checksums, Ext4, Journal, ReadAt, Result};

/// How to open a file system; [`Ext4::open`] takes the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOptions {
    pub(crate) offset: u64,
    pub(crate) cache_bytes: usize,
    pub(crate) tolerance: Tolerance,
    pub(crate) checksums: Checksums,
    pub(crate) journal: Journal,
}

/// What is done about damage that can be worked around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tolerance {
    /// It is an error: the file system is read by its primary structures alone, and refused if it has features that a
    /// reader must know and this one does not.
    #[default]
    Strict,
    /// It is worked around, and a [`Finding`](crate::Finding): backups of the superblock and of group descriptors are
    /// found and used, unknown features tried, and directory entries looked for behind damaged ones.
    Recover,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            offset: 0,
            cache_bytes: 8 << 20,
            tolerance: Tolerance::default(),
            checksums: Checksums::default(),
            journal: Journal::Replay,
        }
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

    /// What is done about damage: [`Tolerance::Strict`] by default.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// What is done about wrong checksums: [`Checksums::Report`] by default.
    #[must_use]
    pub fn checksums(mut self, checksums: Checksums) -> Self {
        self.checksums = checksums;
        self
    }

    /// What becomes of changes that the journal holds: by default they are [applied](Journal::Replay), in memory.
    #[must_use]
    pub fn journal(mut self, journal: Journal) -> Self {
        self.journal = journal;
        self
    }

    /// Opens the file system that lies in `source`.
    pub fn open<S: ReadAt>(&self, source: S) -> Result<Ext4<S>> {
        Ext4::open_with(source, None, self)
    }

    /// Opens the file system that lies in `source` and has its journal on a device of its own, `journal`. The
    /// [offset](Self::offset) does not apply to that one. Sources of two types are boxed: `Box<dyn ReadAt>`.
    pub fn open_with_journal<S: ReadAt>(&self, source: S, journal: S) -> Result<Ext4<S>> {
        Ext4::open_with(source, Some(journal), self)
    }
}
