/// The feature bits of a version 3 header that concern a reader; version 2 has none set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Features {
    /// A reader that does not know one of these must refuse the image.
    pub(crate) incompatible: u64,
    /// These tell that an extension is up to date with the image.
    pub(crate) autoclear: u64,
}

/// Incompatible: the image was not closed; its refcounts may be stale, its mapping is not.
pub(crate) const DIRTY: u64 = 1 << 0;
/// Incompatible: a writer noticed damage in the metadata.
pub(crate) const CORRUPT: u64 = 1 << 1;
/// Incompatible: the guest's data lies in another file.
pub(crate) const DATA_FILE: u64 = 1 << 2;
/// Incompatible: the header tells the compression type, and it is not zlib.
pub(crate) const COMPRESSION: u64 = 1 << 3;
/// Incompatible: L2 entries have a bitmap of subclusters.
pub(crate) const EXTENDED_L2: u64 = 1 << 4;

/// Autoclear: the data file is at the same time a raw image of the guest's disk.
pub(crate) const DATA_FILE_RAW: u64 = 1 << 1;

const KNOWN_INCOMPATIBLE: u64 = DIRTY | CORRUPT | DATA_FILE | COMPRESSION | EXTENDED_L2;

impl Features {
    /// The numbers of the incompatible bits that are set and that this crate does not know.
    pub(crate) fn unknown(self) -> impl Iterator<Item = u8> {
        (0..64_u8)
            .filter(move |&bit| self.incompatible & !KNOWN_INCOMPATIBLE & 1_u64.wrapping_shl(bit.into()) != 0)
    }
}
