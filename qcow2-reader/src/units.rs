/// A byte offset on the guest's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GuestOffset(pub(crate) u64);

/// A byte offset in a file of the host: the image, its data file or its backing file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HostOffset(pub(crate) u64);

impl GuestOffset {
    pub(crate) fn advance(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }
}

impl HostOffset {
    pub(crate) fn advance(self, bytes: u64) -> Self {
        Self(self.0.saturating_add(bytes))
    }

    /// Whether the offset is a multiple of `unit`, a power of two.
    pub(crate) fn is_aligned(self, unit: u64) -> bool {
        self.0 & unit.wrapping_sub(1) == 0
    }
}

/// The length of a buffer as the formats count, in 64 bits.
pub(crate) fn bytes(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// A 64-bit length as the length of a buffer; one that does not fit memory saturates.
pub(crate) fn len(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
