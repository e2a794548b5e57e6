use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::compressed::CompressedEntry;
use crate::geometry::{EntryWidth, Geometry};
use crate::run::{Run, RunEnd, Target};
use crate::units::{GuestOffset, HostOffset, bytes, len};

/// What an image's L2 entries may say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) geometry: Geometry,
    pub(crate) zero_flag: ZeroFlag,
    pub(crate) data: DataIn,
}

/// Whether bit 0 of a standard L2 entry has a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ZeroFlag {
    /// The cluster is all zeros: version 3.
    Known,
    /// It is reserved: version 2.
    Reserved,
}

/// Which file holds the data clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataIn {
    /// The image itself.
    Image,
    /// The external data file, where each cluster lies at its guest offset.
    DataFile,
}

/// Why an L2 entry tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    Missing,
    Unaligned(HostOffset),
    ZeroFlagInVersion2,
    CompressedInDataFile,
    NotAtGuestOffset(HostOffset),
    SubclusterBitmaps,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the entry lies beyond the end of the file"),
            Self::Unaligned(HostOffset(at)) => write!(f, "host offset {at} is not aligned to a cluster"),
            Self::ZeroFlagInVersion2 => f.write_str("a zero cluster in a version 2 image"),
            Self::CompressedInDataFile => f.write_str("a compressed cluster in an external data file"),
            Self::NotAtGuestOffset(HostOffset(at)) => {
                write!(f, "offset {at} in the data file is not the guest offset")
            }
            Self::SubclusterBitmaps => f.write_str("the subcluster bitmaps contradict each other"),
        }
    }
}

/// The bits of an L2 entry.
///
/// ```text
/// 63      62          61..56    55..9                   8..1      0
/// copied  compressed  reserved  offset of the cluster   reserved  zero, but in an extended entry
/// ```
/// What is reserved is passed over, as qemu does.
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const ZERO: u64 = 1 << 0;

impl Rules {
    /// The run that begins at `guest`, as far as `words` and `max_len` reach. `words` begin with the L2 entry
    /// of `guest`.
    #[inline]
    pub(crate) fn run(&self, words: &[AtomicU64], guest: GuestOffset, max_len: u64) -> Result<Run, Defect> {
        let mut run = match self.geometry.entry() {
            EntryWidth::Standard => self.run_of_clusters(words, guest, max_len)?,
            EntryWidth::Extended => self.run_of_subclusters(words, guest, max_len)?,
        };
        run.len = run.len.min(max_len);
        Ok(run)
    }

    #[inline]
    fn run_of_clusters(&self, words: &[AtomicU64], guest: GuestOffset, max_len: u64) -> Result<Run, Defect> {
        let (first, following) = words.split_first().ok_or(Defect::Missing)?;
        let first = first.load(Ordering::Relaxed);
        let cluster_bytes = self.geometry.cluster_bytes();
        let in_first = cluster_bytes.wrapping_sub(self.geometry.offset_in_cluster(guest));
        let target = self.cluster(first, guest)?;
        // What the entry of a cluster that continues the run has in common with the one before, and by how much
        // it differs from it.
        let (mask, step) = match target {
            Target::Compressed(_) => return Ok(Run { target, len: in_first, end: RunEnd::Closed }),
            Target::Data(_) => (COMPRESSED | ZERO | OFFSET, cluster_bytes),
            Target::Unallocated => (COMPRESSED | ZERO | OFFSET | self.copied_of_data_file(), 0),
            Target::Zero => (COMPRESSED | ZERO, 0),
        };
        let wanted = max_len.saturating_sub(in_first).div_ceil(cluster_bytes);
        let wanted = following.get(..len(wanted)).unwrap_or(following);
        let mut expected = first & mask;
        let count = wanted
            .iter()
            .take_while(|word| {
                expected = expected.wrapping_add(step);
                word.load(Ordering::Relaxed) & mask == expected
            })
            .count();
        let end = if count == wanted.len() { RunEnd::Open } else { RunEnd::Closed };
        let len = bytes(count).saturating_mul(cluster_bytes).saturating_add(in_first);
        Ok(Run { target, len, end })
    }

    /// Where the bytes from `guest` to the end of its cluster lie.
    #[inline]
    fn cluster(&self, word: u64, guest: GuestOffset) -> Result<Target, Defect> {
        if word & COMPRESSED != 0 {
            self.compressed(word)
        } else if word & ZERO == 0 {
            Ok(self.allocated(word, guest)?.map_or(Target::Unallocated, Target::Data))
        } else if self.zero_flag == ZeroFlag::Known {
            // The offset of such a cluster is of no account.
            Ok(Target::Zero)
        } else {
            Err(Defect::ZeroFlagInVersion2)
        }
    }

    fn run_of_subclusters(
        &self,
        words: &[AtomicU64],
        guest: GuestOffset,
        max_len: u64,
    ) -> Result<Run, Defect> {
        let (entries, _) = words.as_chunks();
        let mut entries = entries.iter().map(|[word, bitmap]: &[AtomicU64; 2]| {
            (word.load(Ordering::Relaxed), bitmap.load(Ordering::Relaxed))
        });
        let (word, bitmap) = entries.next().ok_or(Defect::Missing)?;
        let mut run = self.subclusters(word, bitmap, guest)?;
        while run.end == RunEnd::Open && run.len < max_len {
            let Some((word, bitmap)) = entries.next() else { break };
            match self.subclusters(word, bitmap, guest.advance(run.len)) {
                Ok(next) => run.join(&next),
                Err(_) => run.end = RunEnd::Closed,
            }
        }
        Ok(run)
    }

    /// The run within one cluster that begins at `guest`.
    ///
    /// ```text
    /// bitmap:  63..32  subcluster reads as zeros      31..0  subcluster is allocated
    /// ```
    fn subclusters(&self, word: u64, bitmap: u64, guest: GuestOffset) -> Result<Run, Defect> {
        let in_cluster = self.geometry.offset_in_cluster(guest);
        if word & COMPRESSED != 0 {
            let len = self.geometry.cluster_bytes().wrapping_sub(in_cluster);
            return Ok(Run { target: self.compressed(word)?, len, end: RunEnd::Closed });
        }
        let allocated = self.allocated(word, guest)?;
        let (zero, data) = (bitmap >> 32, bitmap & 0xffff_ffff);
        if data & zero != 0 || (allocated.is_none() && data != 0) {
            return Err(Defect::SubclusterBitmaps);
        }
        let subcluster_bytes = self.geometry.subcluster_bytes();
        let first = in_cluster.checked_div(subcluster_bytes).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let is_set = |bits: u64| bits.wrapping_shr(first) & 1 != 0;
        let (target, alike) = match allocated {
            Some(host) if is_set(data) => (Target::Data(host), data),
            _ if is_set(zero) => (Target::Zero, zero),
            _ => (Target::Unallocated, !(zero | data) & 0xffff_ffff),
        };
        let last = first.saturating_add(alike.wrapping_shr(first).trailing_ones());
        let len = u64::from(last).saturating_mul(subcluster_bytes).saturating_sub(in_cluster);
        let end = if last == 32 { RunEnd::Open } else { RunEnd::Closed };
        Ok(Run { target, len, end })
    }

    fn compressed(&self, word: u64) -> Result<Target, Defect> {
        match self.data {
            DataIn::Image => Ok(Target::Compressed(CompressedEntry(word))),
            DataIn::DataFile => Err(Defect::CompressedInDataFile),
        }
    }

    /// Where the byte at `guest` lies, if its cluster is allocated.
    #[inline]
    fn allocated(&self, word: u64, guest: GuestOffset) -> Result<Option<HostOffset>, Defect> {
        let cluster = HostOffset(word & OFFSET);
        if cluster.0 | (word & self.copied_of_data_file()) == 0 {
            return Ok(None);
        }
        if !cluster.is_aligned(self.geometry.cluster_bytes()) {
            return Err(Defect::Unaligned(cluster));
        }
        let host = cluster.advance(self.geometry.offset_in_cluster(guest));
        if self.data == DataIn::DataFile && host.0 != guest.0 {
            return Err(Defect::NotAtGuestOffset(cluster));
        }
        Ok(Some(host))
    }

    /// Offset 0 is that of an image's header, but in a data file it is that of the first cluster: there, the
    /// copied bit tells whether it is allocated.
    #[inline]
    fn copied_of_data_file(&self) -> u64 {
        match self.data {
            DataIn::Image => 0,
            DataIn::DataFile => COPIED,
        }
    }
}
