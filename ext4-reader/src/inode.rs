use std::sync::Arc;

use crate::amendments::Ranges;
use crate::bytes::Fields;
use crate::features::{INCOMPAT_LARGEDIR, RO_COMPAT_HUGE_FILE};
use crate::xattr::in_inode;
use crate::{InodeNumber, Superblock, Timestamp};

const FLAG_HUGE_FILE: u32 = 0x4_0000;
const FLAG_ENCRYPT: u32 = 0x800;
const FLAG_INDEX: u32 = 0x1000;
const FLAG_VERITY: u32 = 0x10_0000;
const FLAG_EA_INODE: u32 = 0x20_0000;
const FLAG_CASEFOLD: u32 = 0x4000_0000;

pub(crate) const EXTENTS_FLAG: u32 = 0x8_0000;
pub(crate) const INLINE_DATA_FLAG: u32 = 0x1000_0000;

/// How much of an inode every ext2 has; the rest begins with its own length.
pub(crate) const GOOD_OLD_LEN: usize = 128;
/// The length of `i_block`, which holds pointers, an extent tree's root, a short link target or inline data.
pub(crate) const I_BLOCK_LEN: usize = 60;
pub(crate) const I_BLOCK_AT: usize = 0x28;

/// A file of any kind: what its inode says, parsed.
///
/// Source: the kernel's documentation, "Index Nodes". Fields as on disk, bytes from the start of the inode:
///
/// ```text
/// 0x00 mode  0x02 uid  0x04 size  0x08 atime  0x0c ctime  0x10 mtime  0x14 dtime  0x18 gid  0x1a links  0x1c blocks  0x20 flags
/// 0x28 i_block (60 bytes)  0x64 generation  0x68 attribute block  0x6c size, high  0x74 blocks, high
/// 0x76 attribute block, high  0x78 uid, high  0x7a gid, high
/// 0x80 length of the rest  0x84 ctime extra  0x88 mtime extra  0x8c atime extra  0x90 crtime  0x94 crtime extra
/// 0x9c project
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    number: InodeNumber,
    kind: FileKind,
    mode: u16,
    uid: u32,
    gid: u32,
    size: u64,
    links: u16,
    allocated_bytes: u64,
    flags: u32,
    generation: u32,
    accessed: Timestamp,
    changed: Timestamp,
    modified: Timestamp,
    created: Option<Timestamp>,
    deleted: Option<Timestamp>,
    /// Where the inode lies in the source, in bytes.
    pub(crate) offset: u64,
    pub(crate) i_block: [u8; I_BLOCK_LEN],
    /// The block that holds extended attributes, or 0.
    pub(crate) attribute_block: u64,
    /// What follows the fields, if attributes lie there.
    pub(crate) tail: Box<[u8]>,
    /// Where its mapping is another than `i_block` says.
    pub(crate) ranges: Option<Arc<Ranges>>,
}

/// The kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A Unix domain socket.
    Socket,
}

/// A device number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Device {
    /// The driver.
    pub major: u32,
    /// The device of that driver.
    pub minor: u32,
}

impl Inode {
    /// Parses the bytes of an inode, as long as the superblock says, that lie at `offset` in the source. `None` if its
    /// mode is no file's: it was never used, or is damaged.
    pub(crate) fn parse(
        number: InodeNumber,
        bytes: &[u8],
        offset: u64,
        superblock: &Superblock,
    ) -> Option<Self> {
        let fields = Fields(bytes);
        let mode = fields.u16(0x0);
        let kind = FileKind::from_mode(mode)?;
        let flags = fields.u32(0x20);

        let extra_len = if bytes.len() > GOOD_OLD_LEN { usize::from(fields.u16(0x80)) } else { 0 };
        let end = GOOD_OLD_LEN.saturating_add(extra_len).min(bytes.len());
        let known = Fields(bytes.get(..end).unwrap_or(bytes));
        let time = |base, extra| Timestamp::parse(known.u32(base), known.u32(extra));

        let large = kind == FileKind::Regular || superblock.features().has_incompat(INCOMPAT_LARGEDIR);
        let sectors = u64::from(fields.u32(0x1c));
        let allocated_bytes = if superblock.features().has_ro_compat(RO_COMPAT_HUGE_FILE) {
            let count = u64::from(fields.u16(0x74)) << 32 | sectors;
            count.saturating_mul(if flags & FLAG_HUGE_FILE == 0 {
                512
            } else {
                superblock.block_size.bytes()
            })
        } else {
            sectors.saturating_mul(512)
        };
        Some(Self {
            number,
            kind,
            mode: mode & 0o7777,
            uid: u32::from(fields.u16(0x2)) | u32::from(fields.u16(0x78)) << 16,
            gid: u32::from(fields.u16(0x18)) | u32::from(fields.u16(0x7a)) << 16,
            size: if large { fields.u64_split(0x4, 0x6c) } else { u64::from(fields.u32(0x4)) },
            links: fields.u16(0x1a),
            allocated_bytes,
            flags,
            generation: fields.u32(0x64),
            accessed: time(0x8, 0x8c),
            changed: time(0xc, 0x84),
            modified: time(0x10, 0x88),
            created: (end >= 0x94).then(|| time(0x90, 0x94)),
            deleted: Some(fields.u32(0x14)).filter(|&time| time != 0).map(|time| Timestamp::parse(time, 0)),
            offset,
            i_block: fields.array(I_BLOCK_AT),
            attribute_block: u64::from(fields.u16(0x76)) << 32 | u64::from(fields.u32(0x68)),
            tail: in_inode::attributes(bytes.get(end..).unwrap_or_default()).into(),
            ranges: None,
        })
    }

    /// Its number: two names with the same number are hard links to one file.
    #[must_use]
    pub fn number(&self) -> InodeNumber {
        self.number
    }

    /// What kind of file it is.
    #[must_use]
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// Permission bits with setuid, setgid and sticky: `0o7777` at most.
    #[must_use]
    pub fn mode(&self) -> u32 {
        self.mode.into()
    }

    /// Owner.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Group.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// Length in bytes: of a file's content, a link's target, or a directory's blocks.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many names it has; a directory with more subdirectories than fit says 1.
    #[must_use]
    pub fn links(&self) -> u32 {
        self.links.into()
    }

    /// Storage it occupies, in bytes, with its extent or pointer blocks and its attribute block.
    #[must_use]
    pub fn allocated_bytes(&self) -> u64 {
        self.allocated_bytes
    }

    /// `i_flags`, as `lsattr` shows them and more.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// Distinguishes successive files of one number.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Last access.
    #[must_use]
    pub fn accessed(&self) -> Timestamp {
        self.accessed
    }

    /// Last change of the inode.
    #[must_use]
    pub fn changed(&self) -> Timestamp {
        self.changed
    }

    /// Last change of the content.
    #[must_use]
    pub fn modified(&self) -> Timestamp {
        self.modified
    }

    /// Creation; inodes of 128 bytes do not keep it.
    #[must_use]
    pub fn created(&self) -> Option<Timestamp> {
        self.created
    }

    /// When it was deleted, if it was. An inode that lost its last name while it was open has the number of another such
    /// inode in this place.
    #[must_use]
    pub fn deleted(&self) -> Option<Timestamp> {
        self.deleted
    }

    /// The device number of a character or block device, else zero.
    #[must_use]
    pub fn rdev(&self) -> Device {
        if !matches!(self.kind, FileKind::CharDevice | FileKind::BlockDevice) {
            return Device::default();
        }
        // Two encodings, the old one of 16 bits in the first word, the new one of 32 bits in the second.
        let fields = Fields(&self.i_block);
        match (fields.u32(0), fields.u32(4)) {
            (0, new) => Device { major: new >> 8 & 0xfff, minor: new & 0xff | new >> 12 & 0xfff00 },
            (old, _) => Device { major: old >> 8 & 0xff, minor: old & 0xff },
        }
    }

    /// Whether content and names are encrypted (fscrypt).
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.flags & FLAG_ENCRYPT != 0
    }

    /// Whether the content is guarded by a hash tree (fs-verity); it is read without looking at that.
    #[must_use]
    pub fn is_verity(&self) -> bool {
        self.flags & FLAG_VERITY != 0
    }

    /// Whether names in this directory are looked up regardless of case.
    #[must_use]
    pub fn is_casefolded(&self) -> bool {
        self.flags & FLAG_CASEFOLD != 0
    }

    /// How much content there is at most: what a size says that is damaged no disk can hold.
    pub(crate) fn content_bytes(&self) -> u64 {
        if self.kind == FileKind::Regular {
            self.size.min(self.allocated_bytes.max(I_BLOCK_LEN as u64))
        } else {
            0
        }
    }

    pub(crate) fn has_extents(&self) -> bool {
        self.flags & EXTENTS_FLAG != 0
    }

    pub(crate) fn has_inline_data(&self) -> bool {
        self.flags & INLINE_DATA_FLAG != 0
    }

    pub(crate) fn is_indexed(&self) -> bool {
        self.flags & FLAG_INDEX != 0
    }

    pub(crate) fn holds_attribute_value(&self) -> bool {
        self.flags & FLAG_EA_INODE != 0
    }
}

impl FileKind {
    fn from_mode(mode: u16) -> Option<Self> {
        Some(match mode & 0o170_000 {
            0o010_000 => Self::Fifo,
            0o020_000 => Self::CharDevice,
            0o040_000 => Self::Directory,
            0o060_000 => Self::BlockDevice,
            0o100_000 => Self::Regular,
            0o120_000 => Self::Symlink,
            0o140_000 => Self::Socket,
            _ => return None,
        })
    }

    /// The kind as a directory entry tells it, if it does.
    pub(crate) fn from_directory_entry(file_type: u8) -> Option<Self> {
        Some(match file_type {
            1 => Self::Regular,
            2 => Self::Directory,
            3 => Self::CharDevice,
            4 => Self::BlockDevice,
            5 => Self::Fifo,
            6 => Self::Socket,
            7 => Self::Symlink,
            _ => return None,
        })
    }
}
