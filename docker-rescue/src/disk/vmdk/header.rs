use std::num::NonZeroU64;

use super::unsupported;
use crate::disk::bytes::{Fields, read_vec};
use crate::disk::{Bytes, Error, Result};

/// The unit of offsets and lengths in a VMDK.
pub(super) const SECTOR: u64 = 512;
/// Grains are 64 KiB unless someone chose otherwise; qemu and `VMware` stay far below this.
const MAX_GRAIN_SECTORS: u64 = 1 << 16;
/// Always 512 in the specification.
const MAX_TABLE_ENTRIES: u32 = 512;
/// Enough for 128 TiB with the usual grains.
const MAX_TABLES: u64 = 4 << 20;
/// The directory's offset is in the footer.
const AT_END: u64 = u64::MAX;

/// The header of a sparse extent (Virtual Disk Format 5.0, "Hosted sparse extent").
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) capacity_bytes: u64,
    pub(super) grain_bytes: NonZeroU64,
    pub(super) descriptor_offset: u64,
    pub(super) descriptor_len: u64,
    pub(super) table_entries: NonZeroU64,
    /// How many grain tables there are.
    pub(super) tables: u64,
    pub(super) directory_offset: u64,
    pub(super) redundant_directory_offset: Option<u64>,
    pub(super) zeroed_grains: bool,
    pub(super) compressed: bool,
    pub(super) open_when_last_written: bool,
}

/// Reads the header, or the footer where a stream-optimized extent has the facts there.
pub(super) fn read_header(file: &Bytes) -> Result<Header> {
    let header = read_at(file, 0)?;
    if header.directory_offset != AT_END {
        return Ok(header);
    }
    let size =
        file.size().map_err(|source| Error::Io { structure: "size of the VMDK", offset: 0, source })?;
    let Some(offset) = size.checked_sub(2 * SECTOR) else {
        return Err(Error::corrupt("VMDK footer", size, "the file ends before it"));
    };
    let footer = read_at(file, offset)?;
    if footer.directory_offset == AT_END {
        return Err(Error::corrupt("VMDK footer", offset, "it does not say where the grain directory is"));
    }
    Ok(footer)
}

fn read_at(file: &Bytes, offset: u64) -> Result<Header> {
    let bytes = read_vec(file, "VMDK header", offset, 512)?;
    Fields512::parse(&bytes)
        .ok_or_else(|| Error::corrupt("VMDK header", offset, "it does not begin with \"KDMV\""))?
        .check(offset)
}

/// ```text
///  0 "KDMV"    8 flags       20 grain size           36 descriptor length      48 redundant directory   72 in use
///  4 version  12 capacity    28 descriptor offset    44 entries in a table     56 directory             77 compression
/// ```
struct Fields512 {
    version: u32,
    flags: u32,
    capacity: u64,
    grain: u64,
    descriptor: (u64, u64),
    table_entries: u32,
    redundant_directory: u64,
    directory: u64,
    in_use: u8,
    compression: u16,
}

const REDUNDANT: u32 = 1 << 1;
const ZEROED_GRAINS: u32 = 1 << 2;
const COMPRESSED: u32 = 1 << 16;
const MARKERS: u32 = 1 << 17;

impl Fields512 {
    fn parse(bytes: &[u8]) -> Option<Self> {
        (bytes.array(0)? == *b"KDMV").then_some(())?;
        Some(Self {
            version: bytes.le32(4)?,
            flags: bytes.le32(8)?,
            capacity: bytes.le64(12)?,
            grain: bytes.le64(20)?,
            descriptor: (bytes.le64(28)?, bytes.le64(36)?),
            table_entries: bytes.le32(44)?,
            redundant_directory: bytes.le64(48)?,
            directory: bytes.le64(56)?,
            in_use: *bytes.get(72)?,
            compression: bytes.le16(77)?,
        })
    }

    fn check(self, offset: u64) -> Result<Header> {
        let corrupt = |detail: String| Error::corrupt("VMDK header", offset, detail);
        let bytes = |sectors: u64, what: &str| {
            sectors.checked_mul(SECTOR).ok_or_else(|| corrupt(format!("{what} of {sectors} sectors")))
        };
        if !matches!(self.version, 1..=3) {
            return Err(unsupported(format!("version {} of VMDK", self.version)));
        }
        let compressed = self.flags & COMPRESSED != 0;
        if compressed && (self.compression != 1 || self.flags & MARKERS == 0) {
            return Err(unsupported(format!("VMDK compression {} without markers", self.compression)));
        }
        let valid_grain = self.grain.is_power_of_two() && self.grain <= MAX_GRAIN_SECTORS;
        let grain_bytes = NonZeroU64::new(bytes(self.grain, "a grain")?).filter(|_| valid_grain);
        let grain_bytes = grain_bytes.ok_or_else(|| corrupt(format!("grains of {} sectors", self.grain)))?;
        let table_entries =
            NonZeroU64::new(self.table_entries.into()).filter(|_| self.table_entries <= MAX_TABLE_ENTRIES);
        let table_entries = table_entries
            .ok_or_else(|| corrupt(format!("grain tables of {} entries", self.table_entries)))?;
        let capacity_bytes = bytes(self.capacity, "a capacity")?;
        let tables = capacity_bytes.div_ceil(grain_bytes.get()).div_ceil(table_entries.get());
        if tables > MAX_TABLES {
            return Err(Error::Limit {
                what: "grain tables of the VMDK",
                needed: tables,
                allowed: MAX_TABLES,
            });
        }
        let directory_offset = match self.directory {
            AT_END => AT_END,
            sectors => bytes(sectors, "a grain directory offset")?,
        };
        let redundant = self.redundant_directory.checked_mul(SECTOR).filter(|_| self.flags & REDUNDANT != 0);
        Ok(Header {
            capacity_bytes,
            grain_bytes,
            descriptor_offset: bytes(self.descriptor.0, "a descriptor offset")?,
            descriptor_len: bytes(self.descriptor.1, "a descriptor")?,
            table_entries,
            tables,
            directory_offset,
            redundant_directory_offset: redundant,
            zeroed_grains: self.flags & ZEROED_GRAINS != 0,
            compressed,
            open_when_last_written: self.in_use != 0,
        })
    }
}
