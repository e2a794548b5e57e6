use std::io::{self, Read, Seek, SeekFrom};

use crate::bytes::to_u64;
use crate::{Error, Ext4, FileKind, Inode, ReadAt, Result};

/// A regular file with a cursor, for code that takes `Read` and `Seek`.
///
/// [`Ext4::read_at`] reads without one.
#[derive(Debug)]
pub struct File<'a, S> {
    filesystem: &'a Ext4<S>,
    inode: Inode,
    position: u64,
}

impl<'a, S: ReadAt> File<'a, S> {
    pub(crate) fn new(filesystem: &'a Ext4<S>, inode: Inode) -> Result<Self> {
        match inode.kind() {
            FileKind::Regular => Ok(Self { filesystem, inode, position: 0 }),
            _ => Err(Error::NotAFile),
        }
    }

    /// Its inode.
    #[must_use]
    pub fn inode(&self) -> &Inode {
        &self.inode
    }
}

impl<S: ReadAt> Read for File<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.filesystem.read_at(&self.inode, buf, self.position)?;
        self.position = self.position.saturating_add(to_u64(count));
        Ok(count)
    }
}

impl<S: ReadAt> Seek for File<'_, S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(distance) => self.inode.size().checked_add_signed(distance),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
