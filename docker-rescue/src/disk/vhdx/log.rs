//! The log of a VHDX file ([MS-VHDX] 2.3): a ring of entries, each a set of 4 KiB pages that were to be written.
//! A machine that crashed leaves entries behind that must be replayed, or its tables are out of date.

use std::borrow::Cow;
use std::collections::HashSet;

use super::header::Header;
use crate::disk::bytes::{Fields, read_vec};
use crate::disk::crc::{crc32c, without_field};
use crate::disk::{Bytes, Error, Guid, Result};

/// The unit of everything in the log.
pub(super) const PAGE: usize = 4096;
/// Hyper-V writes logs of 1 MiB.
const MAX_LOG_BYTES: u32 = 16 << 20;
/// Entries of a sound log do not overlap; remains of older ones may, a few times over.
const MAX_CHECKSUMMED_LOGS: usize = 16;

/// The writes that must be replayed, in order.
pub(super) struct Replay {
    pub(super) writes: Vec<Write>,
    /// The file was at least this long when the last entry was written.
    pub(super) flushed_len: u64,
    /// The file must be at least this long after the replay; a multiple of 1 MiB.
    pub(super) file_len: u64,
}

/// A write to the file; offset and length are multiples of [`PAGE`].
pub(super) enum Write {
    Page { offset: u64, bytes: Box<[u8; PAGE]> },
    Zeros { offset: u64, len: u64 },
}

/// Reads what must be replayed. `Ok(None)` means that the log has entries to replay, but none is whole.
pub(super) fn read_log(file: &Bytes, header: &Header) -> Result<Option<Replay>> {
    if header.log_len > MAX_LOG_BYTES {
        return Err(Error::Limit {
            what: "bytes of the VHDX log",
            needed: header.log_len.into(),
            allowed: MAX_LOG_BYTES.into(),
        });
    }
    if header.log_len == 0 || !(header.log_len as usize).is_multiple_of(PAGE) {
        return Err(Error::corrupt(
            "VHDX log",
            header.log_offset,
            format!("a length of {} bytes", header.log_len),
        ));
    }
    let bytes = read_vec(file, "VHDX log", header.log_offset, header.log_len as usize)?;
    let log = Log { bytes, offset: header.log_offset };
    log.active_sequence(header.log_guid)?.map(|entries| log.replay(&entries)).transpose()
}

struct Log {
    bytes: Vec<u8>,
    offset: u64,
}

/// ```text
///  0 "loge"    8 entry length   16 sequence number   32 log GUID      56 last file offset
///  4 CRC-32C  12 tail           24 descriptors       48 flushed file offset
/// ```
#[derive(Clone, Copy)]
struct Entry {
    at: usize,
    len: usize,
    tail: usize,
    sequence: u64,
    descriptors: usize,
    flushed_len: u64,
    file_len: u64,
}

impl Log {
    /// The sequence of entries to replay ([MS-VHDX] 2.3.3): entries that follow each other with ascending numbers,
    /// whose last one names one of them as the first that counts; of several, the one with the highest number.
    fn active_sequence(&self, guid: Guid) -> Result<Option<Vec<Entry>>> {
        let entries = self.entries(guid)?;
        let at = |at: usize| at.checked_div(PAGE).and_then(|page| *entries.get(page)?);
        let mut followed = HashSet::new();
        let mut active: Option<Vec<Entry>> = None;
        for start in entries.iter().flatten() {
            if followed.contains(&start.at) {
                continue;
            }
            let (mut sequence, mut last, mut len) = (vec![*start], *start, start.len);
            while let Some(next) = at(self.wrap(last.at, last.len)) {
                len = len.saturating_add(next.len);
                if last.sequence.checked_add(1) != Some(next.sequence) || len > self.bytes.len() {
                    break;
                }
                followed.insert(next.at);
                sequence.push(next);
                last = next;
            }
            let newest =
                active.as_ref().and_then(|best| best.last()).is_none_or(|best| last.sequence > best.sequence);
            if let Some(first) = sequence.iter().position(|entry| entry.at == last.tail).filter(|_| newest) {
                active = Some(sequence.split_off(first));
            }
        }
        Ok(active)
    }

    /// The whole entries by the page they begin at.
    fn entries(&self, guid: Guid) -> Result<Vec<Option<Entry>>> {
        let mut checksummed = 0_usize;
        let allowed = self.bytes.len().saturating_mul(MAX_CHECKSUMMED_LOGS);
        (0..self.bytes.len())
            .step_by(PAGE)
            .map(|at| {
                let Some(entry) = self.parse_entry(at, guid) else { return Ok(None) };
                checksummed = checksummed.saturating_add(entry.len);
                if checksummed > allowed {
                    return Err(Error::Limit {
                        what: "bytes in overlapping entries of the VHDX log",
                        needed: checksummed as u64,
                        allowed: allowed as u64,
                    });
                }
                let bytes = self.ring(at, entry.len);
                Ok(without_field(&bytes, 4, crc32c).filter(|crc| bytes.le32(4) == Some(*crc)).map(|_| entry))
            })
            .collect()
    }

    fn parse_entry(&self, at: usize, guid: Guid) -> Option<Entry> {
        let bytes = self.bytes.get(at..)?;
        let entry = Entry {
            at,
            len: usize::try_from(bytes.le32(8)?).ok()?,
            tail: usize::try_from(bytes.le32(12)?).ok()?,
            sequence: bytes.le64(16)?,
            descriptors: usize::try_from(bytes.le32(24)?).ok()?,
            flushed_len: bytes.le64(48)?,
            file_len: bytes.le64(56)?,
        };
        let whole = bytes.array(0)? == *b"loge"
            && Guid(bytes.array(32)?) == guid
            && entry.len.is_multiple_of(PAGE)
            && (PAGE..=self.bytes.len()).contains(&entry.len)
            && entry.tail.is_multiple_of(PAGE)
            && entry.tail < self.bytes.len()
            && entry.sequence > 0;
        whole.then_some(entry)
    }

    fn replay(&self, entries: &[Entry]) -> Result<Replay> {
        let mut replay = Replay { writes: Vec::new(), flushed_len: 0, file_len: 0 };
        for entry in entries {
            let offset = self.offset.saturating_add(entry.at as u64);
            let writes = parse_writes(&self.ring(entry.at, entry.len), entry).ok_or_else(|| {
                Error::corrupt("VHDX log entry", offset, "its descriptors and data do not match")
            })?;
            replay.writes.extend(writes);
            replay.flushed_len = entry.flushed_len;
            // Specified to be one already; qemu writes others.
            replay.file_len = entry.file_len.checked_next_multiple_of(1 << 20).unwrap_or(u64::MAX);
        }
        Ok(replay)
    }

    fn wrap(&self, at: usize, len: usize) -> usize {
        at.saturating_add(len).checked_rem(self.bytes.len()).unwrap_or_default()
    }

    /// Bytes of the ring; an entry may begin at its end and go on at its start.
    fn ring(&self, at: usize, len: usize) -> Cow<'_, [u8]> {
        let (before, behind) = self.bytes.split_at_checked(at).unwrap_or((&self.bytes, &[]));
        match behind.get(..len) {
            Some(whole) => Cow::Borrowed(whole),
            None => Cow::Owned(behind.iter().chain(before).copied().take(len).collect()),
        }
    }
}

/// Descriptors of 32 bytes follow the 64 bytes of the entry's header; behind them, from the next page on, lies one
/// page of data for each data descriptor.
///
/// ```text
/// "zero"   8 length           16 file offset   24 sequence number
/// "desc"   4 last 4 bytes      8 first 8 bytes   16 file offset   24 sequence number
///
/// a page of data:   0 "data"   4 sequence number, high half   8 bytes 8..4092   4092 low half
/// ```
fn parse_writes(bytes: &[u8], entry: &Entry) -> Option<Vec<Write>> {
    let end = entry.descriptors.checked_mul(32)?.checked_add(64)?;
    let descriptors = bytes.get(64..end)?.chunks_exact(32);
    let mut pages = bytes.get(end.checked_next_multiple_of(PAGE)?..)?.chunks_exact(PAGE);
    descriptors
        .map(|descriptor| {
            let offset = descriptor.le64(16).filter(|offset| offset.is_multiple_of(PAGE as u64))?;
            if descriptor.le64(24)? != entry.sequence {
                return None;
            }
            match &descriptor.array(0)? {
                b"zero" => {
                    let len = descriptor.le64(8).filter(|len| len.is_multiple_of(PAGE as u64))?;
                    offset.checked_add(len)?;
                    Some(Write::Zeros { offset, len })
                }
                b"desc" => {
                    offset.checked_add(PAGE as u64)?;
                    let page = parse_page(descriptor, pages.next()?, entry.sequence)?;
                    Some(Write::Page { offset, bytes: Box::new(page) })
                }
                _ => None,
            }
        })
        .collect()
}

/// Puts a page together: its first and last bytes give way to the marks of the log, and lie in the descriptor.
fn parse_page(descriptor: &[u8], page: &[u8], sequence: u64) -> Option<[u8; PAGE]> {
    let number = u64::from(page.le32(4)?) << 32 | u64::from(page.le32(4092)?);
    if page.array(0)? != *b"data" || number != sequence {
        return None;
    }
    let mut bytes: [u8; PAGE] = page.array(0)?;
    bytes.first_chunk_mut::<8>()?.copy_from_slice(descriptor.get(8..16)?);
    bytes.last_chunk_mut::<4>()?.copy_from_slice(descriptor.get(4..8)?);
    Some(bytes)
}
