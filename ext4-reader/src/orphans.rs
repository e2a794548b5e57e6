//! Files that the kernel would finish deleting or cutting short at the next mount.

use std::collections::HashSet;

use crate::bytes::{Fields, to_u64};
use crate::features::COMPAT_ORPHAN_FILE;
use crate::{Error, Ext4, InodeNumber, ReadAt, Result};

/// A file with unfinished business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Orphan {
    /// Its inode.
    pub inode: InodeNumber,
    /// What is to be finished.
    pub fate: OrphanFate,
}

/// What the kernel would do with an orphan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrphanFate {
    /// It has no name left, and would be deleted.
    Deleted,
    /// Storage behind its end would be freed; its times would be those of the mount.
    Truncated,
}

const LINKS: usize = 0x1a;
/// In an orphan, the time of deletion is the number of the next one.
const NEXT: usize = 0x14;
/// A block of the orphan file ends with `0x0b10ca04` and a checksum; before them stand numbers of inodes, 0 for none.
const TAIL_LEN: usize = 8;

/// Those in the list that begins in the superblock, then those in the orphan file.
pub(crate) fn read<S: ReadAt>(filesystem: &Ext4<S>) -> Result<Vec<Orphan>> {
    let mut seen = HashSet::new();
    let mut orphans = Vec::new();
    let mut next = filesystem.superblock().first_orphan;
    while next != 0 {
        if !seen.insert(next) {
            let offset = filesystem.device().offset_of_superblock();
            return Err(Error::corrupt("orphan list", offset, format!("it comes to inode {next} again")));
        }
        let (orphan, following) = orphan(filesystem, InodeNumber(next))?;
        orphans.push(orphan);
        next = following;
    }
    for number in in_orphan_file(filesystem)? {
        if seen.insert(number) {
            orphans.push(orphan(filesystem, InodeNumber(number))?.0);
        }
    }
    Ok(orphans)
}

fn orphan<S: ReadAt>(filesystem: &Ext4<S>, number: InodeNumber) -> Result<(Orphan, u32)> {
    let (bytes, _) = filesystem.raw_inode(number)?;
    let fields = Fields(&bytes);
    let fate = if fields.u16(LINKS) == 0 { OrphanFate::Deleted } else { OrphanFate::Truncated };
    Ok((Orphan { inode: number, fate }, fields.u32(NEXT)))
}

fn in_orphan_file<S: ReadAt>(filesystem: &Ext4<S>) -> Result<Vec<u32>> {
    let superblock = filesystem.superblock();
    if !superblock.features().has_compat(COMPAT_ORPHAN_FILE) || !superblock.has_orphans() {
        return Ok(Vec::new());
    }
    let file = filesystem.inode(InodeNumber(superblock.orphan_file))?;
    let mut block = vec![0; superblock.block_size.len()];
    let blocks = superblock.block_size.blocks_for(file.size()).min(filesystem.device().present_blocks());
    let mut found = Vec::new();
    for position in 0..blocks {
        filesystem.read_content(&file, &mut block, superblock.block_size.offset_of(position))?;
        let entries = block.get(..block.len().saturating_sub(TAIL_LEN)).unwrap_or_default();
        let numbers = entries.chunks_exact(4).map(|entry| Fields(entry).u32(0));
        found.extend(numbers.filter(|&number| number != 0));
        if to_u64(found.len()) > superblock.inodes_count.into() {
            return Err(Error::corrupt("orphan file", file.offset, "it names more inodes than there are"));
        }
    }
    Ok(found)
}
