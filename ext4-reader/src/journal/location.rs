//! Where the journal lies: in a file of the file system, or on a device of its own.

use std::cell::RefCell;

use super::superblock::{self, JournalSuperblock};
use crate::bytes::{Fields, to_u64};
use crate::device::BlockDevice;
use crate::filesystem::read_inode;
use crate::mapping::{Run, RunKind, next_run};
use crate::superblock::{JournalInode, LEN as SUPERBLOCK_LEN, OFFSET as SUPERBLOCK_OFFSET};
use crate::units::{BlockIndex, BlockSize};
use crate::{Error, Inode, InodeNumber, ReadAt, Result, Superblock};

/// The journal's blocks, by their number in the journal.
pub(super) struct JournalBlocks<'a, S> {
    device: &'a BlockDevice<S>,
    place: Place,
}

enum Place {
    /// The run that was used last is kept: the log is read in order.
    Inode { inode: Box<Inode>, run: RefCell<Option<Run>> },
    /// On its own device, of so many blocks. Numbers of blocks are those of the device; the first is this one.
    Device { first: u32, blocks: u64 },
}

/// The external journal's superblock: of the same layout as a file system's.
const JOURNAL_DEVICE_INCOMPAT: u32 = 0x8;
const EXT_MAGIC: u16 = 0xef53;

impl<'a, S: ReadAt> JournalBlocks<'a, S> {
    /// The journal in the inode that the superblock names, or in what the superblock keeps of that inode.
    pub(super) fn candidates(device: &'a BlockDevice<S>, superblock: &Superblock) -> Vec<Self> {
        let number = InodeNumber(superblock.journal.inode);
        let inode = read_inode(device, superblock, number).ok();
        let copy =
            superblock.journal.inode_copy.as_ref().and_then(|copy| inode_of_copy(copy, number, superblock));
        let of =
            |inode| Self { device, place: Place::Inode { inode: Box::new(inode), run: RefCell::new(None) } };
        inode.into_iter().chain(copy).map(of).collect()
    }

    /// The journal on the device that was given with the file system.
    pub(super) fn on_device(device: &'a BlockDevice<S>, superblock: &Superblock) -> Result<Self> {
        let mut bytes = [0; SUPERBLOCK_LEN];
        let structure = "superblock of the journal device";
        device.read_journal_bytes(&mut bytes, SUPERBLOCK_OFFSET, structure)?;
        let fields = Fields(&bytes);
        let corrupt = |detail| Error::corrupt(structure, SUPERBLOCK_OFFSET, detail);
        if fields.u16(0x38) != EXT_MAGIC || fields.u32(0x60) & JOURNAL_DEVICE_INCOMPAT == 0 {
            return Err(corrupt("it is no journal device"));
        }
        if fields.array::<16>(0x68) != superblock.journal.uuid {
            return Err(corrupt("it is the journal of another file system"));
        }
        if BlockSize::new(fields.u32(0x18)) != Some(superblock.block_size) {
            return Err(corrupt("its blocks are not as large as the file system's"));
        }
        // Behind the block that holds the superblock.
        let first = if superblock.block_size.bytes() == SUPERBLOCK_OFFSET { 2 } else { 1 };
        let blocks = fields.u64_split(0x4, 0x150);
        Ok(Self { device, place: Place::Device { first, blocks } })
    }

    pub(super) fn read_superblock(&self) -> Result<JournalSuperblock> {
        let mut bytes = vec![0; superblock::LEN];
        let block = self.block(self.superblock_position())?;
        self.device.read_journal(&mut bytes, block, 0, "journal superblock")?;
        let blocks = match &self.place {
            Place::Inode { inode, .. } => {
                self.device.block_size().blocks_for(inode.size()).min(self.device.present_blocks())
            }
            Place::Device { blocks, .. } => *blocks,
        };
        JournalSuperblock::parse(&bytes, self.offset_of(block), self.device.block_size(), blocks)
    }

    /// The block that holds the journal's superblock.
    pub(super) fn superblock_position(&self) -> u32 {
        match self.place {
            Place::Inode { .. } => 0,
            Place::Device { first, .. } => first,
        }
    }

    /// Where a block of the journal lies: on the file system, or on the journal's device.
    pub(super) fn block(&self, position: u32) -> Result<BlockIndex> {
        let position = u64::from(position);
        match &self.place {
            Place::Device { .. } => Ok(BlockIndex(position)),
            Place::Inode { inode, run } => {
                let mut run = run.borrow_mut();
                let holds =
                    |run: &Run| run.first <= position && position < run.first.saturating_add(run.blocks);
                if !run.as_ref().is_some_and(holds) {
                    *run = next_run(self.device, inode, position);
                }
                let missing = || Error::corrupt("journal", inode.offset, "one of its blocks is a hole");
                match run.as_ref().filter(|run| holds(run)) {
                    Some(Run { first, kind: RunKind::Data(start), .. }) => {
                        Ok(start.plus(position.saturating_sub(*first)))
                    }
                    Some(Run { kind: RunKind::Damaged(_), .. }) => match run.take() {
                        Some(Run { kind: RunKind::Damaged(error), .. }) => Err(error),
                        _ => Err(missing()),
                    },
                    _ => Err(missing()),
                }
            }
        }
    }

    /// Reads a whole block of the journal.
    pub(super) fn read(&self, position: u32) -> Result<Vec<u8>> {
        self.read_at(self.block(position)?)
    }

    pub(super) fn read_at(&self, block: BlockIndex) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.device.block_size().len()];
        self.device.read_journal(&mut bytes, block, 0, "journal")?;
        Ok(bytes)
    }

    /// In bytes from the start of the source that holds the journal.
    pub(super) fn offset_of(&self, block: BlockIndex) -> u64 {
        self.device.journal_offset_of(block)
    }

    pub(super) fn block_len(&self) -> usize {
        self.device.block_size().len()
    }
}

/// The superblock keeps `i_block` and the size of the journal's inode, not its flags: those the root of an extent tree
/// tells.
fn inode_of_copy(copy: &JournalInode, number: InodeNumber, superblock: &Superblock) -> Option<Inode> {
    const EXTENTS: u32 = 0x8_0000;
    const EXTENT_MAGIC: u16 = 0xf30a;
    let flags = if Fields(&copy.i_block).u16(0) == EXTENT_MAGIC { EXTENTS } else { 0 };
    let mut bytes = Vec::with_capacity(128);
    bytes.extend_from_slice(&0o100_600_u16.to_le_bytes());
    bytes.resize(0x4, 0);
    bytes.extend_from_slice(&copy.size_low.to_le_bytes());
    bytes.resize(0x20, 0);
    bytes.extend_from_slice(&flags.to_le_bytes());
    bytes.resize(0x28, 0);
    bytes.extend_from_slice(&copy.i_block);
    bytes.resize(0x6c, 0);
    bytes.extend_from_slice(&copy.size_high.to_le_bytes());
    bytes.resize(0x80, 0);
    Inode::parse(number, &bytes, SUPERBLOCK_OFFSET, superblock).filter(|inode| to_u64(0) < inode.size())
}
