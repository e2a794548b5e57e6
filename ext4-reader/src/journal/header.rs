//! What every block of the log that is not a copy begins with.

use crate::bytes::Fields;

/// No copy begins with it: those that would are escaped.
pub(super) const MAGIC: u32 = 0xc03b_3998;

pub(super) const HEADER_LEN: usize = 12;

/// Big-endian, as all of the journal (source: the kernel's documentation, "Journal (jbd2)"):
///
/// ```text
/// 0x00 magic 0xc03b3998   0x04 kind of block   0x08 sequence number of the transaction
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) sequence: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Says where the copies behind it belong.
    Descriptor,
    /// Ends a transaction.
    Commit,
    /// Says of which blocks older copies are void.
    Revoke,
    SuperblockV1,
    SuperblockV2,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let fields = Fields(bytes);
        if fields.u32_be(0) != MAGIC {
            return None;
        }
        let kind = match fields.u32_be(0x4) {
            1 => Kind::Descriptor,
            2 => Kind::Commit,
            3 => Kind::SuperblockV1,
            4 => Kind::SuperblockV2,
            5 => Kind::Revoke,
            _ => return None,
        };
        Some(Self { kind, sequence: fields.u32_be(0x8) })
    }
}
