//! The checksums of metadata and of the journal.

mod crc32;
mod crc32c;
mod damaged_byte;

pub(crate) use crc32::crc32;
pub(crate) use crc32c::crc32c;
pub(crate) use damaged_byte::damaged_byte;
