use crate::block_group::{self, GroupDescriptor};
use crate::bytes::{to_u64, to_usize};
use crate::{Ext4, Inode, InodeNumber, ReadAt, Result};

/// Inodes by number; see [`Ext4::scan`] and [`Ext4::deleted`].
///
/// What cannot be read is an `Err`, and the scan goes on with the rest.
#[derive(Debug)]
pub struct Scan<'a, S> {
    filesystem: &'a Ext4<S>,
    wanted: fn(&Inode) -> bool,
    group: u64,
    /// The descriptor of the group, once it is read.
    descriptor: Option<GroupDescriptor>,
    run: Run,
}

/// A piece of an inode table.
#[derive(Debug, Default)]
struct Run {
    bytes: Vec<u8>,
    /// Where it begins in the table, in bytes.
    start: u64,
    /// How much of it was looked at, in bytes.
    position: usize,
}

/// How much of a table is read at once: many inodes, little memory.
const RUN_BYTES: u64 = 256 << 10;

impl<'a, S: ReadAt> Scan<'a, S> {
    /// All inodes that are some file's, whether it still is there or not, of which `wanted` is true.
    pub(super) fn new(filesystem: &'a Ext4<S>, wanted: fn(&Inode) -> bool) -> Self {
        Self { filesystem, wanted, group: 0, descriptor: None, run: Run::default() }
    }

    /// The inodes of files that are there: they have a name, or should have one.
    pub(crate) fn in_use(filesystem: &'a Ext4<S>) -> Self {
        Self::new(filesystem, |inode| inode.links() > 0 && inode.deleted().is_none())
    }

    fn most_groups(&self) -> u64 {
        self.filesystem.superblock().present_groups(self.filesystem.device().present_blocks())
    }

    /// The inodes of deleted files.
    pub(crate) fn deleted(filesystem: &'a Ext4<S>) -> Self {
        Self::new(filesystem, |inode| inode.links() == 0)
    }

    /// Reads the next piece; `None` behind the last.
    fn read_run(&mut self) -> Option<Result<()>> {
        let superblock = self.filesystem.superblock();
        let device = self.filesystem.device();
        let descriptor = match self.descriptor {
            Some(descriptor) => descriptor,
            None if self.group < self.most_groups() => {
                match block_group::read(device, superblock, self.group) {
                    Ok(descriptor) => *self.descriptor.insert(descriptor),
                    Err(error) => {
                        self.group = self.group.saturating_add(1);
                        return Some(Err(error));
                    }
                }
            }
            None => return None,
        };
        let start = self.run.start.saturating_add(to_u64(self.run.bytes.len()));
        let end = u64::from(descriptor.inodes_ever_used).saturating_mul(superblock.inode_size.into());
        // A table past the end of the source cannot be read anywhere.
        let present = device.present_blocks().saturating_sub(descriptor.inode_table.0);
        let end = end.min(superblock.block_size.offset_of(present));
        if start >= end {
            self.run = Run::default();
            self.descriptor = None;
            self.group = self.group.saturating_add(1);
            return Some(Ok(()));
        }
        let len = end.saturating_sub(start).min(RUN_BYTES);
        self.run = Run { bytes: vec![0; to_usize(len)], start, position: 0 };
        Some(device.read(&mut self.run.bytes, descriptor.inode_table, start, "inode table").or_else(|_| {
            // Around a bad sector.
            let len = len.min(superblock.block_size.bytes());
            self.run.bytes.truncate(to_usize(len));
            let read = device.read(&mut self.run.bytes, descriptor.inode_table, start, "inode table");
            if read.is_err() {
                self.run.position = self.run.bytes.len();
            }
            read
        }))
    }

    /// The next inode of the piece; `None` behind its last.
    fn next_in_run(&mut self) -> Option<Result<Inode>> {
        let superblock = self.filesystem.superblock();
        let size = usize::from(superblock.inode_size);
        loop {
            let bytes = self.run.bytes.get(self.run.position..)?.get(..size)?;
            let at = self.run.start.saturating_add(to_u64(self.run.position));
            self.run.position = self.run.position.saturating_add(size);
            // Most inodes were never used.
            if bytes.get(..2) == Some(&[0, 0]) {
                continue;
            }
            let before = self.group.saturating_mul(superblock.inodes_per_group.get().into());
            let index = at.checked_div(superblock.inode_size.into())?;
            let number = before.saturating_add(index).saturating_add(1);
            let number = InodeNumber(u32::try_from(number).ok()?);
            let table = self.descriptor?.inode_table;
            let offset = self.filesystem.device().offset_of(table).saturating_add(at);
            let Some(inode) = Inode::parse(number, bytes, offset, superblock) else { continue };
            if (self.wanted)(&inode) {
                return Some(self.filesystem.verified_inode(inode, bytes));
            }
        }
    }
}

impl<S: ReadAt> Iterator for Scan<'_, S> {
    type Item = Result<Inode>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.next_in_run() {
                return Some(found);
            }
            if let Err(error) = self.read_run()? {
                return Some(Err(error));
            }
        }
    }
}
