use crate::run::Target;

/// A range of the guest's disk whose bytes lie alike. What follows it may be of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extent {
    /// Where its bytes lie.
    pub kind: ExtentKind,
    /// Where it begins on the guest's disk, in bytes.
    pub guest_offset: u64,
    /// How long it is, in bytes; not 0.
    pub len: u64,
}

/// Where the bytes of an [`Extent`] lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtentKind {
    /// In the image, or in its external data file if it has one.
    Data {
        /// Where they begin there, in bytes.
        host_offset: u64,
    },
    /// In the image, compressed. Such an extent is at most one cluster.
    Compressed,
    /// Nowhere: they are zeros, whatever the backing file holds.
    Zero,
    /// In the backing file. Without one, and past its end, they are zeros.
    Unallocated,
}

impl From<Target> for ExtentKind {
    fn from(target: Target) -> Self {
        match target {
            Target::Unallocated => Self::Unallocated,
            Target::Zero => Self::Zero,
            Target::Data(host) => Self::Data { host_offset: host.0 },
            Target::Compressed(_) => Self::Compressed,
        }
    }
}
