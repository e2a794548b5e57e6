use super::unsupported;
use crate::disk::bytes::{Fields, read_vec};
use crate::disk::crc::{crc32c, without_field};
use crate::disk::{Bytes, Error, Guid, Note, Result};

/// What the active header of a VHDX file says ([MS-VHDX] 2.2.2).
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) sequence: u64,
    /// Zero where the log holds nothing to replay.
    pub(super) log_guid: Guid,
    pub(super) log_offset: u64,
    pub(super) log_len: u32,
}

/// The two places of the header; a writer changes them in turn.
const OFFSETS: [u64; 2] = [64 << 10, 128 << 10];
const LEN: usize = 4096;

/// Reads the header that was written last: of the two that are whole, the one with the higher sequence number.
pub(super) fn read_header(file: &Bytes, notes: &mut Vec<Note>) -> Result<Header> {
    let read = |offset| parse(&read_vec(file, "VHDX header", offset, LEN)?, offset);
    match OFFSETS.map(read) {
        [Ok(first), Ok(second)] => Ok(if second.sequence > first.sequence { second } else { first }),
        [Ok(header), Err(error)] | [Err(error), Ok(header)] => {
            notes.push(Note::info(format!(
                "one of the two VHDX headers is unusable, the other is read: {error}"
            )));
            Ok(header)
        }
        [Err(error), Err(_)] => Err(error),
    }
}

/// ```text
///  0 "head"        8 sequence number    48 log GUID          66 version    72 log offset
///  4 CRC-32C      16 two more GUIDs     64 log version       68 log length
/// ```
fn parse(bytes: &[u8], offset: u64) -> Result<Header> {
    let corrupt = |detail| Error::corrupt("VHDX header", offset, detail);
    let fields = || {
        let header = Header {
            sequence: bytes.le64(8)?,
            log_guid: Guid(bytes.array(48)?),
            log_len: bytes.le32(68)?,
            log_offset: bytes.le64(72)?,
        };
        Some((bytes.array::<4>(0)?, bytes.le32(4)?, bytes.le16(64)?, bytes.le16(66)?, header))
    };
    let (signature, checksum, log_version, version, header) =
        fields().ok_or_else(|| corrupt("it is cut off"))?;
    if signature != *b"head" {
        return Err(corrupt("it does not begin with \"head\""));
    }
    if without_field(bytes, 4, crc32c) != Some(checksum) {
        return Err(corrupt("its checksum is wrong"));
    }
    if version != 1 {
        return Err(unsupported(format!("version {version} of VHDX")));
    }
    if log_version != 0 && header.log_guid != Guid::ZERO {
        return Err(unsupported(format!("version {log_version} of the VHDX log")));
    }
    Ok(header)
}
