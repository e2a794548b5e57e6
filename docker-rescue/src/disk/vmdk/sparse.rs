use std::sync::{Arc, Mutex, PoisonError};

use super::header::{Header, SECTOR};
use crate::disk::bytes::{Fields, read_vec};
use crate::disk::{Bytes, Error, Note, Result};

/// A sparse extent: grains of data, found through tables of their places, found through a directory of the tables.
///
/// The directory is held in memory; entries of the tables are read when they are needed, as the system's page cache
/// holds what is used of them.
pub(super) struct SparseExtent {
    file: Bytes,
    file_len: u64,
    header: Header,
    /// Sector numbers of the grain tables; then the same of their copies, where the extent has some.
    directories: Vec<Vec<u32>>,
    /// The grain unpacked last, by its offset in the file: reads in order unpack each grain once.
    unpacked: Mutex<Option<(u64, Arc<[u8]>)>>,
}

/// Where a grain lies.
enum Grain {
    Zeros,
    At(u64),
}

const ENTRY_LEN: u64 = 4;
/// First sector of the grain, then the length of its compressed bytes, which follow.
const MARKER_LEN: usize = 12;
/// Bytes by which deflate may make incompressible data longer, generously.
const MAX_GROWTH: u64 = 64 << 10;

impl SparseExtent {
    pub(super) fn open(file: Bytes, header: Header, notes: &mut Vec<Note>) -> Result<Self> {
        let len = usize::try_from(header.tables.saturating_mul(ENTRY_LEN)).unwrap_or(usize::MAX);
        let read = |offset| {
            let bytes = read_vec(&file, "VMDK grain directory", offset, len)?;
            Ok(bytes.chunks_exact(4).filter_map(|entry| entry.le32(0)).collect())
        };
        let first = read(header.directory_offset);
        let copy = header.redundant_directory_offset.map(read);
        let directories = match (first, copy) {
            (Ok(first), Some(Ok(copy))) => vec![first, copy],
            (Ok(first), _) => vec![first],
            (Err(error), Some(Ok(copy))) => {
                notes.push(Note::info(format!(
                    "the VMDK's grain directory is unusable, its copy is read: {error}"
                )));
                vec![copy]
            }
            (Err(error), _) => return Err(error),
        };
        if header.open_when_last_written {
            notes.push(Note::info(
                "the VMDK was not closed: the machine crashed, or the file is a copy of one in use",
            ));
        }
        let file_len =
            file.size().map_err(|source| Error::Io { structure: "size of the VMDK", offset: 0, source })?;
        Ok(Self { file, file_len, header, directories, unpacked: Mutex::new(None) })
    }

    pub(super) fn size(&self) -> u64 {
        self.header.capacity_bytes
    }

    /// How many bytes of the disk the file does not hold, though its tables say so.
    pub(super) fn missing_bytes(&self) -> Result<u64> {
        let grain_bytes = self.header.grain_bytes.get();
        let needed = if self.header.compressed { MARKER_LEN as u64 } else { grain_bytes };
        let len =
            usize::try_from(self.header.table_entries.get().saturating_mul(ENTRY_LEN)).unwrap_or(usize::MAX);
        let mut missing = 0_u64;
        for table in 0..self.header.tables {
            let lost = match self.table_offset(table) {
                Ok(None) => 0,
                Ok(Some(offset)) => read_vec(&self.file, "VMDK grain table", offset, len)?
                    .chunks_exact(4)
                    .filter_map(|entry| entry.le32(0))
                    .filter(|entry| match self.parse_entry(*entry, offset) {
                        Ok(Grain::Zeros) => false,
                        Ok(Grain::At(at)) => at.saturating_add(needed) > self.file_len,
                        Err(_) => true,
                    })
                    .count() as u64,
                Err(_) => self.header.table_entries.get(),
            };
            missing = missing.saturating_add(lost.saturating_mul(grain_bytes));
        }
        Ok(missing.min(self.header.capacity_bytes))
    }

    /// Reads from `offset` up to the end of its grain; returns how many bytes that were.
    pub(super) fn read_piece(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let grain_bytes = self.header.grain_bytes;
        let in_grain = offset % grain_bytes;
        let len =
            usize::try_from(grain_bytes.get().saturating_sub(in_grain)).unwrap_or(usize::MAX).min(buf.len());
        let piece = buf.get_mut(..len).unwrap_or_default();
        match self.find_grain(offset / grain_bytes)? {
            Grain::Zeros => piece.fill(0),
            Grain::At(grain) if self.header.compressed => {
                let first_sector = offset.saturating_sub(in_grain) / SECTOR;
                let unpacked = self.unpack(grain, first_sector)?;
                let from = usize::try_from(in_grain).unwrap_or(usize::MAX);
                let bytes = unpacked.get(from..).and_then(|behind| behind.get(..len));
                piece.copy_from_slice(bytes.ok_or_else(|| damaged_grain(grain, "it unpacks to too little"))?);
            }
            Grain::At(grain) => {
                let at = grain.saturating_add(in_grain);
                self.file.read_exact_at(piece, at).map_err(|source| Error::Io {
                    structure: "VMDK grain",
                    offset: at,
                    source,
                })?;
            }
        }
        Ok(len)
    }

    fn find_grain(&self, grain: u64) -> Result<Grain> {
        let Some(table) = self.table_offset(grain / self.header.table_entries)? else {
            return Ok(Grain::Zeros);
        };
        let index = grain % self.header.table_entries;
        let offset = table.saturating_add(index.saturating_mul(ENTRY_LEN));
        let entry = read_vec(&self.file, "VMDK grain table", offset, 4)?;
        self.parse_entry(entry.le32(0).unwrap_or_default(), offset)
    }

    /// Where a grain table lies; the copy's place if that of the first is not in the file. `None` if it has no grains.
    fn table_offset(&self, table: u64) -> Result<Option<u64>> {
        let index = usize::try_from(table).unwrap_or(usize::MAX);
        let len = self.header.table_entries.get().saturating_mul(ENTRY_LEN);
        let mut entries = self
            .directories
            .iter()
            .filter_map(|directory| directory.get(index))
            .map(|entry| u64::from(*entry));
        let inside = |sector: &u64| sector.saturating_mul(SECTOR).saturating_add(len) <= self.file_len;
        match entries.find(inside) {
            Some(0) => Ok(None),
            Some(sector) => Ok(Some(sector.saturating_mul(SECTOR))),
            None => Err(Error::corrupt(
                "VMDK grain directory",
                self.header.directory_offset.saturating_add(table.saturating_mul(ENTRY_LEN)),
                "it leads beyond the end of the file",
            )),
        }
    }

    fn parse_entry(&self, entry: u32, offset: u64) -> Result<Grain> {
        match entry {
            0 => Ok(Grain::Zeros),
            1 if self.header.zeroed_grains => Ok(Grain::Zeros),
            1 => Err(Error::corrupt("VMDK grain table entry", offset, "it leads into the header")),
            sector => Ok(Grain::At(u64::from(sector).saturating_mul(SECTOR))),
        }
    }

    fn unpack(&self, grain: u64, first_sector: u64) -> Result<Arc<[u8]>> {
        let cached = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, unpacked)) = cached.filter(|(at, _)| *at == grain) {
            return Ok(unpacked);
        }
        let unpacked: Arc<[u8]> = self.read_compressed(grain, first_sector)?.into();
        *self.unpacked.lock().unwrap_or_else(PoisonError::into_inner) = Some((grain, Arc::clone(&unpacked)));
        Ok(unpacked)
    }

    fn read_compressed(&self, grain: u64, first_sector: u64) -> Result<Vec<u8>> {
        let marker = read_vec(&self.file, "VMDK grain marker", grain, MARKER_LEN)?;
        let (sector, len) = marker.le64(0).zip(marker.le32(8)).unwrap_or_default();
        if sector != first_sector {
            return Err(damaged_grain(grain, &format!("it belongs to sector {sector}, not {first_sector}")));
        }
        let grain_bytes = self.header.grain_bytes.get();
        if u64::from(len) > grain_bytes.saturating_add(MAX_GROWTH) {
            return Err(damaged_grain(
                grain,
                &format!("{len} compressed bytes are more than a grain can have"),
            ));
        }
        let packed =
            read_vec(&self.file, "VMDK grain", grain.saturating_add(MARKER_LEN as u64), len as usize)?;
        inflate(&packed, grain_bytes).ok_or_else(|| damaged_grain(grain, "it does not unpack"))
    }
}

/// Unpacks a zlib stream (RFC 1950) whose content is `len` bytes long, or shorter in a disk's last grain.
fn inflate(packed: &[u8], len: u64) -> Option<Vec<u8>> {
    let mut unpacked = vec![0; usize::try_from(len).ok()?];
    let mut stream = flate2::Decompress::new(true);
    let status = stream.decompress(packed, &mut unpacked, flate2::FlushDecompress::Finish).ok()?;
    unpacked.truncate(usize::try_from(stream.total_out()).ok()?);
    (status == flate2::Status::StreamEnd).then_some(unpacked)
}

fn damaged_grain(offset: u64, detail: &str) -> Error {
    Error::corrupt("VMDK grain", offset, detail)
}
