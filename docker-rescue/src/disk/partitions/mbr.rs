use super::{Layout, Partition, PartitionKind, PartitionTable, Scheme};
use crate::disk::bytes::{Fields, read_vec};
use crate::disk::{Bytes, FileSystem, Note, Result, Slice};

/// A master boot record, or an extended one, which has the same form.
///
/// ```text
/// 446 four entries of 16 bytes:   0 status   4 type   8 first sector   12 sectors
/// 510 55 aa
/// ```
#[derive(Debug, Clone, Copy)]
pub(super) struct Mbr {
    entries: [Entry; 4],
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    active: u8,
    kind: u8,
    first: u32,
    sectors: u32,
}

/// The type of the entry that covers a disk with a GPT.
const PROTECTIVE: u8 = 0xee;
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
/// Linux reads so many partitions at most.
const MAX_LOGICAL: u32 = 252;
const SECTOR: usize = 512;

impl Mbr {
    /// Reads the first sector; `None` if it is no MBR.
    pub(super) fn read(layout: Layout<'_>) -> Result<Option<Self>> {
        if layout.size < SECTOR as u64 {
            return Ok(None);
        }
        let sector = read_vec(layout.disk, "master boot record", 0, SECTOR)?;
        // In the boot sector of a file system there is code in place of the entries.
        let plausible = |mbr: &Self| mbr.entries.iter().all(|entry| matches!(entry.active, 0 | 0x80));
        Ok(Self::parse(&sector).filter(plausible))
    }

    fn parse(sector: &[u8]) -> Option<Self> {
        let entry = |at: usize| {
            let bytes = sector.get(at..)?;
            Some(Entry {
                active: *bytes.first()?,
                kind: *bytes.get(4)?,
                first: bytes.le32(8)?,
                sectors: bytes.le32(12)?,
            })
        };
        (sector.array(510)? == [0x55, 0xaa]).then_some(())?;
        Some(Self { entries: [entry(446)?, entry(462)?, entry(478)?, entry(494)?] })
    }

    pub(super) fn has_partitions(&self) -> bool {
        self.entries.iter().any(Entry::is_used)
    }

    pub(super) fn is_protective(&self) -> bool {
        self.entries.iter().any(|entry| entry.kind == PROTECTIVE)
    }

    /// Adds the primary partitions, then the logical ones.
    pub(super) fn partitions(&self, layout: Layout<'_>, sector_sizes: &[u32], table: &mut PartitionTable) {
        let sector_bytes = self.sector_bytes(layout, sector_sizes);
        table.scheme = Some(Scheme::Mbr);
        table.sector_bytes = sector_bytes;
        let used = |(_, entry): &(u32, Entry)| entry.is_used() && entry.kind != PROTECTIVE;
        for (number, entry) in (1..).zip(self.entries).filter(used) {
            table.add(layout, entry.partition(number, 0, sector_bytes));
        }
        if let Some(extended) = self.entries.iter().find(|entry| entry.is_extended()) {
            add_logical(layout, extended, sector_bytes, table);
        }
    }

    /// The table does not say how long a sector is. 512 bytes, unless only with others there is something known at
    /// the start of a partition.
    fn sector_bytes(&self, layout: Layout<'_>, sector_sizes: &[u32]) -> u32 {
        let fits = |sector_bytes: u32| {
            self.entries.iter().filter(|entry| entry.is_used()).any(|entry| {
                let offset = entry.offset(0, sector_bytes);
                if entry.is_extended() {
                    return read_extended(layout.disk, offset).is_some();
                }
                let slice = Slice::new(layout.disk.clone(), layout.size, offset, u64::MAX);
                matches!(FileSystem::recognise(&slice), Ok(Some(_)))
            })
        };
        let first = sector_sizes.first().copied().unwrap_or(512);
        sector_sizes.iter().copied().find(|bytes| sector_sizes.len() == 1 || fits(*bytes)).unwrap_or(first)
    }
}

impl Entry {
    fn is_used(&self) -> bool {
        self.kind != 0 && self.sectors != 0
    }

    fn is_extended(&self) -> bool {
        EXTENDED.contains(&self.kind)
    }

    fn offset(&self, base_sector: u64, sector_bytes: u32) -> u64 {
        base_sector.saturating_add(self.first.into()).saturating_mul(sector_bytes.into())
    }

    fn partition(&self, number: u32, base_sector: u64, sector_bytes: u32) -> Partition {
        Partition {
            number,
            offset: self.offset(base_sector, sector_bytes),
            len: u64::from(self.sectors).saturating_mul(sector_bytes.into()),
            kind: PartitionKind::Mbr(self.kind),
            name: None,
        }
    }
}

/// Follows the chain of extended boot records. The first entry of each is a logical partition, counted from the
/// record; the second leads to the next record, counted from the start of the extended partition.
fn add_logical(layout: Layout<'_>, extended: &Entry, sector_bytes: u32, table: &mut PartitionTable) {
    let first = u64::from(extended.first);
    let mut at = first;
    for number in 5..=MAX_LOGICAL {
        let offset = at.saturating_mul(sector_bytes.into());
        let Some(record) = read_extended(layout.disk, offset) else {
            table.notes.push(Note::warning(format!(
                "the extended boot record at byte offset {offset} is unusable: logical partitions from number \
                 {number} on are not known"
            )));
            return;
        };
        let [logical, next, ..] = record.entries;
        if logical.is_used() && !logical.is_extended() {
            table.add(layout, logical.partition(number, at, sector_bytes));
        }
        if !next.is_used() {
            return;
        }
        at = first.saturating_add(next.first.into());
    }
    table.notes.push(Note::warning("the chain of extended boot records does not end, and was left"));
}

fn read_extended(disk: &Bytes, offset: u64) -> Option<Mbr> {
    Mbr::parse(&read_vec(disk, "extended boot record", offset, SECTOR).ok()?)
}
