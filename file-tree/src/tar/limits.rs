/// How much an archive may ask for. Beyond it, reading ends with [`Error::Limit`](crate::Error::Limit).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TarLimits {
    /// Members; 100 million by default.
    pub members: u64,
    /// Bytes of content stored in the archive, all members together; no limit by default.
    pub content_bytes: u64,
    /// Bytes of one member's path or link target; 64 KiB by default.
    pub path_bytes: u64,
    /// Bytes of one extended header, and so of a member's extended attributes; 8 MiB by default.
    pub extended_header_bytes: u64,
    /// Ranges of data in one file with holes; 4 million by default.
    pub sparse_ranges: u64,
}

impl Default for TarLimits {
    fn default() -> Self {
        Self {
            members: 100_000_000,
            content_bytes: u64::MAX,
            path_bytes: 64 << 10,
            extended_header_bytes: 8 << 20,
            sparse_ranges: 4 << 20,
        }
    }
}
