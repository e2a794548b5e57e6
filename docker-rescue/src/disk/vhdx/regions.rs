use super::replayed::ReplayedFile;
use super::unsupported;
use crate::disk::bytes::{Fields, read_vec};
use crate::disk::crc::{crc32c, without_field};
use crate::disk::{Error, Guid, Note, Result};

/// Where the two regions lie that every VHDX file has ([MS-VHDX] 2.2.3).
#[derive(Debug, Clone, Copy)]
pub(super) struct Regions {
    pub(super) block_table: Region,
    pub(super) metadata: Region,
}

/// A range of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region {
    pub(super) offset: u64,
    pub(super) len: u32,
}

const OFFSETS: [u64; 2] = [192 << 10, 256 << 10];
const LEN: usize = 64 << 10;
const MAX_ENTRIES: usize = 2047;
const BLOCK_TABLE: Guid = Guid::from_digits(0x2dc2_7766_f623_4200_9d64_115e_9bfd_4a08);
const METADATA: Guid = Guid::from_digits(0x8b7c_a206_4790_4b9a_b8fe_575f_050f_886e);

/// Reads the region table, or its copy where the first is damaged.
pub(super) fn read_regions(file: &ReplayedFile, notes: &mut Vec<Note>) -> Result<Regions> {
    let read = |offset| parse(&read_vec(file, "VHDX region table", offset, LEN)?, offset);
    let [first, copy] = OFFSETS.map(read);
    match (first, copy) {
        (Err(error), Ok(regions)) => {
            notes.push(Note::info(format!("the VHDX region table is unusable, its copy is read: {error}")));
            Ok(regions)
        }
        (first, _) => first,
    }
}

/// ```text
///  0 "regi"   4 CRC-32C   8 number of entries
/// 16 entries of 32 bytes:   0 GUID   16 file offset   24 length   28 bit 0: required
/// ```
fn parse(bytes: &[u8], offset: u64) -> Result<Regions> {
    let corrupt = |detail| Error::corrupt("VHDX region table", offset, detail);
    if bytes.array(0) != Some(*b"regi") {
        return Err(corrupt("it does not begin with \"regi\""));
    }
    if without_field(bytes, 4, crc32c) != bytes.le32(4) {
        return Err(corrupt("its checksum is wrong"));
    }
    let count =
        bytes.le32(8).and_then(|count| usize::try_from(count).ok()).filter(|count| *count <= MAX_ENTRIES);
    let count = count.ok_or_else(|| corrupt("it has too many entries"))?;
    let (mut block_table, mut metadata) = (None, None);
    for entry in bytes.get(16..).unwrap_or_default().chunks_exact(32).take(count) {
        let fields = || {
            let region = Region { offset: entry.le64(16)?, len: entry.le32(24)? };
            Some((Guid(entry.array(0)?), region, entry.le32(28)?))
        };
        match fields() {
            Some((BLOCK_TABLE, region, _)) => block_table = Some(region),
            Some((METADATA, region, _)) => metadata = Some(region),
            Some((guid, _, flags)) if flags & 1 == 1 => {
                return Err(unsupported(format!("the VHDX region {guid}")));
            }
            _ => {}
        }
    }
    Ok(Regions {
        block_table: block_table.ok_or_else(|| corrupt("it names no block allocation table"))?,
        metadata: metadata.ok_or_else(|| corrupt("it names no metadata region"))?,
    })
}
