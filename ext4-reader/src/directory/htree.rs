//! The index over a directory: from the hash of a name to the block that holds it.
//!
//! The first block of the directory is the root; to readers that know of no index it is `.`, then `..` reaching over all
//! the rest. Further nodes look like one unused entry (source: the kernel's documentation, "Hash Tree Directories"):
//!
//! ```text
//! root:  0x1c hash version   0x1d length of this head (8)   0x1e levels below   0x20 entries
//! node:  0x08 entries
//! entries of 8 bytes:  hash, block; sorted by hash. In place of the first hash: most entries (16 bits), entries (16 bits)
//! ```

mod coverage;

use std::sync::Arc;

use super::hash::Hash;
use super::linear::{find_in_block, read_directory_block};
use crate::bytes::Fields;
use crate::{Error, Ext4, Inode, InodeNumber, ReadAt, Result};

pub(super) use coverage::count_indexed;

const ROOT_HASH_VERSION: usize = 0x1c;
const ROOT_HEAD_LEN: usize = 0x1d;
const ROOT_LEVELS: usize = 0x1e;
const ROOT_ENTRIES: usize = 0x20;
const NODE_ENTRIES: usize = 0x8;
const ENTRY_LEN: usize = 8;
/// With `large_dir`; without, one less.
const MAX_LEVELS: u8 = 2;
/// How many blocks names of one hash may fill. More would need hundreds of thousands of colliding names.
const MAX_COLLISION_BLOCKS: usize = 4096;

/// Looks a name up. Fails where the index is damaged or its hash unknown: the directory may still have the name.
pub(super) fn lookup<S: ReadAt>(
    filesystem: &Ext4<S>,
    directory: &Inode,
    name: &[u8],
) -> Result<Option<InodeNumber>> {
    let corrupt =
        |detail| Error::corrupt("directory index", directory.offset, detail).of_inode(directory.number());
    let read = |block| read_directory_block(filesystem.device(), directory, block);
    let superblock = filesystem.superblock();

    let root = read(0)?;
    let fields = Fields(&root);
    let levels = fields.u8(ROOT_LEVELS);
    if fields.u8(ROOT_HEAD_LEN) != 8 || levels > MAX_LEVELS {
        return Err(corrupt("its root is malformed"));
    }
    let hash = Hash::from_version(fields.u8(ROOT_HASH_VERSION), superblock.default_hash_signs)
        .ok_or_else(|| corrupt("its hash is unknown"))?
        .of(name, &superblock.hash_seed);

    let mut path = vec![Node::new(root, ROOT_ENTRIES).ok_or_else(|| corrupt("its root is malformed"))?];
    descend(&mut path, levels, |node| node.last_at_or_before(hash), read, corrupt)?;

    for _ in 0..MAX_COLLISION_BLOCKS {
        let leaf = path.last().and_then(Node::child).ok_or_else(|| corrupt("it leads nowhere"))?;
        let block = read(leaf)?;
        if let Some(entry) = find_in_block(&block, name, superblock).map_err(corrupt)? {
            return match entry.inode {
                number if number <= superblock.inodes_count => Ok(Some(InodeNumber(number))),
                _ => Err(corrupt("an entry names an inode past the last")),
            };
        }
        if !advance(&mut path, hash) {
            return Ok(None);
        }
        descend(&mut path, levels, |_| 0, read, corrupt)?;
    }
    Err(corrupt("too many names have one hash"))
}

/// Adds nodes to the path until it reaches the level above the leaves, choosing an entry in each.
fn descend(
    path: &mut Vec<Node>,
    levels: u8,
    choose: impl Fn(&Node) -> usize,
    read: impl Fn(u32) -> Result<Arc<[u8]>>,
    corrupt: impl Fn(&'static str) -> Error,
) -> Result<()> {
    loop {
        let Some(node) = path.last_mut() else { return Err(corrupt("it has no root")) };
        if node.position == Node::UNSET {
            node.position = choose(node);
        }
        let child = node.child().ok_or_else(|| corrupt("it leads nowhere"))?;
        if path.len() > usize::from(levels) {
            return Ok(());
        }
        path.push(Node::new(read(child)?, NODE_ENTRIES).ok_or_else(|| corrupt("a node is malformed"))?);
    }
}

/// Moves to the next leaf, if names of the same hash may go on there: its hash then has the lowest bit set.
fn advance(path: &mut Vec<Node>, hash: u32) -> bool {
    while let Some(node) = path.last_mut() {
        node.position = node.position.saturating_add(1);
        if node.position < node.count {
            return node.hash(node.position) == hash | 1;
        }
        path.pop();
    }
    false
}

/// A node of the index, with the entry chosen in it.
struct Node {
    block: Arc<[u8]>,
    entries_at: usize,
    count: usize,
    position: usize,
}

impl Node {
    const UNSET: usize = usize::MAX;

    /// `None` if the node says it has more entries than fit, or none.
    fn new(block: Arc<[u8]>, entries_at: usize) -> Option<Self> {
        let fields = Fields(&block);
        let most = usize::from(fields.u16(entries_at));
        let count = usize::from(fields.u16(entries_at.saturating_add(2)));
        let fit = block.len().saturating_sub(entries_at).wrapping_div(ENTRY_LEN);
        (count > 0 && count <= most && most <= fit).then_some(Self {
            block,
            entries_at,
            count,
            position: Self::UNSET,
        })
    }

    fn field(&self, position: usize, offset: usize) -> u32 {
        let at = position.saturating_mul(ENTRY_LEN).saturating_add(self.entries_at).saturating_add(offset);
        Fields(&self.block).u32(at)
    }

    fn hash(&self, position: usize) -> u32 {
        if position == 0 { 0 } else { self.field(position, 0) }
    }

    fn child(&self) -> Option<u32> {
        // The high bits were once meant for other things.
        (self.position < self.count).then(|| self.field(self.position, 4) & 0x0fff_ffff)
    }

    fn last_at_or_before(&self, hash: u32) -> usize {
        let (mut low, mut high) = (1, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.hash(middle) <= hash {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low.saturating_sub(1)
    }
}
