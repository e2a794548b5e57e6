//! Fields of on-disk structures: the only place that takes bytes apart. All are little-endian but the journal's.

/// The bytes of a structure. A field beyond their end reads as zero: ext4's structures grew over time, and what an
/// older, shorter one lacks counts as zero. Where a missing field would mean damage, the parser checks the length first.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn u8(self, offset: usize) -> u8 {
        self.array::<1>(offset)[0]
    }

    pub(crate) fn u16(self, offset: usize) -> u16 {
        u16::from_le_bytes(self.array(offset))
    }

    pub(crate) fn u32(self, offset: usize) -> u32 {
        u32::from_le_bytes(self.array(offset))
    }

    pub(crate) fn u16_be(self, offset: usize) -> u16 {
        u16::from_be_bytes(self.array(offset))
    }

    pub(crate) fn u32_be(self, offset: usize) -> u32 {
        u32::from_be_bytes(self.array(offset))
    }

    pub(crate) fn u64_be(self, offset: usize) -> u64 {
        u64::from_be_bytes(self.array(offset))
    }

    /// A number whose low and high halves stand apart.
    pub(crate) fn u64_split(self, low: usize, high: usize) -> u64 {
        u64::from(self.u32(high)) << 32 | u64::from(self.u32(low))
    }

    pub(crate) fn array<const N: usize>(self, offset: usize) -> [u8; N] {
        self.slice(offset, N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
    }

    /// `len` bytes from `offset`, if they are all there.
    pub(crate) fn slice(self, offset: usize, len: usize) -> Option<&'a [u8]> {
        self.0.get(offset..)?.get(..len)
    }

    /// The bytes of a text field up to its first NUL.
    pub(crate) fn text(self, offset: usize, len: usize) -> &'a [u8] {
        let field = self.slice(offset, len).unwrap_or_default();
        field.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}

/// A count of bytes in memory. What does not fit is larger than any buffer and stays so.
pub(crate) fn to_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// A count of bytes in memory as one on disk.
pub(crate) fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
