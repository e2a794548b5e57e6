//! Which names an index leads to, told by going through all of it once.

use std::collections::HashSet;
use std::ops::Range;

use super::{
    Hash, MAX_LEVELS, NODE_ENTRIES, Node, ROOT_ENTRIES, ROOT_HASH_VERSION, ROOT_HEAD_LEN, ROOT_LEVELS,
    read_directory_block,
};
use crate::bytes::Fields;
use crate::directory::entry::RawEntry;
use crate::{Error, Ext4, Inode, ReadAt, Result};

/// How many names lie in the blocks that the index names for their hashes.
pub(in crate::directory) fn count_indexed<S: ReadAt>(filesystem: &Ext4<S>, directory: &Inode) -> Result<u64> {
    let root = read_directory_block(filesystem.device(), directory, 0)?;
    let fields = Fields(&root);
    let levels = fields.u8(ROOT_LEVELS);
    let hash = Hash::from_version(fields.u8(ROOT_HASH_VERSION), filesystem.superblock().default_hash_signs);
    let corrupt = |detail| corrupt(directory, detail);
    let hash = hash.ok_or_else(|| corrupt("its hash is unknown"))?;
    let root = Node::new(root, ROOT_ENTRIES)
        .filter(|root| Fields(&root.block).u8(ROOT_HEAD_LEN) == 8 && levels <= MAX_LEVELS)
        .ok_or_else(|| corrupt("its root is malformed"))?;
    let mut coverage = Coverage { filesystem, directory, hash, seen: HashSet::from([0]), names: 0 };
    coverage.node(&root, levels, 0..END_OF_HASHES)?;
    Ok(coverage.names)
}

const END_OF_HASHES: u64 = 1 << 32;

fn corrupt(directory: &Inode, detail: &'static str) -> Error {
    Error::corrupt("directory index", directory.offset, detail).of_inode(directory.number())
}

struct Coverage<'a, S> {
    filesystem: &'a Ext4<S>,
    directory: &'a Inode,
    hash: Hash,
    /// No block has two places in an index.
    seen: HashSet<u32>,
    names: u64,
}

impl<S: ReadAt> Coverage<'_, S> {
    /// `hashes` is what the nodes above lead to this one for; `levels` of nodes lie below it, two at most.
    fn node(&mut self, node: &Node, levels: u8, hashes: Range<u64>) -> Result<()> {
        for position in 0..node.count {
            let child = node.field(position, 4) & 0x0fff_ffff;
            let first = if position == 0 { hashes.start } else { node.hash(position).into() };
            let next = position.saturating_add(1);
            let end = if next < node.count { u64::from(node.hash(next)) } else { hashes.end };
            if first > end || first < hashes.start || end > hashes.end {
                return Err(corrupt(self.directory, "its hashes are out of order"));
            }
            if !self.seen.insert(child) {
                return Err(corrupt(self.directory, "it leads to a block twice"));
            }
            let block = read_directory_block(self.filesystem.device(), self.directory, child)?;
            match levels.checked_sub(1) {
                None => self.leaf(&block, &(first..end)),
                Some(levels) => {
                    let child = Node::new(block, NODE_ENTRIES)
                        .ok_or_else(|| corrupt(self.directory, "a node is malformed"))?;
                    self.node(&child, levels, first..end)?;
                }
            }
        }
        Ok(())
    }

    fn leaf(&mut self, block: &[u8], hashes: &Range<u64>) {
        let superblock = self.filesystem.superblock();
        let mut at = 0_usize;
        // Damaged entries are told where the directory is read.
        while let Some(rest) = block.get(at..).filter(|rest| !rest.is_empty())
            && let Ok(entry) = RawEntry::parse(rest, superblock)
        {
            at = at.saturating_add(entry.len);
            let is_name = matches!(entry.to_entry(superblock), Some(Ok(_)));
            let hash = u64::from(self.hash.of(entry.name, &superblock.hash_seed));
            // The lowest bit says that names of one hash go on here.
            if is_name && hash >= hashes.start & !1 && hash < hashes.end {
                self.names = self.names.saturating_add(1);
            }
        }
    }
}
