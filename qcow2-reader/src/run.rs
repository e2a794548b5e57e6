use crate::compressed::CompressedEntry;
use crate::units::HostOffset;

/// A run of guest bytes that lie alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) target: Target,
    pub(crate) len: u64,
    pub(crate) end: RunEnd,
}

/// Where the bytes of a run lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// In the backing file; without one they are zeros.
    Unallocated,
    /// Nowhere: they are zeros.
    Zero,
    /// In the image, or in its data file, from this offset on.
    Data(HostOffset),
    /// In the image, compressed; the run lies within one cluster.
    Compressed(CompressedEntry),
}

/// Whether what follows a run may continue it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum RunEnd {
    Open,
    Closed,
}

impl Run {
    /// Takes in what follows the run if it continues the run, and closes the run if not.
    pub(crate) fn join(&mut self, next: &Self) {
        let joins = match (self.target, next.target) {
            (Target::Data(host), Target::Data(following)) => host.advance(self.len) == following,
            (Target::Zero, Target::Zero) | (Target::Unallocated, Target::Unallocated) => true,
            _ => false,
        };
        if joins {
            self.len = self.len.saturating_add(next.len);
            self.end = next.end;
        } else {
            self.end = RunEnd::Closed;
        }
    }
}
