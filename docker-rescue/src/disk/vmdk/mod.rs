//! VMDK, the disk format of `VMware` and `VirtualBox`: one sparse or stream-optimized file, or a descriptor with sparse
//! or flat extents beside it (Virtual Disk Format 5.0).

mod descriptor;
mod header;
mod sparse;

use std::io;
use std::path::Path;

use qcow2_reader::ReadAt;

use self::descriptor::Content;
use self::header::SECTOR;
use self::sparse::SparseExtent;
use super::beside::{NamedFile, open_beside};
use super::bytes::{read_in_pieces, read_vec};
use super::opened::Opened;
use super::{Bytes, Error, Note, Result};

/// The guest disk inside a VMDK.
pub(super) struct Vmdk {
    /// In order, without gaps.
    extents: Vec<Extent>,
    size: u64,
}

/// A stretch of the guest disk.
struct Extent {
    start: u64,
    end: u64,
    /// The file it lies in, unless that is the image itself.
    named: Option<NamedFile>,
    store: Store,
}

enum Store {
    Zeros,
    Flat { file: Bytes, offset: u64 },
    Sparse(SparseExtent),
}

impl Vmdk {
    /// Opens the VMDK `file`, and the files its descriptor names, which lie beside `image`.
    pub(super) fn open(image: &Path, file: Bytes, opened: &mut Opened) -> Result<Self> {
        let mut vmdk = Self { extents: Vec::new(), size: 0 };
        if read_vec(&file, "VMDK header", 0, 4)? == b"KDMV" {
            let sparse = open_single(file, &mut opened.notes)?;
            vmdk.push(sparse.size(), None, Store::Sparse(sparse))?;
            return Ok(vmdk);
        }
        let len =
            file.size().map_err(|source| Error::Io { structure: "VMDK descriptor", offset: 0, source })?;
        let descriptor = descriptor::parse(&read_descriptor(&file, 0, len)?, 0)?;
        if descriptor.extents.is_empty() {
            return Err(Error::corrupt("VMDK descriptor", 0, "it names no extents"));
        }
        for extent in descriptor.extents {
            let size = extent.sectors.saturating_mul(SECTOR);
            let name = match &extent.content {
                Content::Zeros => {
                    vmdk.push(size, None, Store::Zeros)?;
                    continue;
                }
                Content::Flat { name, .. } | Content::Sparse { name } => name,
            };
            let (file, named) = open_beside(image, name, opened)?;
            let store = match extent.content {
                Content::Flat { first_sector, .. } => flat(file, first_sector, size, &mut opened.notes),
                _ => sparse(file, size, &mut opened.notes).map_err(|error| named.explain(error))?,
            };
            vmdk.push(size, Some(named), store)?;
        }
        Ok(vmdk)
    }

    fn push(&mut self, len: u64, named: Option<NamedFile>, store: Store) -> Result<()> {
        let start = self.size;
        let end = start.checked_add(len).filter(|end| i64::try_from(*end).is_ok());
        self.size = end.ok_or(Error::Limit {
            what: "bytes of the VMDK",
            needed: u64::MAX,
            allowed: i64::MAX as u64,
        })?;
        self.extents.push(Extent { start, end: self.size, named, store });
        Ok(())
    }

    /// How many bytes of the guest disk the files do not hold, though their tables say so.
    pub(super) fn missing_bytes(&self) -> Result<u64> {
        self.extents.iter().try_fold(0_u64, |missing, extent| {
            let lost = match &extent.store {
                Store::Zeros => Ok(0),
                Store::Flat { file, offset } => {
                    let held = file.size().unwrap_or_default().saturating_sub(*offset);
                    Ok(extent.end.saturating_sub(extent.start).saturating_sub(held))
                }
                Store::Sparse(sparse) => sparse.missing_bytes(),
            };
            Ok(missing.saturating_add(lost.map_err(|error| extent.explain(error))?))
        })
    }

    fn read_piece(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let index = self.extents.partition_point(|extent| extent.end <= offset);
        let Some(extent) = self.extents.get(index) else { return Ok(0) };
        let len = usize::try_from(extent.end.saturating_sub(offset)).unwrap_or(usize::MAX).min(buf.len());
        let piece = buf.get_mut(..len).unwrap_or_default();
        let within = offset.saturating_sub(extent.start);
        match &extent.store {
            Store::Zeros => {
                piece.fill(0);
                Ok(len)
            }
            Store::Flat { file, offset: first } => {
                let at = first.saturating_add(within);
                file.read_exact_at(piece, at).map(|()| len).map_err(|source| Error::Io {
                    structure: "VMDK flat extent",
                    offset: at,
                    source,
                })
            }
            Store::Sparse(sparse) => sparse.read_piece(piece, within),
        }
        .map_err(|error| extent.explain(error))
    }
}

impl Extent {
    fn explain(&self, error: Error) -> Error {
        match &self.named {
            Some(named) => named.explain(error),
            None => error,
        }
    }
}

impl ReadAt for Vmdk {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        read_in_pieces(buf, offset, self.size, |buf, offset| Ok(self.read_piece(buf, offset)?))
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

/// A sparse extent that is the whole disk and has its descriptor inside.
fn open_single(file: Bytes, notes: &mut Vec<Note>) -> Result<SparseExtent> {
    let header = header::read_header(&file)?;
    let text = read_descriptor(&file, header.descriptor_offset, header.descriptor_len)?;
    if text.first().is_none_or(|byte| *byte == 0) {
        notes.push(Note::warning(
            "this VMDK has no descriptor: it may be one piece of a larger disk, whose descriptor is a short text file",
        ));
    }
    descriptor::parse(&text, header.descriptor_offset)?;
    SparseExtent::open(file, header, notes)
}

fn read_descriptor(file: &Bytes, offset: u64, len: u64) -> Result<Vec<u8>> {
    if len > descriptor::MAX_LEN {
        return Err(Error::Limit {
            what: "bytes of the VMDK descriptor",
            needed: len,
            allowed: descriptor::MAX_LEN,
        });
    }
    read_vec(file, "VMDK descriptor", offset, usize::try_from(len).unwrap_or(usize::MAX))
}

fn flat(file: Bytes, first_sector: u64, size: u64, notes: &mut Vec<Note>) -> Store {
    let offset = first_sector.saturating_mul(SECTOR);
    let held = file.size().unwrap_or_default().saturating_sub(offset);
    if held < size {
        notes.push(Note::warning(format!(
            "a flat extent of the VMDK should have {size} bytes, of which its file holds {held}"
        )));
    }
    Store::Flat { file, offset }
}

fn sparse(file: Bytes, size: u64, notes: &mut Vec<Note>) -> Result<Store> {
    let header = header::read_header(&file)?;
    if header.capacity_bytes < size {
        let detail =
            format!("it has {} bytes of the disk, not the {size} of the descriptor", header.capacity_bytes);
        return Err(Error::corrupt("VMDK header", 0, detail));
    }
    Ok(Store::Sparse(SparseExtent::open(file, header, notes)?))
}

fn unsupported(feature: impl Into<String>) -> Error {
    Error::Unsupported { feature: feature.into(), advice: "convert it with `qemu-img convert -O raw`" }
}
