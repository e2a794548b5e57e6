//! Group descriptors: where each group of blocks keeps its bitmaps and inodes; their copies, and which to go by.

mod copies;

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::bytes::{Fields, to_u64, to_usize};
use crate::checksum::{self, DescriptorSeed};
use crate::device::BlockDevice;
use crate::features::{INCOMPAT_64BIT, INCOMPAT_FLEX_BG, RO_COMPAT_UNINIT_BG};
use crate::finding::{Amount, Cost};
use crate::units::BlockIndex;
use crate::{Corrupt, Error, ReadAt, Result, Superblock};

pub(crate) use copies::copies;

/// What the descriptor of a group says.
///
/// ```text
/// 0x00 block bitmap  0x04 inode bitmap  0x08 inode table  then 16 bits each: 0x12 flags  0x18 block bitmap's checksum
/// 0x1a inode bitmap's checksum  0x1c inodes never used, at the end of the table  0x1e checksum
/// with `64bit` the high halves of the same in the same order: 0x20  0x24  0x28  0x32 of the inodes  0x38  0x3a
/// ```
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupDescriptor {
    /// `None` if nothing of the group is in use.
    pub(crate) block_bitmap: Option<Bitmap>,
    /// `None` if no inode of the group was ever used.
    pub(crate) inode_bitmap: Option<Bitmap>,
    pub(crate) inode_table: BlockIndex,
    /// How many inodes at the start of the table may have been used.
    pub(crate) inodes_ever_used: u32,
}

/// Where a bitmap lies, and its checksum in halves; short descriptors have only the low one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bitmap {
    pub(crate) block: BlockIndex,
    pub(crate) checksum: (u16, Option<u16>),
}

/// The descriptor of a group.
pub(crate) fn read<S: ReadAt>(
    device: &BlockDevice<S>,
    superblock: &Superblock,
    group: u64,
) -> Result<GroupDescriptor> {
    let per_block = per_block(superblock);
    let set = DescriptorBlock { device, superblock, number: group / per_block };
    let block = set.primary();
    let bytes = read_block(&set)?;
    let at = set.position(group);
    let mut descriptor = GroupDescriptor::parse(superblock, bytes.get(at..).unwrap_or_default());
    if device.scrutiny().recovers() && set.flaw(group, &bytes).is_some() {
        descriptor.inodes_ever_used = superblock.inodes_per_group.get();
    }
    if superblock.holds_inode_table(descriptor.inode_table) {
        return Ok(descriptor);
    }
    let offset = device.offset_of(block).saturating_add(to_u64(at));
    Err(Error::corrupt(STRUCTURE, offset, format!("the inode table of group {group} leaves the file system")))
}

fn read_block<S: ReadAt>(set: &DescriptorBlock<'_, S>) -> Result<Arc<[u8]>> {
    set.device.mended(set.primary(), STRUCTURE, |bytes| set.mend(bytes))
}

const STRUCTURE: &str = "group descriptor";
const FLAG_INODES_UNUSED: u16 = 0x1;
const FLAG_BLOCKS_UNUSED: u16 = 0x2;

impl GroupDescriptor {
    fn parse(superblock: &Superblock, descriptor: &[u8]) -> Self {
        let fields = Fields(descriptor);
        let wide =
            superblock.features().has_incompat(INCOMPAT_64BIT) && superblock.descriptor_size.get() >= 64;
        let block = |low, high| {
            BlockIndex(if wide { fields.u64_split(low, high) } else { u64::from(fields.u32(low)) })
        };
        let never_used =
            u32::from(fields.u16(0x1c)) | if wide { u32::from(fields.u16(0x32)) << 16 } else { 0 };
        let all = superblock.inodes_per_group.get();
        let counts =
            superblock.metadata_seed.is_some() || superblock.features().has_ro_compat(RO_COMPAT_UNINIT_BG);
        let unused = |flag: u16| counts && fields.u16(0x12) & flag != 0;
        let inodes_ever_used = match unused(FLAG_INODES_UNUSED) {
            true => 0,
            false if counts => all.checked_sub(never_used).unwrap_or(all),
            false => all,
        };
        let bitmap =
            |block, low, high| Bitmap { block, checksum: (fields.u16(low), wide.then(|| fields.u16(high))) };
        Self {
            block_bitmap: (!unused(FLAG_BLOCKS_UNUSED)).then(|| bitmap(block(0x00, 0x20), 0x18, 0x38)),
            inode_bitmap: (!unused(FLAG_INODES_UNUSED)).then(|| bitmap(block(0x04, 0x24), 0x1a, 0x3a)),
            inode_table: block(0x08, 0x28),
            inodes_ever_used,
        }
    }
}

fn per_block(superblock: &Superblock) -> NonZeroU64 {
    let descriptor_size = NonZeroU64::from(superblock.descriptor_size);
    NonZeroU64::new(superblock.block_size.bytes() / descriptor_size).unwrap_or(NonZeroU64::MIN)
}

/// A block of descriptors.
struct DescriptorBlock<'a, S> {
    device: &'a BlockDevice<S>,
    superblock: &'a Superblock,
    /// Which one, counted from the first.
    number: u64,
}

impl<S: ReadAt> DescriptorBlock<'_, S> {
    /// Where the descriptor of a group begins in the block.
    fn position(&self, group: u64) -> usize {
        let index = group % per_block(self.superblock);
        to_usize(index.saturating_mul(self.superblock.descriptor_size.get().into()))
    }

    fn groups(&self) -> std::ops::Range<u64> {
        let per_block = per_block(self.superblock).get();
        let first = self.number.saturating_mul(per_block);
        first..first.saturating_add(per_block).min(self.superblock.group_count())
    }

    /// Behind the superblock, or with `meta_bg` in the first of the groups it describes.
    fn primary(&self) -> BlockIndex {
        let superblock = self.superblock;
        // The block that holds the superblock: with blocks of 1 KiB it comes behind the boot block.
        let superblock_block = u64::from(superblock.block_size.bytes() == 1024);
        if superblock.is_meta_bg(self.number) {
            // With clusters, blocks of 1 KiB are counted from 0 and the boot block belongs to the first group.
            let behind_boot_block = superblock_block.saturating_sub(u64::from(superblock.first_data_block));
            let behind_boot_block = if self.number == 0 { behind_boot_block } else { 0 };
            self.in_group(self.groups().start).plus(behind_boot_block)
        } else {
            BlockIndex(superblock_block.saturating_add(1).saturating_add(self.number))
        }
    }

    /// Behind the backups of the superblock, or with `meta_bg` in the second and the last of the groups it describes.
    fn backups(&self) -> Vec<BlockIndex> {
        let superblock = self.superblock;
        let groups = if superblock.is_meta_bg(self.number) {
            let groups = self.groups();
            vec![
                groups.start.saturating_add(1),
                groups.start.saturating_add(per_block(superblock).get()).saturating_sub(1),
            ]
        } else {
            let groups = superblock.present_groups(self.device.present_blocks());
            let backups = (1..groups).filter(|&group| superblock.group_has_superblock(group));
            backups.take(MOST_BACKUPS).collect()
        };
        groups.into_iter().map(|group| self.in_group(group)).collect()
    }

    /// Where a group keeps this block, if it keeps it.
    fn in_group(&self, group: u64) -> BlockIndex {
        let behind_superblock = u64::from(self.superblock.group_has_superblock(group));
        let before = if self.superblock.is_meta_bg(self.number) { 0 } else { self.number };
        self.superblock.first_block_of(group).plus(behind_superblock).plus(before)
    }

    /// Verifies what was read; in recovery puts what backups say in the place of descriptors that cannot be right.
    fn mend(&self, primary: Result<Vec<u8>>) -> Result<Vec<u8>> {
        let scrutiny = self.device.scrutiny();
        let (mut bytes, unreadable) = match primary {
            Ok(bytes) => (bytes, None),
            Err(error) if scrutiny.recovers() => {
                (vec![0; self.superblock.block_size.len()], Some(error.to_string()))
            }
            Err(error) => return Err(error),
        };
        let mut flawed: Vec<_> =
            self.groups().filter_map(|group| Some((group, self.flaw(group, &bytes)?))).collect();
        if !flawed.is_empty() && scrutiny.recovers() {
            for backup in self.backups() {
                let mut copy = vec![0; bytes.len()];
                if self.device.read(&mut copy, backup, 0, STRUCTURE).is_err() {
                    continue;
                }
                flawed.retain(|&(group, flaw)| {
                    let sound = self.flaw(group, &copy).is_none();
                    if sound {
                        self.take(group, &copy, &mut bytes);
                        let problem = unreadable.as_deref().unwrap_or(flaw.problem());
                        let detail =
                            format!("{problem}; group {group} is read by its backup in block {}", backup.0);
                        scrutiny.found(self.damage(group, detail), Cost::Nothing);
                    }
                    !sound
                });
            }
        }
        for (group, flaw) in flawed {
            match flaw {
                Flaw::Checksum => {
                    let damage = self.damage(group, format!("{} (group {group})", flaw.problem()));
                    scrutiny.wrong_checksum(damage, Amount::default())?;
                }
                // Whoever asks for this group is told.
                Flaw::Place => {}
            }
        }
        Ok(bytes)
    }

    fn flaw(&self, group: u64, block: &[u8]) -> Option<Flaw> {
        let superblock = self.superblock;
        let at = self.position(group);
        let bytes = Fields(block).slice(at, superblock.descriptor_size.get().into()).unwrap_or_default();
        let table = GroupDescriptor::parse(superblock, bytes).inode_table;
        // Without flex_bg a group keeps what is its own.
        let is_own = superblock.features().has_incompat(INCOMPAT_FLEX_BG)
            || superblock.group_of(table.0) == Some(group);
        if !superblock.holds_inode_table(table) || !is_own {
            return Some(Flaw::Place);
        }
        let uuid = superblock.uuid();
        let seed = if let Some(seed) = superblock.metadata_seed {
            DescriptorSeed::Crc32c(seed)
        } else if superblock.features().has_ro_compat(RO_COMPAT_UNINIT_BG) {
            DescriptorSeed::Crc16 { uuid: &uuid }
        } else {
            return None;
        };
        let number = u32::try_from(group).unwrap_or(u32::MAX);
        let ignored = self.device.scrutiny().ignores_checksums();
        (!ignored && !checksum::group_descriptor(seed, number, bytes)).then_some(Flaw::Checksum)
    }

    fn take(&self, group: u64, from: &[u8], to: &mut [u8]) {
        let (at, len) = (self.position(group), usize::from(self.superblock.descriptor_size.get()));
        let from = Fields(from).slice(at, len).unwrap_or_default();
        if let Some(to) = to.get_mut(at..).and_then(|to| to.get_mut(..from.len())) {
            to.copy_from_slice(from);
        }
    }

    fn damage(&self, group: u64, detail: String) -> Corrupt {
        let offset = self.device.offset_of(self.primary()).saturating_add(to_u64(self.position(group)));
        Corrupt::new(STRUCTURE, offset, detail)
    }
}

/// Copies beyond these would hardly say something else.
const MOST_BACKUPS: usize = 16;

#[derive(Clone, Copy)]
enum Flaw {
    Place,
    Checksum,
}

impl Flaw {
    fn problem(self) -> &'static str {
        match self {
            Self::Place => "its inode table cannot lie where it says",
            Self::Checksum => "its checksum is wrong",
        }
    }
}
