use crate::units::GuestOffset;

/// How an image divides the guest's disk: into clusters, and into the ranges one L2 table maps.
///
/// ```text
/// guest offset:  | L1 index | L2 index | offset in the cluster |
///                            \ cluster_bits - 3 bits, or - 4 with extended L2 entries
/// ```
#[derive(Debug, Clone, Copy)]
pub(crate) struct Geometry {
    cluster_bits: u32,
    entry: EntryWidth,
}

/// How many 64-bit words an L2 entry has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryWidth {
    /// One word.
    Standard,
    /// Two words, the second one a bitmap of 32 subclusters.
    Extended,
}

impl Geometry {
    /// The cluster sizes that qemu knows: 512 bytes to 2 MiB. It bounds every shift below.
    pub(crate) const CLUSTER_BITS: std::ops::RangeInclusive<u32> = 9..=21;

    /// `cluster_bits` lies in [`Self::CLUSTER_BITS`].
    pub(crate) fn new(cluster_bits: u32, entry: EntryWidth) -> Self {
        debug_assert!(Self::CLUSTER_BITS.contains(&cluster_bits));
        Self { cluster_bits, entry }
    }

    pub(crate) fn cluster_bits(self) -> u32 {
        self.cluster_bits
    }

    pub(crate) fn cluster_bytes(self) -> u64 {
        1_u64.wrapping_shl(self.cluster_bits)
    }

    pub(crate) fn entry(self) -> EntryWidth {
        self.entry
    }

    /// The size of a subcluster, of which an image with extended L2 entries has 32 in a cluster.
    pub(crate) fn subcluster_bytes(self) -> u64 {
        self.cluster_bytes() >> 5
    }

    pub(crate) fn offset_in_cluster(self, guest: GuestOffset) -> u64 {
        guest.0 & self.cluster_bytes().wrapping_sub(1)
    }

    /// The number of the L1 entry that maps `guest`.
    pub(crate) fn l1_index(self, guest: GuestOffset) -> u64 {
        guest.0.wrapping_shr(self.table_bits())
    }

    /// Where in its L2 table the entry of `guest` begins, in bytes.
    pub(crate) fn offset_in_table(self, guest: GuestOffset) -> u64 {
        let in_table = guest.0 & self.table_reach().wrapping_sub(1);
        in_table.wrapping_shr(self.cluster_bits).wrapping_shl(self.entry_bits())
    }

    /// How many guest bytes one L2 table maps.
    pub(crate) fn table_reach(self) -> u64 {
        1_u64.wrapping_shl(self.table_bits())
    }

    /// How many guest bytes lie between `guest` and the end of what its L2 table maps.
    pub(crate) fn left_in_table(self, guest: GuestOffset) -> u64 {
        let reach = self.table_reach();
        reach.wrapping_sub(guest.0 & reach.wrapping_sub(1))
    }

    fn entry_bits(self) -> u32 {
        match self.entry {
            EntryWidth::Standard => 3,
            EntryWidth::Extended => 4,
        }
    }

    fn table_bits(self) -> u32 {
        self.cluster_bits.wrapping_mul(2).wrapping_sub(self.entry_bits())
    }
}
