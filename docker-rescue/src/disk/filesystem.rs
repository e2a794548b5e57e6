use std::fmt;
use std::io;

use qcow2_reader::ReadAt;

use super::bytes::Fields;

/// What the content of a partition, or of a whole disk, is recognised as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileSystem {
    /// ext2: no journal.
    Ext2,
    /// ext3: a journal.
    Ext3,
    /// ext4.
    Ext4,
    /// A container of APFS, of macOS.
    Apfs,
    /// A volume of Windows, encrypted.
    Bitlocker,
    /// btrfs; `OrbStack`.
    Btrfs,
    /// EROFS, read-only.
    Erofs,
    /// exFAT.
    Exfat,
    /// F2FS, for flash.
    F2fs,
    /// FAT12, FAT16 or FAT32.
    Fat,
    /// HFS+, of macOS.
    HfsPlus,
    /// A CD or DVD.
    Iso9660,
    /// A member of a software RAID of Linux.
    LinuxRaid,
    /// A volume of Linux, encrypted.
    Luks,
    /// A physical volume of the logical volume manager of Linux.
    Lvm2,
    /// NTFS, of Windows.
    Ntfs,
    /// squashfs, read-only.
    Squashfs,
    /// Swap space of Linux.
    Swap,
    /// XFS; Podman machines.
    Xfs,
    /// A member of a pool of ZFS.
    Zfs,
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
            Self::Apfs => "APFS",
            Self::Bitlocker => "BitLocker encryption",
            Self::Btrfs => "btrfs",
            Self::Erofs => "EROFS",
            Self::Exfat => "exFAT",
            Self::F2fs => "F2FS",
            Self::Fat => "FAT",
            Self::HfsPlus => "HFS+",
            Self::Iso9660 => "ISO 9660",
            Self::LinuxRaid => "a member of a Linux RAID",
            Self::Luks => "LUKS encryption",
            Self::Lvm2 => "an LVM physical volume",
            Self::Ntfs => "NTFS",
            Self::Squashfs => "squashfs",
            Self::Swap => "Linux swap",
            Self::Xfs => "XFS",
            Self::Zfs => "ZFS",
        })
    }
}

/// The superblock of ext2, ext3 and ext4 has its magic at 0x38 and begins at 1024.
const EXT_MAGIC_AT: u64 = 1024 + 0x38;

/// The magic numbers of the others by their offset. Those written on top of others come first: formatting does not
/// always wipe what was there before.
const MAGICS: &[(u64, &[u8], FileSystem)] = &[
    (0, b"LUKS\xba\xbe", FileSystem::Luks),
    (0, b"XFSB", FileSystem::Xfs),
    (3, b"-FVE-FS-", FileSystem::Bitlocker),
    (3, b"NTFS    ", FileSystem::Ntfs),
    (3, b"EXFAT   ", FileSystem::Exfat),
    (65_536 + 64, b"_BHRfS_M", FileSystem::Btrfs),
    (512 + 24, b"LVM2 001", FileSystem::Lvm2),
    (4096, b"\xfc\x4e\x2b\xa9", FileSystem::LinuxRaid),
    (4096 - 10, b"SWAPSPACE2", FileSystem::Swap),
    (16_384 - 10, b"SWAPSPACE2", FileSystem::Swap),
    (65_536 - 10, b"SWAPSPACE2", FileSystem::Swap),
    (0, b"hsqs", FileSystem::Squashfs),
    (1024, b"\xe2\xe1\xf5\xe0", FileSystem::Erofs),
    (1024, b"\x10\x20\xf5\xf2", FileSystem::F2fs),
    (1024, b"H+\0\x04", FileSystem::HfsPlus),
    (1024, b"HX\0\x05", FileSystem::HfsPlus),
    (32, b"NXSB", FileSystem::Apfs),
    (32_769, b"CD001", FileSystem::Iso9660),
    (82, b"FAT32   ", FileSystem::Fat),
    (54, b"FAT16   ", FileSystem::Fat),
    (54, b"FAT12   ", FileSystem::Fat),
];

/// ZFS keeps 128 KiB of root blocks behind the first 128 KiB of its label.
const ZFS_ROOTS_AT: u64 = 128 << 10;
const ZFS_ROOT_BYTES: usize = 1024;
const ZFS_MAGIC: u64 = 0x00ba_b10c;

impl FileSystem {
    /// Recognises what the bytes hold; `None` if nothing known. Fails only if nothing was recognised and some of the
    /// places to look at could not be read.
    pub fn recognise(bytes: &dyn ReadAt) -> io::Result<Option<Self>> {
        let mut look = Look { bytes, size: bytes.size()?, failed: None };
        let found = look.for_ext().or_else(|| look.for_magic()).or_else(|| look.for_zfs());
        match (found, look.failed) {
            (None, Some(error)) => Err(error),
            (found, _) => Ok(found),
        }
    }

    /// Whether this is ext2, ext3 or ext4.
    #[must_use]
    pub fn is_ext(self) -> bool {
        matches!(self, Self::Ext2 | Self::Ext3 | Self::Ext4)
    }
}

struct Look<'a> {
    bytes: &'a dyn ReadAt,
    size: u64,
    failed: Option<io::Error>,
}

impl Look<'_> {
    fn read(&mut self, offset: u64, len: usize) -> Option<Vec<u8>> {
        offset.checked_add(len as u64).filter(|end| *end <= self.size)?;
        let mut bytes = vec![0; len];
        match self.bytes.read_exact_at(&mut bytes, offset) {
            Ok(()) => Some(bytes),
            Err(error) => {
                self.failed = Some(error);
                None
            }
        }
    }

    /// By the rules of libblkid: a journal makes it ext3, any feature that ext3 does not know makes it ext4.
    fn for_ext(&mut self) -> Option<FileSystem> {
        const HAS_JOURNAL: u32 = 4;
        /// File types in directories, a journal to replay, an external journal, block groups of metadata.
        const INCOMPAT_OF_EXT3: u32 = 0x2 | 0x4 | 0x8 | 0x10;
        /// Sparse superblocks, large files, directory trees.
        const RO_COMPAT_OF_EXT3: u32 = 0x1 | 0x2 | 0x4;
        let fields = self.read(EXT_MAGIC_AT, 0x30)?;
        if fields.le16(0)? != 0xef53 {
            return None;
        }
        let (compat, incompat, ro_compat) = (fields.le32(0x24)?, fields.le32(0x28)?, fields.le32(0x2c)?);
        Some(if incompat & !INCOMPAT_OF_EXT3 != 0 || ro_compat & !RO_COMPAT_OF_EXT3 != 0 {
            FileSystem::Ext4
        } else if compat & HAS_JOURNAL != 0 {
            FileSystem::Ext3
        } else {
            FileSystem::Ext2
        })
    }

    fn for_magic(&mut self) -> Option<FileSystem> {
        MAGICS
            .iter()
            .find(|(offset, magic, _)| self.read(*offset, magic.len()).is_some_and(|bytes| bytes == **magic))
            .map(|(_, _, found)| *found)
    }

    fn for_zfs(&mut self) -> Option<FileSystem> {
        let roots = self.read(ZFS_ROOTS_AT, 128 << 10)?;
        let is_root = |root: &[u8]| {
            root.array(0).is_some_and(|magic| {
                u64::from_le_bytes(magic) == ZFS_MAGIC || u64::from_be_bytes(magic) == ZFS_MAGIC
            })
        };
        roots.chunks_exact(ZFS_ROOT_BYTES).any(is_root).then_some(FileSystem::Zfs)
    }
}
