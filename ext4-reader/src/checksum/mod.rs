//! The checksums of the journal and of metadata: CRC-32C nearly everywhere with the feature `metadata_csum`, CRC-16 of group descriptors with
//! the older `uninit_bg`.

mod crc16;
mod crc32;
mod crc32c;
mod damaged_byte;
mod structures;

pub(crate) use crc32::crc32;
pub(crate) use crc32c::crc32c;
pub(crate) use damaged_byte::damaged_byte;
pub(crate) use structures::{
    DescriptorSeed, attribute_block, bitmap, directory_block, extent_block, group_descriptor, inode,
    metadata_seed, superblock,
};

/// What becomes of a structure whose checksum is wrong. File systems without checksums have nothing to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksums {
    /// It is an [`Error::Corrupt`](crate::Error::Corrupt).
    Verify,
    /// It is a [`Finding`](crate::Finding), and is read as it lies.
    #[default]
    Report,
    /// It is read as it lies; no checksum is computed.
    Ignore,
}
