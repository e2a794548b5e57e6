use super::{Layout, Partition, PartitionKind, PartitionTable, Scheme};
use crate::disk::bytes::{Fields, read_vec};
use crate::disk::crc::{crc32, without_field};
use crate::disk::{Bytes, Error, Guid, Note, Result};

/// A header of a GUID partition table (UEFI specification, 5.3.2).
///
/// ```text
///  0 "EFI PART"   12 header length   24 own sector     72 first sector of the entries   84 length of an entry
///  8 revision     16 CRC-32          32 other header   80 number of entries             88 CRC-32 of the entries
/// ```
struct Header {
    entries_at: u64,
    entry_count: u32,
    entry_bytes: u32,
    entries_crc: u32,
}

/// A table has 128 entries of 128 bytes, 16 KiB; some tools write more.
const MAX_TABLE_BYTES: u64 = 1 << 20;
const MIN_ENTRY_BYTES: u32 = 128;
const MAX_HEADER_BYTES: usize = 512;

/// The entries of a table as they were read.
struct Entries {
    bytes: Vec<u8>,
    entry_bytes: u32,
    sector_bytes: u32,
    /// They are those of the copy at the end of the disk.
    is_copy: bool,
    matches_checksum: bool,
}

/// Reads the table, or its copy at the end of the disk. Returns whether there is one.
pub(super) fn read(layout: Layout<'_>, sector_sizes: &[u32], table: &mut PartitionTable) -> bool {
    let places = sector_sizes.iter().flat_map(|&sector_bytes| [(sector_bytes, false), (sector_bytes, true)]);
    let mut found: Option<Entries> = None;
    for (sector_bytes, is_copy) in places {
        match Entries::read(layout, sector_bytes, is_copy) {
            Ok(entries) if entries.matches_checksum => {
                found = Some(entries);
                break;
            }
            Ok(entries) => found = found.or(Some(entries)),
            Err(_) => {}
        }
    }
    if let Some(entries) = &found {
        entries.add_to(table, layout);
    }
    found.is_some()
}

impl Entries {
    fn read(layout: Layout<'_>, sector_bytes: u32, is_copy: bool) -> Result<Self> {
        let first = u64::from(sector_bytes);
        let offset = if is_copy { layout.size.saturating_sub(first) } else { first };
        let Header { entries_at, entry_count, entry_bytes, entries_crc } =
            Header::read(layout.disk, offset, sector_bytes)?;
        let len = u64::from(entry_count).saturating_mul(entry_bytes.into());
        if len > MAX_TABLE_BYTES {
            return Err(Error::Limit { what: "bytes of the GPT", needed: len, allowed: MAX_TABLE_BYTES });
        }
        let offset = entries_at.saturating_mul(first);
        let bytes = read_vec(layout.disk, "GPT entries", offset, usize::try_from(len).unwrap_or(usize::MAX))?;
        let matches_checksum = crc32(&[&bytes]) == entries_crc;
        Ok(Self { bytes, entry_bytes, sector_bytes, is_copy, matches_checksum })
    }

    fn add_to(&self, table: &mut PartitionTable, layout: Layout<'_>) {
        table.scheme = Some(Scheme::Gpt);
        table.sector_bytes = self.sector_bytes;
        if !self.matches_checksum {
            table.notes.push(Note::warning("the entries of the GPT do not match their checksum"));
        }
        if self.is_copy {
            table.notes.push(Note::warning("the GPT is damaged; its copy at the end of the disk is read"));
        }
        for (number, entry) in (1..).zip(self.bytes.chunks_exact(self.entry_bytes as usize)) {
            if let Some(partition) = parse_entry(entry, number, self.sector_bytes) {
                table.add(layout, partition);
            }
        }
    }
}

impl Header {
    fn read(disk: &Bytes, offset: u64, sector_bytes: u32) -> Result<Self> {
        let bytes = read_vec(disk, "GPT header", offset, MAX_HEADER_BYTES)?;
        Self::parse(&bytes)
            .filter(|(own_sector, _)| own_sector.checked_mul(sector_bytes.into()) == Some(offset))
            .map(|(_, header)| header)
            .ok_or_else(|| Error::corrupt("GPT header", offset, "its signature or checksum is wrong"))
    }

    /// The sector it says it lies in, and the header.
    fn parse(bytes: &[u8]) -> Option<(u64, Self)> {
        let len = usize::try_from(bytes.le32(12)?).ok().filter(|len| *len >= 92)?;
        let sound = bytes.array(0)? == *b"EFI PART"
            && without_field(bytes.get(..len)?, 16, crc32)? == bytes.le32(16)?;
        sound.then_some(())?;
        let header = Self {
            entries_at: bytes.le64(72)?,
            entry_count: bytes.le32(80)?,
            entry_bytes: bytes.le32(84).filter(|len| *len >= MIN_ENTRY_BYTES)?,
            entries_crc: bytes.le32(88)?,
        };
        Some((bytes.le64(24)?, header))
    }
}

/// ```text
/// 0 type GUID   16 its own GUID   32 first sector   40 last sector   48 attributes   56 name in UTF-16, 72 bytes
/// ```
fn parse_entry(entry: &[u8], number: u32, sector_bytes: u32) -> Option<Partition> {
    let kind = Guid(entry.array(0)?);
    let (first, last) = (entry.le64(32)?, entry.le64(40)?);
    let sectors = last.checked_sub(first)?.checked_add(1)?;
    if kind == Guid::ZERO {
        return None;
    }
    let units = entry.get(56..128)?.chunks_exact(2).filter_map(|unit| unit.le16(0));
    let name: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    Some(Partition {
        number,
        offset: first.saturating_mul(sector_bytes.into()),
        len: sectors.saturating_mul(sector_bytes.into()),
        kind: PartitionKind::Gpt(kind),
        name: (!name.is_empty()).then(|| String::from_utf16_lossy(&name)),
    })
}
