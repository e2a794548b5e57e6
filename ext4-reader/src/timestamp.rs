/// A moment, to the nanosecond, relative to 1970-01-01 00:00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp {
    /// Whole seconds, rounded towards the past.
    pub seconds: i64,
    /// Nanoseconds after them. A damaged inode may hold more than 999,999,999.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// `base` is the classic field of signed 32-bit seconds. The two low bits of `extra`, in larger inodes, add
    /// multiples of 2^32 seconds, so that 1901 to 2446 can be told; its other bits are nanoseconds.
    pub(crate) fn parse(base: u32, extra: u32) -> Self {
        let epoch = i64::from(extra & 0b11) << 32;
        Self { seconds: i64::from(base.cast_signed()).wrapping_add(epoch), nanoseconds: extra >> 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in the kernel's documentation ("Inode Timestamps").
    #[test]
    fn epoch_bits_extend_the_signed_seconds() {
        let rows = [
            (0x8000_0000, 0, -0x8000_0000),
            (0xffff_ffff, 0, -1),
            (0x7fff_ffff, 0, 0x7fff_ffff),
            (0x8000_0000, 1, 0x8000_0000),
            (0x0000_0000, 1, 0x1_0000_0000),
            (0x7fff_ffff, 3, 0x3_7fff_ffff),
        ];
        for (base, epoch, seconds) in rows {
            assert_eq!(
                Timestamp::parse(base, epoch | 999_999_999 << 2),
                Timestamp { seconds, nanoseconds: 999_999_999 }
            );
        }
    }
}
