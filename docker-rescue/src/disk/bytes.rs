//! Fields of on-disk structures, and the reads that fetch them.

use std::io;

use qcow2_reader::ReadAt;

use super::{Error, Result};

/// Fields of a structure by their byte offset in it; `None` beyond its end.
pub(super) trait Fields {
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]>;

    fn le16(&self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn le32(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn le64(&self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }
}

impl Fields for [u8] {
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.get(at..)?.first_chunk().copied()
    }
}

/// Reads a structure of `len` bytes, a number the caller has bounded.
pub(super) fn read_vec(
    source: &dyn ReadAt,
    structure: &'static str,
    offset: u64,
    len: usize,
) -> Result<Vec<u8>> {
    let io_error = |source| Error::Io { structure, offset, source };
    let size = source.size().map_err(io_error)?;
    if offset.checked_add(len as u64).is_none_or(|end| end > size) {
        return Err(Error::corrupt(
            structure,
            offset,
            format!("its {len} bytes end beyond the end of the file at {size}"),
        ));
    }
    let mut bytes = vec![0; len];
    source.read_exact_at(&mut bytes, offset).map_err(io_error)?;
    Ok(bytes)
}

/// Fills `buf` from `offset` of a disk of `size` bytes piece by piece: `read_piece` is given what is left of the
/// buffer and its offset, and returns how many bytes it has filled. A read that ends beyond `size` fails.
pub(super) fn read_in_pieces(
    mut buf: &mut [u8],
    mut offset: u64,
    size: u64,
    mut read_piece: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<()> {
    if offset.checked_add(buf.len() as u64).is_none_or(|end| end > size) {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the disk ends at byte offset {size}"),
        ));
    }
    while !buf.is_empty() {
        let done = read_piece(buf, offset)?;
        let rest = buf.get_mut(done..).filter(|_| done > 0);
        buf = rest.ok_or_else(|| io::Error::other("a piece of a read made no progress"))?;
        offset = offset.saturating_add(done as u64);
    }
    Ok(())
}
