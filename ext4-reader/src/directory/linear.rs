use std::collections::btree_map;
use std::sync::Arc;

use super::DirEntry;
use super::entry::{self, RawEntry};
use super::salvage;
use crate::amendments::AmendedDirectory;
use crate::bytes::to_u64;
use crate::device::BlockDevice;
use crate::finding::{Amount, Cost};
use crate::mapping::{Run, RunKind, inline, next_run};
use crate::units::BlockIndex;
use crate::{Corrupt, Error, Ext4, Inode, InodeNumber, ReadAt, Result, Superblock, checksum};

/// The entries of a directory, in the order they lie in; see [`Ext4::read_dir`](crate::Ext4::read_dir).
///
/// An index over the directory is not needed: to this reader its blocks look like unused entries. A block that cannot be
/// read, or the rest of one behind a damaged entry, is one `Err`; the iteration goes on with the next block, or in recovery
/// with the next sound entry.
#[derive(Debug)]
pub struct ReadDir<'a, S> {
    device: &'a BlockDevice<S>,
    superblock: &'a Superblock,
    directory: &'a Inode,
    /// The block of the directory to be read next.
    next_block: u64,
    /// How many blocks it may still have. No block belongs to a directory twice; pointers that say so would make a
    /// small disk hold names without end.
    blocks_left: u64,
    /// The run of blocks that the next one lies in.
    run: Option<Run>,
    chunk: Chunk,
    /// What a fast commit changed.
    amended: Option<&'a AmendedDirectory>,
    /// Where the entry lies that was returned last.
    entry_at: u64,
    /// The names that it added, and that come last.
    added: Option<btree_map::Iter<'a, Vec<u8>, Option<InodeNumber>>>,
}

/// Bytes that hold entries: a block, or a part of an inode.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Arc<[u8]>,
    position: usize,
    /// Where it lies in the source.
    offset: u64,
}

/// Inline directories begin with the number of their parent, in place of `.` and `..`.
const INLINE_PARENT_LEN: usize = 4;

impl<'a, S: ReadAt> ReadDir<'a, S> {
    pub(super) fn new(filesystem: &'a Ext4<S>, directory: &'a Inode) -> Result<Self> {
        let mut entries = Self {
            device: filesystem.device(),
            superblock: filesystem.superblock(),
            directory,
            next_block: 0,
            blocks_left: filesystem.device().present_blocks(),
            run: None,
            chunk: Chunk::default(),
            amended: filesystem.amendments.directory(directory.number()),
            entry_at: directory.offset,
            added: None,
        };
        if entries.amended.is_some_and(|amended| amended.is_new) {
            entries.next_block = u64::MAX;
        } else if inline::is_inline(directory) {
            entries.start_inline()?;
        }
        Ok(entries)
    }

    /// The entries in `i_block` come first; those in `system.data` are then the directory's only "block".
    fn start_inline(&mut self) -> Result<()> {
        let first = self.directory.i_block.get(INLINE_PARENT_LEN..).unwrap_or_default();
        let rest = inline::rest(self.directory)?;
        // Entries end exactly where `i_block` does, so the two parts read as one.
        self.chunk =
            Chunk { bytes: [first, rest].concat().into(), position: 0, offset: self.directory.offset };
        self.next_block = u64::MAX;
        Ok(())
    }

    /// Reads the next block; `None` behind the last.
    fn read_block(&mut self) -> Option<Result<()>> {
        let block_size = self.device.block_size();
        if self.next_block >= block_size.blocks_for(self.directory.size()) {
            return None;
        }
        let Some(blocks_left) = self.blocks_left.checked_sub(1) else {
            self.next_block = u64::MAX;
            return Some(Err(self.corrupt(self.directory.offset, "it has more blocks than there are")));
        };
        self.blocks_left = blocks_left;
        let in_run = |run: &Run| self.next_block < run.first.saturating_add(run.blocks);
        let run = match self.run.take().filter(in_run) {
            Some(run) => run,
            None => next_run(self.device, self.directory, self.next_block)?,
        };
        // Blocks before the run are holes, which a directory should not have, and which hold no entries.
        let block = self.next_block.max(run.first);
        self.next_block = block.saturating_add(1);
        let start = match run.kind {
            RunKind::Data(start) => start.plus(block.saturating_sub(run.first)),
            RunKind::Unwritten(start) if self.device.scrutiny().recovers() => {
                let offset = self.device.offset_of(start);
                let damage = Corrupt::new("directory block", offset, "it is marked as never written");
                self.device.scrutiny().found(damage.of_inode(self.directory.number()), Cost::Doubt);
                start.plus(block.saturating_sub(run.first))
            }
            RunKind::Unwritten(_) => {
                self.next_block = run.first.saturating_add(run.blocks);
                return Some(Err(
                    self.corrupt(self.directory.offset, "it has blocks that were never written")
                ));
            }
            RunKind::Damaged(error) => {
                self.next_block = run.first.saturating_add(run.blocks);
                return Some(Err(error));
            }
        };
        self.run = Some(run);
        Some(self.load(start, block))
    }

    fn load(&mut self, start: BlockIndex, block: u64) -> Result<()> {
        let bytes = read_verified(self.device, self.directory, start, block)
            .map_err(|e| e.of_inode(self.directory.number()))?;
        self.chunk = Chunk { bytes, position: 0, offset: self.device.offset_of(start) };
        Ok(())
    }

    /// Where the entry that was returned last lies in the source, in bytes.
    pub(crate) fn entry_offset(&self) -> u64 {
        self.entry_at
    }

    /// Whether a fast commit has something else to say of the name.
    fn is_amended(&self, entry: &Result<DirEntry, &'static str>) -> bool {
        let names = self.amended.map(|amended| &amended.names);
        matches!((names, entry), (Some(names), Ok(entry)) if names.contains_key(&entry.name))
    }

    fn next_added(&mut self) -> Option<DirEntry> {
        let amended = self.amended?;
        let added = self.added.get_or_insert_with(|| amended.names.iter());
        added.find_map(|(name, inode)| Some(DirEntry { name: name.clone(), inode: (*inode)?, kind: None }))
    }

    fn corrupt(&self, offset: u64, detail: &'static str) -> Error {
        Error::corrupt("directory block", offset, detail).of_inode(self.directory.number())
    }
}

impl<S: ReadAt> Iterator for ReadDir<'_, S> {
    type Item = Result<DirEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.chunk.bytes.get(self.chunk.position..).unwrap_or_default();
            if rest.is_empty() {
                match self.read_block() {
                    Some(Ok(())) => continue,
                    Some(Err(error)) => return Some(Err(error)),
                    None => return self.next_added().map(Ok),
                }
            }
            let at = self.chunk.offset.saturating_add(to_u64(self.chunk.position));
            let entry = match RawEntry::parse(rest, self.superblock) {
                Ok(raw) => {
                    let entry = raw.to_entry(self.superblock);
                    self.chunk.position = self.chunk.position.saturating_add(raw.len);
                    entry
                }
                Err(problem) => {
                    self.chunk.position = if self.device.scrutiny().recovers() {
                        salvage::next_entry(&self.chunk.bytes, self.chunk.position, self.superblock)
                    } else {
                        usize::MAX
                    };
                    Some(Err(problem))
                }
            };
            if let Some(entry) = entry.filter(|entry| !self.is_amended(entry)) {
                self.entry_at = at;
                return Some(entry.map_err(|problem| self.corrupt(at, problem)));
            }
        }
    }
}

/// The bytes of one block of a directory, through its map.
pub(super) fn read_directory_block<S: ReadAt>(
    device: &BlockDevice<S>,
    directory: &Inode,
    block: u32,
) -> Result<Arc<[u8]>> {
    match next_run(device, directory, block.into()) {
        Some(Run { first, kind: RunKind::Data(start), .. }) if first == u64::from(block) => {
            read_verified(device, directory, start, block.into())
        }
        Some(Run { kind: RunKind::Damaged(error), .. }) => Err(error),
        _ => {
            Err(Error::corrupt("directory index", directory.offset, "it leads to a block that is not there"))
        }
    }
}

/// The bytes of a directory's block that lies at `start`; it is the `block`th of the directory.
fn read_verified<S: ReadAt>(
    device: &BlockDevice<S>,
    directory: &Inode,
    start: BlockIndex,
    block: u64,
) -> Result<Arc<[u8]>> {
    let is_right = |seed, bytes: &[u8]| checksum::directory_block(seed, directory, bytes, block == 0);
    let amount = |bytes: &[u8]| Amount::files(entry::count_names(bytes));
    device.verified(start, "directory block", Some(directory.number()), is_right, amount)
}

/// Looks for a name in the entries of one block.
pub(super) fn find_in_block<'a>(
    bytes: &'a [u8],
    name: &[u8],
    superblock: &Superblock,
) -> Result<Option<RawEntry<'a>>, &'static str> {
    let mut position = 0_usize;
    while let Some(rest) = bytes.get(position..).filter(|rest| !rest.is_empty()) {
        let entry = RawEntry::parse(rest, superblock)?;
        position = position.saturating_add(entry.len);
        if entry.inode != 0 && entry.name == name {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}
