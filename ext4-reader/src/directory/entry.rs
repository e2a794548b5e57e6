use super::DirEntry;
use crate::bytes::Fields;
use crate::features::INCOMPAT_FILETYPE;
use crate::{FileKind, InodeNumber, Superblock};

/// An entry as it lies in a block:
///
/// ```text
/// 0  inode, or 0 if unused   4  length of the entry (16 bits)   6  length of the name   7  kind   8  the name
/// ```
///
/// Without the feature `filetype` the length of the name has 16 bits and there is no kind.
pub(super) struct RawEntry<'a> {
    pub(super) inode: u32,
    /// How far it is to the next entry.
    pub(super) len: usize,
    pub(super) name: &'a [u8],
    kind: Option<FileKind>,
}

const HEADER_LEN: usize = 8;

impl<'a> RawEntry<'a> {
    /// Parses the entry that `bytes`, which reach to the end of the block, begin with. The error says what is wrong.
    pub(super) fn parse(bytes: &'a [u8], superblock: &Superblock) -> Result<Self, &'static str> {
        let fields = Fields(bytes);
        let with_kind = superblock.features().has_incompat(INCOMPAT_FILETYPE);
        let len = decode_len(fields.u16(4));
        let name_len = if with_kind { fields.u8(6).into() } else { usize::from(fields.u16(6)) };
        if len < HEADER_LEN || len > bytes.len() || !len.is_multiple_of(4) {
            return Err("the length of an entry is impossible");
        }
        let inode = fields.u32(0);
        let name = bytes.get(..len).and_then(|entry| Fields(entry).slice(HEADER_LEN, name_len));
        let name = match name {
            Some(name) => name,
            // What an unused entry says of its name is of no matter.
            None if inode == 0 => &[],
            None => return Err("a name is longer than its entry"),
        };
        let kind = with_kind.then(|| FileKind::from_directory_entry(fields.u8(7))).flatten();
        Ok(Self { inode, len, name, kind })
    }

    /// Whether all it says is possible, as chance would hardly have it.
    pub(super) fn is_convincing(&self, superblock: &Superblock) -> bool {
        let tells_kind = superblock.features().has_incompat(INCOMPAT_FILETYPE);
        self.inode != 0
            && self.inode <= superblock.inodes_count
            && is_name(self.name)
            && self.kind.is_some() == tells_kind
    }

    /// The entry for a reader. `None` if it is unused, `.` or `..`.
    pub(super) fn to_entry(&self, superblock: &Superblock) -> Option<Result<DirEntry, &'static str>> {
        if self.inode == 0 || self.name == b"." || self.name == b".." {
            return None;
        }
        if !is_name(self.name) {
            return Some(Err("a name is none"));
        }
        if self.inode > superblock.inodes_count {
            return Some(Err("an entry names an inode past the last"));
        }
        Some(Ok(DirEntry { name: self.name.to_vec(), inode: InodeNumber(self.inode), kind: self.kind }))
    }
}

/// How many files a block names, as far as its entries can be followed.
pub(super) fn count_names(block: &[u8]) -> u64 {
    let mut rest = block;
    let mut count = 0_u64;
    while rest.len() >= HEADER_LEN {
        let fields = Fields(rest);
        let is_dots = fields.u8(HEADER_LEN) == b'.' && fields.u8(6) <= 2;
        count = count.saturating_add((fields.u32(0) != 0 && !is_dots).into());
        rest = rest.get(decode_len(fields.u16(4)).max(HEADER_LEN)..).unwrap_or_default();
    }
    count
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && !name.contains(&b'/') && !name.contains(&0)
}

/// Lengths are multiples of 4, so that the two low bits can hold what blocks of 64 KiB need; the longest of all, a whole
/// such block, is 65535 or 0.
fn decode_len(on_disk: u16) -> usize {
    match usize::from(on_disk) {
        0 | 0xffff => 0x1_0000,
        len => len & 0xfffc | (len & 0b11) << 16,
    }
}
