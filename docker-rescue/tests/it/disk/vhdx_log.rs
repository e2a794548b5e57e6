//! Replay of the log. Each log is made here, and qemu's own replay (`qemu-img check -r all`) says what it means.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::vhdx::set_log;
use super::{Lab, MIB, assert_holds, open, patch, qemu_view, read, read_error, truncate, warnings};
use crate::support::{Numbers, needs, run};

const LOG: u64 = MIB;
const LOG_LEN: usize = 1 << 20;
const PAGE: usize = 4096;
const GUID: [u8; 16] = [7; 16];
const BLOCK_TABLE: u64 = 2 * MIB;

enum Change {
    Page(u64, Vec<u8>),
    Zeros(u64, u64),
}

/// The bytes of an entry whose sequence begins `tail` bytes into the log.
fn entry(sequence: u64, tail: usize, file_len: u64, changes: &[Change]) -> Vec<u8> {
    let mut descriptors = Vec::new();
    let mut pages: Vec<u8> = Vec::new();
    for change in changes {
        match change {
            Change::Page(offset, bytes) => {
                descriptors.extend(b"desc");
                descriptors.extend(&bytes[PAGE - 4..]);
                descriptors.extend(&bytes[..8]);
                descriptors.extend(offset.to_le_bytes());
                pages.extend(b"data");
                pages.extend(&sequence.to_le_bytes()[4..]);
                pages.extend(&bytes[8..PAGE - 4]);
                pages.extend(&sequence.to_le_bytes()[..4]);
            }
            Change::Zeros(offset, len) => {
                descriptors.extend(b"zero\0\0\0\0");
                descriptors.extend(len.to_le_bytes());
                descriptors.extend(offset.to_le_bytes());
            }
        }
        descriptors.extend(sequence.to_le_bytes());
    }
    let data_at = (64 + descriptors.len()).next_multiple_of(PAGE);
    let len = u32::try_from(data_at + pages.len()).expect("fits");
    let mut bytes = b"loge\0\0\0\0".to_vec();
    bytes.extend(len.to_le_bytes());
    bytes.extend(u32::try_from(tail).expect("fits").to_le_bytes());
    bytes.extend(sequence.to_le_bytes());
    bytes.extend(u32::try_from(changes.len()).expect("fits").to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(GUID);
    bytes.extend(file_len.to_le_bytes());
    bytes.extend(file_len.to_le_bytes());
    bytes.extend(descriptors);
    bytes.resize(data_at, 0);
    bytes.extend(pages);
    seal(&mut bytes);
    bytes
}

/// Writes the CRC-32C into the four bytes at 4.
pub(super) fn seal(bytes: &mut [u8]) {
    bytes[4..8].fill(0);
    let mut crc = !0_u32;
    for byte in bytes.iter() {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    bytes[4..8].copy_from_slice(&(!crc).to_le_bytes());
}

pub(super) fn read_file(path: &Path, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    File::open(path).expect("opened").read_exact_at(&mut bytes, offset).expect("read");
    bytes
}

/// Writes entries one behind the other from `at` bytes into the log on, around its end.
fn write_entries(image: &Path, mut at: usize, entries: &[Vec<u8>]) {
    for page in entries.iter().flat_map(|entry| entry.chunks(PAGE)) {
        patch(image, LOG + at as u64, page);
        at = (at + PAGE) % LOG_LEN;
    }
}

/// A VHDX whose machine crashed: it has six full blocks, of which its block table knows nothing yet; the page of the
/// table is returned.
pub(super) fn crashed(lab: &Lab) -> (PathBuf, Vec<u8>, u64) {
    let raw = lab.write("disk", Numbers::new(4).bytes(6 << 20));
    let image = lab.convert(&raw, "vhdx", "block_size=1M", "image.vhdx");
    let table = read_file(&image, BLOCK_TABLE, PAGE);
    patch(&image, BLOCK_TABLE, &[0; PAGE]);
    patch(&image, LOG, &vec![0; LOG_LEN]);
    set_log(&image, GUID);
    let len = std::fs::metadata(&image).expect("there").len();
    (image, table, len)
}

/// A log of two entries that together make the image whole.
pub(super) fn write_log(image: &Path, table: Vec<u8>, file_len: u64) {
    let half = Change::Page(BLOCK_TABLE, earlier(&table, 3));
    write_entries(
        image,
        0,
        &[
            entry(1, 0, file_len, &[half, Change::Zeros(4 * MIB, 4096)]),
            entry(2, 0, file_len, &[Change::Page(BLOCK_TABLE, table)]),
        ],
    );
}

/// The page of the table as it was when only the first `blocks` were allocated.
fn earlier(table: &[u8], blocks: usize) -> Vec<u8> {
    let mut page = table.to_vec();
    page[blocks * 8..6 * 8].fill(0);
    page
}

/// The disk as it is read from the unclosed image is the one that qemu reads once it has repaired a copy; and the
/// image stays as it is. Returns the note that tells of the replay.
fn assert_replayed_as_by_qemu(image: &Path) -> String {
    let repaired = image.with_extension("repaired");
    std::fs::copy(image, &repaired).expect("copied");
    run("qemu-img", ["check", "-q", "-r", "all", repaired.to_str().expect("UTF-8")]);
    let truth = qemu_view(&repaired);
    let before = std::fs::read(image).expect("read");
    let disk = open(image);
    assert_holds(&disk, &truth);
    assert!(std::fs::read(image).expect("read") == before);
    assert_eq!(warnings(disk.notes()), [""; 0]);
    disk.notes()[0].message.clone()
}

#[test]
fn a_page_is_replayed() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, table, len) = crashed(&lab);
    write_entries(&image, 0, &[entry(1, 0, len, &[Change::Page(BLOCK_TABLE, table)])]);
    let told = assert_replayed_as_by_qemu(&image);
    assert_eq!(told, "the VHDX was not closed; the changes in its log are applied in memory, 1 in all");
}

#[test]
fn later_entries_are_applied_over_earlier_ones() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, table, len) = crashed(&lab);
    let block_2 = u64::from_le_bytes(*table[16..].first_chunk().expect("8 bytes")) >> 20 << 20;
    let entries = [
        entry(5, 0, len, &[Change::Page(BLOCK_TABLE, earlier(&table, 2)), Change::Zeros(block_2, 64 << 10)]),
        entry(
            6,
            0,
            len,
            &[Change::Page(block_2 + 8192, vec![0x66; PAGE]), Change::Page(BLOCK_TABLE, table.clone())],
        ),
        entry(
            7,
            0,
            len,
            &[Change::Zeros(block_2 + 4096, 8192), Change::Page(block_2 + 4096, vec![0x77; PAGE])],
        ),
    ];
    write_entries(&image, 0, &entries);
    assert_replayed_as_by_qemu(&image);
}

#[test]
fn a_log_that_goes_around_its_end_is_replayed_from_its_tail() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, table, len) = crashed(&lab);
    let at = LOG_LEN - 3 * PAGE;
    let entries = [
        // Flushed already, and no part of what is to be replayed.
        entry(40, at, len, &[Change::Page(BLOCK_TABLE, vec![0; PAGE])]),
        entry(41, at + 2 * PAGE, len, &[Change::Page(BLOCK_TABLE, earlier(&table, 3))]),
        entry(42, at + 2 * PAGE, len, &[Change::Page(BLOCK_TABLE, table.clone())]),
    ];
    write_entries(&image, at, &entries);
    let told = assert_replayed_as_by_qemu(&image);
    assert!(told.ends_with("2 in all"), "{told}");
}

#[test]
fn remains_of_an_older_log_are_not_replayed() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, table, len) = crashed(&lab);
    let stale = entry(8, 10 * PAGE, len, &[Change::Page(BLOCK_TABLE, earlier(&table, 1))]);
    write_entries(&image, 10 * PAGE, &[stale]);
    write_entries(&image, 4 * PAGE, &[entry(9, 4 * PAGE, len, &[Change::Page(BLOCK_TABLE, table)])]);
    assert_replayed_as_by_qemu(&image);
}

#[test]
fn an_entry_that_was_not_written_whole_is_not_replayed() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, table, len) = crashed(&lab);
    let whole = entry(1, 0, len, &[Change::Page(BLOCK_TABLE, earlier(&table, 4))]);
    let mut torn = entry(2, 0, len, &[Change::Page(BLOCK_TABLE, table)]);
    torn[PAGE + 100] ^= 1;
    write_entries(&image, 0, &[whole, torn]);
    let told = assert_replayed_as_by_qemu(&image);
    assert!(told.ends_with("1 in all"), "{told}");
}

#[test]
fn a_file_that_the_log_makes_longer_reads_as_zeros_there() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, mut table, len) = crashed(&lab);
    // The last block moves to where the file is yet to grow.
    table[40..48].copy_from_slice(&(len | 6).to_le_bytes());
    let mut longer = entry(1, 0, len, &[Change::Page(BLOCK_TABLE, table)]);
    longer[56..64].copy_from_slice(&(len + 512).to_le_bytes());
    seal(&mut longer);
    write_entries(&image, 0, &[longer]);
    assert_replayed_as_by_qemu(&image);
}

#[test]
fn a_file_shorter_than_its_log_knows_it_is_told() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, table, len) = crashed(&lab);
    write_entries(&image, 0, &[entry(1, 0, len + MIB, &[Change::Page(BLOCK_TABLE, table)])]);
    let disk = open(&image);
    let expected =
        format!("the file ends at byte offset {len}, but was {} bytes long when last written", len + MIB);
    assert_eq!(warnings(disk.notes()), [expected]);
}

#[test]
fn an_unclosed_file_that_was_cut_off_gives_no_zeros() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, table, len) = crashed(&lab);
    let truth = std::fs::read(lab.path("disk")).expect("read");
    write_entries(&image, 0, &[entry(1, 0, len, &[Change::Page(BLOCK_TABLE, table)])]);
    truncate(&image, len - 2 * MIB);
    let disk = open(&image);
    assert_eq!(warnings(disk.notes()).len(), 1);
    assert!(read(&disk, 0, 4 << 20).expect("readable") == truth[..4 << 20]);
    let error = read_error(&disk, 4 * MIB, 1);
    assert!(error.starts_with("cannot read the VHDX block at byte offset "), "{error}");
}
