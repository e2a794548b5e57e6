use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::geometry::Geometry;
use crate::units::HostOffset;

/// Where an L1 table lies. An image has one for its active state and one for each snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct L1Table {
    pub(crate) offset: HostOffset,
    pub(crate) entries: u32,
}

/// What an L1 entry says: where the L2 table of its range lies; without one, all of the range is unallocated.
pub(crate) type L1Entry = Option<HostOffset>;

/// Why an L1 entry tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    NotMapped,
    Missing,
    Unaligned(HostOffset),
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMapped => f.write_str("the table is too short for the size of the disk"),
            Self::Missing => f.write_str("the entry lies beyond the end of the file"),
            Self::Unaligned(HostOffset(at)) => write!(f, "the L2 table at {at} is not aligned to a cluster"),
        }
    }
}

/// Parses the word of an L1 entry, if the file has it.
///
/// ```text
/// 63      62..56    55..9                     8..0
/// copied  reserved  offset of the L2 table    reserved
/// ```
/// Reserved bits are passed over, as qemu does; what they hold costs nothing.
#[inline]
pub(crate) fn parse(word: Option<&AtomicU64>, geometry: Geometry) -> Result<L1Entry, Defect> {
    const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
    let word = word.ok_or(Defect::Missing)?.load(Ordering::Relaxed);
    match HostOffset(word & OFFSET) {
        HostOffset(0) => Ok(None),
        offset if offset.is_aligned(geometry.cluster_bytes()) => Ok(Some(offset)),
        offset => Err(Defect::Unaligned(offset)),
    }
}
