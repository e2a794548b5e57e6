use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};

use crate::bytes::Fields;
use crate::checksum;
use crate::features::{
    COMPAT_HAS_JOURNAL, COMPAT_SPARSE_SUPER2, Features, INCOMPAT_64BIT, INCOMPAT_CSUM_SEED, INCOMPAT_META_BG,
    INCOMPAT_RECOVER, RO_COMPAT_BIGALLOC, RO_COMPAT_METADATA_CSUM, RO_COMPAT_ORPHAN_PRESENT,
    RO_COMPAT_SPARSE_SUPER,
};
use crate::inode::I_BLOCK_LEN;
use crate::units::{BlockIndex, BlockSize};
use crate::{Error, InodeNumber, Result};

/// Where the superblock lies, in bytes, whatever the block size.
pub(crate) const OFFSET: u64 = 1024;
pub(crate) const LEN: usize = 1024;

const MAGIC: u16 = 0xef53;
const STATE_CLEAN: u16 = 0x1;
const STATE_ERRORS: u16 = 0x2;
const FLAG_UNSIGNED_HASH: u32 = 0x2;
const JOURNAL_INODE_IS_KEPT: u8 = 1;

/// What the superblock says of the file system.
///
/// Source: the kernel's documentation, "Super Block". Fields as on disk, bytes from the start of the superblock:
///
/// ```text
/// 0x00 inodes  0x04 blocks  0x0c free blocks  0x14 first data block  0x18 log2 of the block size - 10
/// 0x1c log2 of the cluster size - 10  0x20 blocks per group  0x24 clusters per group  0x28 inodes per group
/// 0x2c last mount  0x30 last write  0x38 magic  0x3a state  0x4c revision  0x54 first inode  0x58 inode size
/// 0x5a group of this copy  0x5c compat  0x60 incompat  0x64 ro_compat  0x68 UUID  0x78 label  0x88 last mount point
/// 0xd0 journal UUID  0xe0 journal inode  0xe8 orphans  0xec hash seed  0xfc hash version  0xfd kind of journal backup
/// 0xfe descriptor size  0x104 first meta_bg  0x10c backup of the journal inode's i_block and size (high, low)
/// 0x150 blocks, high  0x158 free blocks, high  0x160 flags  0x240 0x244 0x26c quota inodes
/// 0x24c groups with backups (sparse_super2)  0x270 checksum seed  0x280 orphan file  0x3fc checksum
/// ```
#[derive(Debug, Clone)]
pub struct Superblock {
    pub(crate) block_size: BlockSize,
    cluster_size_bytes: u64,
    pub(crate) blocks_count: u64,
    pub(crate) blocks_per_group: NonZeroU32,
    pub(crate) clusters_per_group: u32,
    pub(crate) first_data_block: u32,
    pub(crate) inodes_count: u32,
    pub(crate) inodes_per_group: NonZeroU32,
    pub(crate) inode_size: u16,
    pub(crate) descriptor_size: NonZeroU16,
    pub(crate) first_meta_bg: u32,
    /// The journal, the quotas and the orphan file: they have no name, and numbers of their own choice.
    pub(crate) system_inodes: [InodeNumber; 5],
    /// What checksums of metadata begin with, if there are any.
    pub(crate) metadata_seed: Option<u32>,
    /// The group this copy lies in; revision 0 does not say.
    pub(crate) is_copy_in_group: Option<u16>,
    pub(crate) journal: JournalPlace,
    pub(crate) orphan_file: u32,
    pub(crate) first_orphan: u32,
    pub(crate) hash_seed: [u32; 4],
    pub(crate) default_hash_signs: HashSigns,
    backup_groups: [u32; 2],
    features: Features,
    free_blocks_count: u64,
    state: u16,
    uuid: [u8; 16],
    label: Vec<u8>,
    last_mounted: Vec<u8>,
    written: u32,
}

/// What the superblock says of the place of the journal.
#[derive(Debug, Clone)]
pub(crate) struct JournalPlace {
    /// The inode that holds it; 0 if a device of its own does.
    pub(crate) inode: u32,
    /// Which device that is.
    pub(crate) uuid: [u8; 16],
    /// What the superblock keeps of the inode.
    pub(crate) inode_copy: Option<JournalInode>,
}

#[derive(Debug, Clone)]
pub(crate) struct JournalInode {
    pub(crate) i_block: [u8; I_BLOCK_LEN],
    pub(crate) size_low: u32,
    pub(crate) size_high: u32,
}

/// Whether hashes of names take bytes above 127 as negative: that depended on the computer that made the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashSigns {
    /// As on x86.
    Signed,
    /// As on ARM.
    Unsigned,
}

impl Superblock {
    /// Parses and validates the 1024 bytes of a superblock. `offset` is where they lie, for errors.
    pub(crate) fn parse(bytes: &[u8], offset: u64) -> Result<Self> {
        let fields = Fields(bytes);
        if !has_magic(bytes) {
            return Err(Error::NotExt4);
        }
        let corrupt = |detail: String| Error::corrupt("superblock", offset, detail);

        // Revision 0 has neither features nor inode sizes; what stands in their place is not to be read.
        let dynamic = fields.u32(0x4c) >= 1;
        let features = if dynamic {
            Features { compat: fields.u32(0x5c), incompat: fields.u32(0x60), ro_compat: fields.u32(0x64) }
        } else {
            Features { compat: 0, incompat: 0, ro_compat: 0 }
        };
        features.refuse_journal_device()?;

        let log_block_size = fields.u32(0x18);
        let block_size = BlockSize::new(log_block_size)
            .ok_or_else(|| corrupt(format!("its block size is 2^{log_block_size} KiB")))?;
        let wide = features.has_incompat(INCOMPAT_64BIT);
        let high = |offset: usize| if wide { u64::from(fields.u32(offset)) << 32 } else { 0 };
        let count = |at, noun| {
            NonZeroU32::new(fields.u32(at)).ok_or_else(|| corrupt(format!("its groups have no {noun}")))
        };
        let descriptor_size = if wide { fields.u16(0xfe) } else { 32 };
        let descriptor_size = NonZeroU16::new(descriptor_size)
            .filter(|size| {
                size.get() >= 32 && size.is_power_of_two() && u64::from(size.get()) <= block_size.bytes()
            })
            .ok_or_else(|| corrupt(format!("its group descriptors have {descriptor_size} bytes")))?;
        let superblock = Self {
            block_size,
            cluster_size_bytes: if features.has_ro_compat(RO_COMPAT_BIGALLOC) {
                1024_u64.checked_shl(fields.u32(0x1c)).unwrap_or(0).max(block_size.bytes())
            } else {
                block_size.bytes()
            },
            blocks_count: u64::from(fields.u32(0x4)) | high(0x150),
            blocks_per_group: count(0x20, "blocks")?,
            clusters_per_group: fields.u32(if features.has_ro_compat(RO_COMPAT_BIGALLOC) {
                0x24
            } else {
                0x20
            }),
            first_data_block: fields.u32(0x14),
            inodes_count: fields.u32(0x0),
            inodes_per_group: count(0x28, "inodes")?,
            inode_size: if dynamic { fields.u16(0x58) } else { 128 },
            descriptor_size,
            first_meta_bg: fields.u32(0x104),
            system_inodes: [0xe0, 0x240, 0x244, 0x26c, 0x280].map(|at| InodeNumber(fields.u32(at))),
            metadata_seed: features.has_ro_compat(RO_COMPAT_METADATA_CSUM).then(|| {
                if features.has_incompat(INCOMPAT_CSUM_SEED) {
                    fields.u32(0x270)
                } else {
                    checksum::metadata_seed(&fields.array::<16>(0x68))
                }
            }),
            is_copy_in_group: dynamic.then(|| fields.u16(0x5a)),
            journal: JournalPlace {
                inode: fields.u32(0xe0),
                uuid: fields.array(0xd0),
                inode_copy: (fields.u8(0xfd) == JOURNAL_INODE_IS_KEPT).then(|| JournalInode {
                    i_block: fields.array(0x10c),
                    size_high: fields.u32(0x148),
                    size_low: fields.u32(0x14c),
                }),
            },
            orphan_file: fields.u32(0x280),
            first_orphan: fields.u32(0xe8),
            hash_seed: [fields.u32(0xec), fields.u32(0xf0), fields.u32(0xf4), fields.u32(0xf8)],
            default_hash_signs: if fields.u32(0x160) & FLAG_UNSIGNED_HASH == 0 {
                HashSigns::Signed
            } else {
                HashSigns::Unsigned
            },
            backup_groups: [fields.u32(0x24c), fields.u32(0x250)],
            features,
            free_blocks_count: u64::from(fields.u32(0xc)) | high(0x158),
            state: fields.u16(0x3a),
            uuid: fields.array(0x68),
            label: fields.text(0x78, 16).to_vec(),
            last_mounted: fields.text(0x88, 64).to_vec(),
            written: fields.u32(0x30),
        };
        superblock.validate().map_err(corrupt)?;
        Ok(superblock)
    }

    /// What every later computation relies on.
    fn validate(&self) -> Result<(), String> {
        let block_bytes = self.block_size.bytes();
        if self.inode_size < 128
            || !self.inode_size.is_power_of_two()
            || u64::from(self.inode_size) > block_bytes
        {
            return Err(format!("its inodes have {} bytes", self.inode_size));
        }
        if u64::from(self.first_data_block) >= self.blocks_count {
            return Err(format!("it has {} blocks", self.blocks_count));
        }
        Ok(())
    }

    /// The features, by bit and by name.
    #[must_use]
    pub fn features(&self) -> Features {
        self.features
    }

    /// How large a block is, in bytes.
    #[must_use]
    pub fn block_size_bytes(&self) -> u64 {
        self.block_size.bytes()
    }

    /// How large the smallest piece of storage that files are given is, in bytes: a block, or with `bigalloc` several.
    #[must_use]
    pub fn cluster_size_bytes(&self) -> u64 {
        self.cluster_size_bytes
    }

    /// How large the file system is, in blocks.
    #[must_use]
    pub fn blocks_count(&self) -> u64 {
        self.blocks_count
    }

    /// How many blocks were free when the superblock was last written; on a file system that was not unmounted this
    /// is out of date.
    #[must_use]
    pub fn free_blocks_count(&self) -> u64 {
        self.free_blocks_count
    }

    /// How many inodes there are, used and unused.
    #[must_use]
    pub fn inodes_count(&self) -> u32 {
        self.inodes_count
    }

    /// The file system's UUID.
    #[must_use]
    pub fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    /// The label given to `mke2fs -L`, at most 16 bytes; often empty.
    #[must_use]
    pub fn label(&self) -> &[u8] {
        &self.label
    }

    /// Where the file system was last mounted, at most 64 bytes; often empty.
    #[must_use]
    pub fn last_mounted(&self) -> &[u8] {
        &self.last_mounted
    }

    /// When the superblock was last written, in seconds since 1970 (UTC).
    #[must_use]
    pub fn written(&self) -> u32 {
        self.written
    }

    /// Whether it was unmounted in order. A file system with a journal says so also while it is mounted; see
    /// [`Ext4::journal_state`](crate::Ext4::journal_state).
    #[must_use]
    pub fn is_marked_clean(&self) -> bool {
        self.state & STATE_CLEAN != 0
    }

    /// Whether the kernel met errors in it that no check has mended since.
    #[must_use]
    pub fn is_marked_erroneous(&self) -> bool {
        self.state & STATE_ERRORS != 0
    }

    /// Whether files are listed that were deleted while open, or cut short, and that the kernel would finish with at the
    /// next mount; [`Ext4::orphans`](crate::Ext4::orphans) says which.
    #[must_use]
    pub fn has_orphans(&self) -> bool {
        self.first_orphan != 0 || self.features.has_ro_compat(RO_COMPAT_ORPHAN_PRESENT)
    }

    pub(crate) fn group_count(&self) -> u64 {
        self.blocks_count
            .saturating_sub(u64::from(self.first_data_block))
            .div_ceil(self.blocks_per_group.get().into())
    }

    /// How many groups there are at most with their inodes on a disk of so many blocks, whatever the superblock says.
    pub(crate) fn present_groups(&self, present_blocks: u64) -> u64 {
        let fit = present_blocks.checked_div(self.inode_table_blocks().max(1)).unwrap_or(0);
        self.group_count().min(fit.saturating_add(1))
    }

    /// A group's first block, which holds its copy of the superblock if it has one.
    pub(crate) fn first_block_of(&self, group: u64) -> BlockIndex {
        let before = group.saturating_mul(self.blocks_per_group.get().into());
        BlockIndex(before.saturating_add(self.first_data_block.into()))
    }

    /// The group a block belongs to. `None` if it lies before the first or behind the last.
    pub(crate) fn group_of(&self, block: u64) -> Option<u64> {
        let block = block.checked_sub(self.first_data_block.into()).filter(|_| block < self.blocks_count)?;
        Some(block / NonZeroU64::from(self.blocks_per_group))
    }

    /// How many blocks the inode table of a group fills.
    pub(crate) fn inode_table_blocks(&self) -> u64 {
        let bytes = u64::from(self.inodes_per_group.get()).saturating_mul(self.inode_size.into());
        self.block_size.blocks_for(bytes)
    }

    /// Whether an inode table that begins there lies on the file system.
    pub(crate) fn holds_inode_table(&self, table: BlockIndex) -> bool {
        let end = table.0.saturating_add(self.inode_table_blocks());
        table.0 > u64::from(self.first_data_block) && end <= self.blocks_count
    }

    /// What fields that agree in every sound superblock disagree about. It can be gone by all the same.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        let bits = self.block_size.bytes().saturating_mul(8);
        let inodes = self.group_count().saturating_mul(self.inodes_per_group.get().into());
        if u64::from(self.clusters_per_group) > bits || u64::from(self.inodes_per_group.get()) > bits {
            Some("its groups are larger than their bitmaps")
        } else if inodes != u64::from(self.inodes_count) {
            Some("its counts of groups and of inodes disagree")
        } else {
            None
        }
    }

    /// Why this one, of these bytes, could not stand for another as its backup.
    pub(crate) fn difference(
        &self,
        other: &Self,
        bytes: &[u8],
        is_checksummed: bool,
    ) -> Option<&'static str> {
        let layout = |superblock: &Self| {
            (
                superblock.block_size,
                superblock.blocks_count,
                superblock.blocks_per_group,
                superblock.first_data_block,
                superblock.inodes_count,
                superblock.inodes_per_group,
                superblock.inode_size,
                superblock.descriptor_size,
            )
        };
        if layout(self) != layout(other) {
            Some("it has another layout than the superblock")
        } else if self.uuid != other.uuid {
            Some("it is that of another file system")
        } else if is_checksummed && self.metadata_seed.is_some() && !checksum::superblock(bytes) {
            Some("its checksum is wrong")
        } else {
            None
        }
    }

    /// Backups do not say whether the journal was in use, so that one has to look.
    pub(crate) fn with_journal_in_doubt(mut self) -> Self {
        if self.features.has_compat(COMPAT_HAS_JOURNAL) {
            self.features.incompat |= INCOMPAT_RECOVER;
        }
        self
    }

    /// Whether the group begins with a copy of the superblock.
    pub(crate) fn group_has_superblock(&self, group: u64) -> bool {
        if group == 0 {
            return true;
        }
        if self.features.has_compat(COMPAT_SPARSE_SUPER2) {
            return self.backup_groups.iter().any(|&backup| u64::from(backup) == group);
        }
        !self.features.has_ro_compat(RO_COMPAT_SPARSE_SUPER) || is_sparse_backup(group)
    }

    /// Whether the descriptors of this block of descriptors lie in the group they describe, not behind the superblock.
    pub(crate) fn is_meta_bg(&self, descriptor_block: u64) -> bool {
        self.features.has_incompat(INCOMPAT_META_BG) && descriptor_block >= u64::from(self.first_meta_bg)
    }
}

/// Whether bytes begin like a superblock.
pub(crate) fn has_magic(bytes: &[u8]) -> bool {
    Fields(bytes).u16(0x38) == MAGIC
}

/// Whether a group behind the first has a backup by the rule of `sparse_super`: 1 and the powers of 3, 5 and 7.
pub(crate) fn is_sparse_backup(group: u64) -> bool {
    group == 1 || [3, 5, 7].iter().any(|&base| is_power_of(group, base))
}

fn is_power_of(number: u64, base: u64) -> bool {
    let mut power = base;
    while power < number {
        power = power.saturating_mul(base);
    }
    power == number
}
