use super::{RunKind, inline, next_run};
use crate::device::BlockDevice;
use crate::{Inode, ReadAt, Result};

/// A range of a file that is no hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileExtent {
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// How long it is, in bytes; it does not reach past the end of the file.
    pub len: u64,
    /// What it is.
    pub kind: ExtentKind,
}

/// What a range of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtentKind {
    /// Data that lies in the source at this byte offset.
    Data {
        /// In bytes from the start of the source.
        source_offset: u64,
    },
    /// Data whose newest copy lies in the journal: it is read with [`Ext4::read_at`](crate::Ext4::read_at).
    Journaled,
    /// Data that lies in the inode.
    Inline,
    /// Reserved storage that was never written: reads as zeros, like a hole.
    Unwritten,
}

/// The ranges of a file that are no holes, ascending; see [`Ext4::extents`](crate::Ext4::extents).
#[derive(Debug)]
pub struct FileExtents<'a, S> {
    device: &'a BlockDevice<S>,
    inode: &'a Inode,
    /// In blocks.
    position: u64,
}

impl<'a, S: ReadAt> FileExtents<'a, S> {
    pub(crate) fn new(device: &'a BlockDevice<S>, inode: &'a Inode) -> Self {
        Self { device, inode, position: 0 }
    }
}

impl<S: ReadAt> Iterator for FileExtents<'_, S> {
    type Item = Result<FileExtent>;

    /// A part whose place could not be read is one `Err`; the iteration goes on behind it.
    fn next(&mut self) -> Option<Self::Item> {
        let size = self.inode.size();
        let block_size = self.device.block_size();
        if self.position >= block_size.blocks_for(size) {
            return None;
        }
        if inline::is_inline(self.inode) {
            self.position = block_size.blocks_for(size);
            return Some(Ok(FileExtent { offset: 0, len: size, kind: ExtentKind::Inline }));
        }
        let mut run = next_run(self.device, self.inode, self.position)?;
        if let RunKind::Data(start) = run.kind {
            run.blocks = self.device.alike(start, run.blocks);
        }
        self.position = run.first.saturating_add(run.blocks);
        let offset = block_size.offset_of(run.first);
        if offset >= size {
            return None;
        }
        let len = block_size.offset_of(run.blocks).min(size.saturating_sub(offset));
        let kind = match run.kind {
            RunKind::Data(start) if self.device.is_journaled(start) => ExtentKind::Journaled,
            RunKind::Data(start) => ExtentKind::Data { source_offset: self.device.offset_of(start) },
            RunKind::Unwritten(_) => ExtentKind::Unwritten,
            RunKind::Damaged(error) => return Some(Err(error)),
        };
        Some(Ok(FileExtent { offset, len, kind }))
    }
}
