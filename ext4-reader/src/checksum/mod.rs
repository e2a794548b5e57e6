//! The checksums of metadata: CRC-32C nearly everywhere with the feature `metadata_csum`, CRC-16 of group descriptors with
//! the older `uninit_bg`.

mod crc16;
mod crc32c;
mod structures;

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
