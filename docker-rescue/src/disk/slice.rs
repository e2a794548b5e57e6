use std::fmt;
use std::io;

use qcow2_reader::ReadAt;

use super::Bytes;

/// A range of a disk as bytes of their own, such as a partition: its first byte has the offset 0.
#[derive(Clone)]
pub struct Slice {
    bytes: Bytes,
    offset: u64,
    len: u64,
}

impl Slice {
    pub(super) fn new(bytes: Bytes, size: u64, offset: u64, len: u64) -> Self {
        let offset = offset.min(size);
        Self { bytes, offset, len: len.min(size.saturating_sub(offset)) }
    }

    /// Where it begins on the disk, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl ReadAt for Slice {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        match offset.checked_add(buf.len() as u64) {
            Some(end) if end <= self.len => self.bytes.read_exact_at(buf, self.offset.saturating_add(offset)),
            _ => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the partition ends at byte offset {}", self.len),
            )),
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len)
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slice").field("offset", &self.offset).field("len", &self.len).finish_non_exhaustive()
    }
}
