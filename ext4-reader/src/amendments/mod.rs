//! What fast commits change. They speak of files, not of blocks: so their changes are kept beside the blocks, by inode.

mod ranges;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub(crate) use ranges::{Next, Ranges};

use crate::bytes::Fields;
use crate::inode::{EXTENTS_FLAG, I_BLOCK_AT, INLINE_DATA_FLAG};
use crate::journal::{Change, Naming};
use crate::{Error, Ext4, FileKind, InodeNumber, ReadAt, Result};

/// Changes to inodes and directories.
#[derive(Debug, Default)]
pub(crate) struct Amendments {
    inodes: HashMap<InodeNumber, AmendedInode>,
    directories: HashMap<InodeNumber, AmendedDirectory>,
    searched_blocks: u64,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct AmendedInode {
    /// In place of those on disk.
    pub(crate) bytes: Option<Vec<u8>>,
    /// In place of some of its mapping.
    pub(crate) ranges: Option<Arc<Ranges>>,
}

#[derive(Debug, Default)]
pub(crate) struct AmendedDirectory {
    /// Of what lies on disk nothing holds.
    pub(crate) is_new: bool,
    /// Names with what they lead to; `None` for those that are gone.
    pub(crate) names: BTreeMap<Vec<u8>, Option<InodeNumber>>,
}

/// Each name of a fast commit is looked up, at worst block by block. Sound ones come nowhere near this.
const MAX_SEARCHED_BLOCKS: u64 = 1 << 20;
const LINKS_AT: usize = 0x1a;
const GENERATION_AT: usize = 0x64;
/// An empty extent tree: the magic number, no entries of at most four.
const EMPTY_TREE: [u8; 8] = [0x0a, 0xf3, 0, 0, 4, 0, 0, 0];

impl Amendments {
    pub(crate) fn inode(&self, number: InodeNumber) -> Option<&AmendedInode> {
        self.inodes.get(&number)
    }

    pub(crate) fn directory(&self, number: InodeNumber) -> Option<&AmendedDirectory> {
        self.directories.get(&number)
    }
}

/// Applies changes in the order they were made, as the kernel does: what is already so stays so.
pub(crate) fn apply<S: ReadAt>(filesystem: &mut Ext4<S>, changes: Vec<Change>) -> Result<()> {
    for change in changes {
        match change {
            Change::Inode { inode, bytes } => replace_inode(filesystem, inode, &bytes)?,
            Change::Range { inode, first, blocks, target } => {
                let amended = filesystem.amendments.inodes.entry(inode).or_default();
                Arc::make_mut(amended.ranges.get_or_insert_default()).set(first, blocks, target);
            }
            Change::Create(name) => {
                if filesystem.inode(name.inode)?.kind() == FileKind::Directory {
                    let new = AmendedDirectory { is_new: true, names: BTreeMap::new() };
                    filesystem.amendments.directories.insert(name.inode, new);
                }
                let inode = name.inode;
                link(filesystem, name)?;
                set_links(filesystem, inode, |_| 1)?;
            }
            Change::Link(name) => {
                if filesystem.inode(name.inode).is_ok() {
                    link(filesystem, name)?;
                }
            }
            Change::Unlink(name) => {
                if filesystem.inode(name.inode).is_ok() {
                    unlink(filesystem, name)?;
                }
            }
        }
    }
    Ok(())
}

/// Puts the fields in place of the old ones. The mapping stays as it was, since ranges tell what became of it; only
/// inline data comes with the inode.
fn replace_inode<S: ReadAt>(filesystem: &mut Ext4<S>, number: InodeNumber, new: &[u8]) -> Result<()> {
    let mut bytes = filesystem.raw_inode(number)?.0;
    let mapping = I_BLOCK_AT..GENERATION_AT;
    let flags = Fields(new).u32(0x20);
    for (at, (to, from)) in bytes.iter_mut().zip(new).enumerate() {
        if !(I_BLOCK_AT..GENERATION_AT).contains(&at) || flags & INLINE_DATA_FLAG != 0 {
            *to = *from;
        }
    }
    if flags & EXTENTS_FLAG != 0
        && let Some(tree) = bytes.get_mut(mapping)
        && !tree.starts_with(&[0x0a, 0xf3])
    {
        tree.fill(0);
        tree.iter_mut().zip(EMPTY_TREE).for_each(|(to, from)| *to = from);
    }
    filesystem.amendments.inodes.entry(number).or_default().bytes = Some(bytes);
    Ok(())
}

fn link<S: ReadAt>(filesystem: &mut Ext4<S>, name: Naming) -> Result<()> {
    match find(filesystem, &name) {
        Ok(_) => Ok(()),
        Err(Error::NotFound) => {
            set_links(filesystem, name.inode, |links| links.saturating_add(1))?;
            let directory = filesystem.amendments.directories.entry(name.directory).or_default();
            directory.names.insert(name.name, Some(name.inode));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn unlink<S: ReadAt>(filesystem: &mut Ext4<S>, name: Naming) -> Result<()> {
    let found = match find(filesystem, &name) {
        Ok(found) => found,
        Err(Error::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    if found == name.inode {
        let directory = filesystem.amendments.directories.entry(name.directory).or_default();
        directory.names.insert(name.name, None);
    }
    if set_links(filesystem, name.inode, |links| links.saturating_sub(1))? == 0 {
        // The inode may serve another file next, which inherits nothing.
        let amended = filesystem.amendments.inodes.entry(name.inode).or_default();
        amended.ranges = Some(Arc::new(Ranges::nothing()));
    }
    Ok(())
}

fn find<S: ReadAt>(filesystem: &mut Ext4<S>, name: &Naming) -> Result<InodeNumber> {
    let directory = filesystem.inode(name.directory)?;
    let device = filesystem.device();
    let blocks = device.block_size().blocks_for(directory.size()).min(device.present_blocks());
    let searched = &mut filesystem.amendments.searched_blocks;
    *searched = searched.saturating_add(blocks);
    if *searched > MAX_SEARCHED_BLOCKS {
        let what = "the length of the directories that fast commits name, in blocks";
        return Err(Error::Limit { what, needed: *searched, allowed: MAX_SEARCHED_BLOCKS });
    }
    crate::directory::lookup(filesystem, &directory, &name.name)
}

fn set_links<S: ReadAt>(
    filesystem: &mut Ext4<S>,
    number: InodeNumber,
    links: impl Fn(u16) -> u16,
) -> Result<u16> {
    let mut bytes = filesystem.raw_inode(number)?.0;
    let count = links(Fields(&bytes).u16(LINKS_AT));
    if let Some(field) = bytes.get_mut(LINKS_AT..LINKS_AT.saturating_add(2)) {
        field.copy_from_slice(&count.to_le_bytes());
    }
    filesystem.amendments.inodes.entry(number).or_default().bytes = Some(bytes);
    Ok(count)
}
