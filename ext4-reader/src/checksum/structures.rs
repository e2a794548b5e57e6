//! Which bytes the checksum of each structure covers, and where it stands (source: the kernel's documentation,
//! "Checksums", and its code where that is silent). The checksum itself counts as zeros, or is left out.

use super::crc16::crc16;
use super::crc32c::crc32c;
use crate::Inode;
use crate::bytes::Fields;

/// What checksums of metadata begin with: that of the UUID, or what stands in the superblock for it.
pub(crate) fn metadata_seed(uuid: &[u8]) -> u32 {
    crc32c(!0, uuid)
}

/// The last four bytes of the superblock's 1024.
pub(crate) fn superblock(bytes: &[u8]) -> bool {
    let covered = Fields(bytes).slice(0, SUPERBLOCK_CHECKSUM).unwrap_or_default();
    Fields(bytes).u32(SUPERBLOCK_CHECKSUM) == crc32c(!0, covered)
}

const SUPERBLOCK_CHECKSUM: usize = 0x3fc;

/// 16 bits at 0x1e. Before the descriptor comes the number of its group; with CRC-16 also the UUID, which `seed` gives.
pub(crate) fn group_descriptor(seed: DescriptorSeed<'_>, group: u32, descriptor: &[u8]) -> bool {
    let (before, behind) = around(descriptor, 0x1e, 2);
    let computed = match seed {
        DescriptorSeed::Crc32c(seed) => {
            let crc = crc32c(crc32c(seed, &group.to_le_bytes()), before);
            low_16(crc32c(crc32c(crc, &[0; 2]), behind))
        }
        DescriptorSeed::Crc16 { uuid } => {
            crc16(crc16(crc16(crc16(!0, uuid), &group.to_le_bytes()), before), behind)
        }
    };
    Fields(descriptor).u16(0x1e) == computed
}

/// How the checksums of group descriptors begin.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DescriptorSeed<'a> {
    Crc32c(u32),
    Crc16 { uuid: &'a [u8; 16] },
}

/// 16 bits at 0x7c, and where inodes are long enough 16 more at 0x82. `bytes` is the whole inode.
pub(crate) fn inode(seed: u32, inode: &Inode, bytes: &[u8]) -> bool {
    const LOW: usize = 0x7c;
    const HIGH: usize = 0x82;
    let fields = Fields(bytes);
    let (before, behind) = around(bytes, LOW, 2);
    let crc = crc32c(crc32c(inode_seed(seed, inode), before), &[0; 2]);
    let reaches_high = bytes.len() > 128 && fields.u16(0x80) >= 4;
    if reaches_high {
        let (between, behind) = around(behind, HIGH.saturating_sub(LOW).saturating_sub(2), 2);
        let crc = crc32c(crc32c(crc32c(crc, between), &[0; 2]), behind);
        crc == u32::from(fields.u16(HIGH)) << 16 | u32::from(fields.u16(LOW))
    } else {
        low_16(crc32c(crc, behind)) == fields.u16(LOW)
    }
}

/// Behind the last entry that fits.
pub(crate) fn extent_block(seed: u32, inode: &Inode, block: &[u8]) -> bool {
    let most = usize::from(Fields(block).u16(4));
    let tail = most.saturating_mul(12).saturating_add(12);
    has_at(block, tail, crc32c(inode_seed(seed, inode), block.get(..tail).unwrap_or_default()))
}

/// A block of entries ends with one that is unused, 12 bytes long and of the kind 0xde, whose last four bytes are the
/// checksum. In a node of an index it stands behind the last entry that fits, and covers the entries that are there.
pub(crate) fn directory_block(seed: u32, inode: &Inode, block: &[u8], is_root: bool) -> bool {
    let seed = inode_seed(seed, inode);
    if let Some(entries_at) = index_entries_at(inode, block, is_root) {
        return index_node(seed, block, entries_at);
    }
    let tail = block.len().saturating_sub(12);
    let (covered, marks) = block.split_at_checked(tail).unwrap_or_default();
    marks.starts_with(&[0, 0, 0, 0, 12, 0, 0, 0xde])
        && has_at(block, tail.saturating_add(8), crc32c(seed, covered))
}

/// Where a node of an index has its entries. To readers of entries it is a single unused one; the root is `.` and `..`.
fn index_entries_at(inode: &Inode, block: &[u8], is_root: bool) -> Option<usize> {
    if !inode.is_indexed() {
        return None;
    }
    if is_root {
        return Some(0x20);
    }
    let fields = Fields(block);
    let reaches_over_all = match fields.u16(4) {
        0 | 0xffff => block.len() == 0x1_0000,
        len => usize::from(len) == block.len(),
    };
    (reaches_over_all && fields.u32(0) == 0).then_some(8)
}

fn index_node(seed: u32, block: &[u8], entries_at: usize) -> bool {
    let fields = Fields(block);
    let entries = |count: u16| usize::from(count).saturating_mul(8).saturating_add(entries_at);
    let tail = entries(fields.u16(entries_at));
    let end = entries(fields.u16(entries_at.saturating_add(2)));
    let (Some(covered), Some(reserved)) = (fields.slice(0, end), fields.slice(tail, 4)) else { return false };
    let crc = crc32c(crc32c(crc32c(seed, covered), reserved), &[0; 4]);
    end <= tail && has_at(block, tail.saturating_add(4), crc)
}

/// At 16; the number of the block comes first.
pub(crate) fn attribute_block(seed: u32, number: u64, block: &[u8]) -> bool {
    let (before, behind) = around(block, 16, 4);
    let crc = crc32c(crc32c(seed, &number.to_le_bytes()), before);
    has_at(block, 16, crc32c(crc32c(crc, &[0; 4]), behind))
}

/// The checksum of a bitmap stands in the descriptor of its group; in a short one only the low half.
pub(crate) fn bitmap(seed: u32, covered: &[u8], (low, high): (u16, Option<u16>)) -> bool {
    let crc = crc32c(seed, covered);
    low_16(crc) == low && high.is_none_or(|high| low_16(crc >> 16) == high)
}

/// What the checksums of all that belongs to one file begin with.
fn inode_seed(seed: u32, inode: &Inode) -> u32 {
    crc32c(crc32c(seed, &inode.number().0.to_le_bytes()), &inode.generation().to_le_bytes())
}

/// What lies before and behind a field.
fn around(bytes: &[u8], offset: usize, len: usize) -> (&[u8], &[u8]) {
    let (before, rest) = bytes.split_at_checked(offset).unwrap_or((bytes, &[]));
    (before, rest.get(len..).unwrap_or_default())
}

fn has_at(bytes: &[u8], offset: usize, checksum: u32) -> bool {
    Fields(bytes).slice(offset, 4) == Some(&checksum.to_le_bytes())
}

fn low_16(crc: u32) -> u16 {
    let [a, b, ..] = crc.to_le_bytes();
    u16::from_le_bytes([a, b])
}
