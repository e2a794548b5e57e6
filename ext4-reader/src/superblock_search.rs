//! Which superblock to go by: the primary one, or where recovery needs it one of its backups.

use crate::device::Region;
use crate::finding::{Amount, Cost};
use crate::scrutiny::Scrutiny;
use crate::superblock::{self, LEN, OFFSET, Superblock};
use crate::units::BlockSize;
use crate::{Corrupt, Error, ReadAt, Result};

/// Reads the superblock. In recovery a backup takes the place of a primary one that is missing, contradicts itself or has
/// a wrong checksum.
pub(crate) fn read<S: ReadAt>(region: &Region<S>, scrutiny: &mut Scrutiny) -> Result<Superblock> {
    let primary = read_at(region, OFFSET, scrutiny);
    let is_sound = |read: &Read| read.flaw.is_none();
    let backup = if scrutiny.recovers() && !primary.as_ref().is_ok_and(is_sound) {
        by_the_rules(region, scrutiny).or_else(|| by_scanning(region, scrutiny))
    } else {
        None
    };
    let corrupt = |detail: String| Corrupt::new("superblock", region.in_source(OFFSET), detail);
    let superblock = match (primary, backup) {
        (primary, Some((group, backup))) => {
            let problem = match primary {
                Ok(read) => read.flaw.unwrap_or_default().to_owned(),
                Err(error) => error.to_string(),
            };
            let detail = format!("{problem}; the backup in group {group} was taken in its place");
            scrutiny.found(corrupt(detail), Cost::Nothing);
            backup.superblock.with_journal_in_doubt()
        }
        (Ok(Read { superblock, flaw: Some(flaw) }), None) if flaw == WRONG_CHECKSUM => {
            scrutiny.wrong_checksum(corrupt(flaw.to_owned()), Amount::default())?;
            superblock
        }
        (Ok(Read { superblock, flaw }), None) => {
            if let Some(flaw) = flaw {
                scrutiny.found(corrupt(flaw.to_owned()), Cost::Doubt);
            }
            superblock
        }
        (Err(error), None) => return Err(error),
    };
    if let Some(unknown) = superblock.features().unknown_to_reader() {
        scrutiny.found(corrupt(format!("it has {unknown}, which is not known")), Cost::Doubt);
    }
    scrutiny.begin(&superblock);
    Ok(superblock)
}

/// A superblock that can be gone by, and what is wrong with it all the same.
struct Read {
    superblock: Superblock,
    flaw: Option<&'static str>,
}

const WRONG_CHECKSUM: &str = "its checksum is wrong";

fn read_at<S: ReadAt>(region: &Region<S>, offset: u64, scrutiny: &Scrutiny) -> Result<Read> {
    let mut bytes = [0; LEN];
    region.read(&mut bytes, offset, "superblock").map_err(|error| match error {
        // A source too short for a superblock has none.
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::UnexpectedEof => Error::NotExt4,
        error => error,
    })?;
    let superblock = Superblock::parse(&bytes, region.in_source(offset))?;
    if !scrutiny.recovers() {
        superblock.features().refuse_unknown()?;
    }
    let is_verified = superblock.metadata_seed.is_none()
        || scrutiny.ignores_checksums()
        || crate::checksum::superblock(&bytes);
    let flaw = if is_verified { superblock.contradiction() } else { Some(WRONG_CHECKSUM) };
    Ok(Read { superblock, flaw })
}

/// Looks in the groups that have a backup, for each size of blocks with groups as large as mke2fs makes them. Of several
/// the one written last is taken: an older file system of other block size may have left its own.
fn by_the_rules<S: ReadAt>(region: &Region<S>, scrutiny: &Scrutiny) -> Option<(u64, Read)> {
    let block_sizes = (0..=6).filter_map(BlockSize::new);
    let found = block_sizes.filter_map(|block_size| {
        let group_bytes = block_size.offset_of(block_size.bytes().saturating_mul(8));
        let boot_bytes = if block_size.bytes() == OFFSET { OFFSET } else { 0 };
        backup_groups()
            .map(|group| group.saturating_mul(group_bytes).saturating_add(boot_bytes))
            .take_while(|offset| offset.saturating_add(LEN as u64) <= region.size())
            .find_map(|offset| backup_at(region, offset, scrutiny))
    });
    found.max_by_key(|(_, read)| read.superblock.written())
}

/// 1 and the powers of 3, 5 and 7, ascending, as far as a file system can have groups.
fn backup_groups() -> impl Iterator<Item = u64> {
    (1..=MOST_LIKELY_GROUP).filter(|&group| superblock::is_sparse_backup(group))
}

/// 2,401 groups of the usual 128 MiB lie 300 GiB into a disk; somebody who lost that much lost more than the superblock.
const MOST_LIKELY_GROUP: u64 = 2401;

/// Looks at every place where a backup can lie, from the start of the source: groups can have any size.
fn by_scanning<S: ReadAt>(region: &Region<S>, scrutiny: &Scrutiny) -> Option<(u64, Read)> {
    let end = region.size().min(MOST_BYTES_SCANNED);
    let mut chunk = vec![0; CHUNK_LEN];
    let mut offset = 0;
    while offset < end {
        let len = crate::bytes::to_usize(end.saturating_sub(offset)).min(CHUNK_LEN);
        let bytes = chunk.get_mut(..len).unwrap_or_default();
        if region.read(bytes, offset, "superblock").is_ok() {
            for (place, bytes) in (0_u64..).zip(bytes.chunks_exact(LEN)) {
                if superblock::has_magic(bytes) {
                    let found =
                        backup_at(region, place.saturating_mul(OFFSET).saturating_add(offset), scrutiny);
                    if found.is_some() {
                        return found;
                    }
                }
            }
        }
        offset = offset.saturating_add(CHUNK_LEN as u64);
    }
    None
}

const CHUNK_LEN: usize = 1 << 20;
const MOST_BYTES_SCANNED: u64 = 1 << 30;

/// The backup at an offset and the group it says it belongs to, if that is where the offset lies. Other file systems,
/// such as images in files, have theirs elsewhere.
fn backup_at<S: ReadAt>(region: &Region<S>, offset: u64, scrutiny: &Scrutiny) -> Option<(u64, Read)> {
    let read = read_at(region, offset, scrutiny).ok().filter(|read| read.flaw.is_none())?;
    let superblock = &read.superblock;
    let block = superblock.block_size.blocks_before(offset);
    let group = superblock.group_of(block)?;
    let is_at_home = superblock.block_size.offset_of(superblock.first_block_of(group).0) == offset;
    let says_so = superblock.is_copy_in_group.is_none_or(|number| u64::from(number) == group);
    (group > 0 && is_at_home && says_so).then_some((group, read))
}
