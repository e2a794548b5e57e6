//! The partitions of a disk: MBR with logical partitions, GPT, or none.

mod gpt;
mod kind;
mod mbr;

use std::fmt;

pub use self::kind::PartitionKind;
use self::mbr::Mbr;
use super::{Bytes, FileSystem, Note, Result};

/// How a disk is divided.
#[derive(Debug, Clone)]
pub struct PartitionTable {
    /// `None` if the disk is not divided, or nothing says how.
    pub scheme: Option<Scheme>,
    /// The unit the table counts in, in bytes: 512 or 4096.
    pub sector_bytes: u32,
    /// In the order of their numbers.
    pub partitions: Vec<Partition>,
    /// What was noticed when the table was read.
    pub notes: Vec<Note>,
}

/// The kinds of partition tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// The table in the first sector, by the master boot record.
    Mbr,
    /// The table of GUIDs, by UEFI.
    Gpt,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number, as Linux counts: the 1 of `/dev/vda1`. Logical partitions of an MBR begin at 5.
    pub number: u32,
    /// Where it begins, in bytes from the start of the disk.
    pub offset: u64,
    /// How long it is, in bytes; cut where the disk ends.
    pub len: u64,
    /// What the table says it is for, which need not be what it holds.
    pub kind: PartitionKind,
    /// The name that a GPT gives it.
    pub name: Option<String>,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mbr => "MBR",
            Self::Gpt => "GPT",
        })
    }
}

/// What a partition table is read from.
#[derive(Clone, Copy)]
struct Layout<'a> {
    disk: &'a Bytes,
    size: u64,
}

/// Reads the partition table of a disk of `size` bytes, whose image may tell how long its sectors are.
pub(super) fn read(disk: &Bytes, size: u64, sector_bytes: Option<u32>) -> Result<PartitionTable> {
    let layout = Layout { disk, size };
    let mut table =
        PartitionTable { scheme: None, sector_bytes: 512, partitions: Vec::new(), notes: Vec::new() };
    let mbr = Mbr::read(layout)?;
    let whole = FileSystem::recognise(disk).ok().flatten();
    if let Some(whole) = whole.filter(|whole| !mbr.is_some_and(|mbr| is_younger(mbr, *whole))) {
        if mbr.is_some_and(|mbr| mbr.has_partitions()) && whole.is_ext() {
            table.notes.push(Note::info(format!(
                "the disk begins with an {whole} file system; what looks like a partition table before it is not read"
            )));
        }
        return Ok(table);
    }
    let sector_sizes = sector_bytes.map_or(vec![512, 4096], |bytes| vec![bytes]);
    // Without its mark in the MBR, a GPT is what a later MBR left of it.
    let gpt_is_valid = mbr.is_none_or(|mbr| mbr.is_protective() || !mbr.has_partitions());
    if gpt_is_valid && gpt::read(layout, &sector_sizes, &mut table) {
        if !mbr.is_some_and(|mbr| mbr.is_protective()) {
            table.notes.push(Note::warning("the MBR that protects the GPT is missing"));
        }
        return Ok(table);
    }
    let Some(mbr) = mbr.filter(Mbr::has_partitions) else { return Ok(table) };
    if mbr.is_protective() {
        table.notes.push(Note::warning("the disk has a GPT, but both copies of it are unusable"));
        if whole.is_some() {
            return Ok(table);
        }
    }
    mbr.partitions(layout, &sector_sizes, &mut table);
    Ok(table)
}

/// Whether the partition table was written over what is left of a file system at the start of the disk.
///
/// A file system with a boot sector, or with room for one, is also there if that sector looks like an MBR. But the mark
/// of a GPT comes from no boot loader, and no other file system has the mark of an MBR.
fn is_younger(mbr: Mbr, whole: FileSystem) -> bool {
    let has_boot_sector = whole.is_ext()
        || matches!(whole, FileSystem::Fat | FileSystem::Ntfs | FileSystem::Exfat | FileSystem::Bitlocker);
    mbr.has_partitions() && (mbr.is_protective() || !has_boot_sector)
}

impl PartitionTable {
    /// Adds a partition given in sectors, unless it begins beyond the end of the disk.
    fn add(&mut self, layout: Layout<'_>, mut partition: Partition) {
        let Partition { number, offset, len, .. } = partition;
        let left = layout.size.saturating_sub(offset);
        if left == 0 {
            self.notes.push(Note::warning(format!(
                "partition {number} begins at byte offset {offset}, beyond the end of the disk at {}",
                layout.size
            )));
            return;
        }
        if len > left {
            self.notes.push(Note::warning(format!(
                "partition {number} should have {len} bytes, of which {left} are on the disk"
            )));
            partition.len = left;
        }
        self.partitions.push(partition);
    }
}
