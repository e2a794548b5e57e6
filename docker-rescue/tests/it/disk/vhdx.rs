use std::path::{Path, PathBuf};

use super::{
    Lab, MIB, assert_holds, open, open_error, patch, qemu_view, read, read_error, truncate, warnings,
};
use crate::support::{Numbers, needs};

/// Where qemu puts the structures of a VHDX.
const HEADERS: [u64; 2] = [64 << 10, 128 << 10];
const REGION_TABLES: [u64; 2] = [192 << 10, 256 << 10];
const BLOCK_TABLE: u64 = 2 * MIB;
const METADATA: u64 = 3 * MIB;
const FILE_PARAMETERS: u64 = METADATA + (64 << 10);

/// A VHDX with blocks of 1 MiB, all of them full, and the disk in it.
fn full(lab: &Lab) -> (PathBuf, Vec<u8>) {
    let truth = Numbers::new(4).bytes(6 << 20);
    let raw = lab.write("disk", &truth);
    (lab.convert(&raw, "vhdx", "block_size=1M", "image.vhdx"), truth)
}

#[test]
fn one_damaged_header_of_two_does_not_matter() {
    needs!("qemu-img");
    for header in HEADERS {
        let lab = Lab::new();
        let (image, truth) = full(&lab);
        patch(&image, header + 100, b"damage");
        let disk = open(&image);
        assert!(
            disk.notes()[0].message.starts_with("one of the two VHDX headers is unusable, the other is read")
        );
        assert_holds(&disk, &truth);
    }
}

#[test]
fn one_damaged_region_table_of_two_does_not_matter() {
    needs!("qemu-img");
    for table in REGION_TABLES {
        let lab = Lab::new();
        let (image, truth) = full(&lab);
        patch(&image, table + 16, b"damage");
        assert_holds(&open(&image), &truth);
    }
}

#[test]
fn damage_to_both_copies_is_told_with_its_place() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, _) = full(&lab);
    for at in HEADERS {
        patch(&image, at + 100, b"damage");
    }
    assert_eq!(open_error(&image), "the VHDX header at byte offset 65536 is damaged: its checksum is wrong");
    let (image, _) = full(&lab);
    for at in REGION_TABLES {
        patch(&image, at, b"nope");
    }
    let expected = "the VHDX region table at byte offset 196608 is damaged: it does not begin with \"regi\"";
    assert_eq!(open_error(&image), expected);
}

#[test]
fn a_differencing_disk_is_refused() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, _) = full(&lab);
    // The flags of the file parameters: leave blocks allocated, has a parent.
    patch(&image, FILE_PARAMETERS + 4, &[2]);
    let expected = "a differencing VHDX, such as a Hyper-V checkpoint, is not supported";
    assert_eq!(open_error(&image), expected);
}

#[test]
fn a_file_that_was_cut_off_gives_what_it_holds_and_no_zeros() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, truth) = full(&lab);
    let len = std::fs::metadata(&image).expect("there").len();
    truncate(&image, len - 2 * MIB - 4096);
    let disk = open(&image);
    assert!(read(&disk, 0, 3 << 20).expect("readable") == truth[..3 << 20]);
    let messages = disk.check().expect("checked");
    let [warning] = warnings(&messages)[..] else { panic!("{messages:?}") };
    assert!(
        warning.starts_with(&format!("{} bytes of the disk should be in the VHDX", 2 * MIB + 4096)),
        "{warning}"
    );
    let readable = (0..truth.len()).step_by(4096).filter(|at| match read(&disk, *at as u64, 4096) {
        Ok(bytes) => {
            assert!(bytes == truth[*at..*at + 4096], "at {at}");
            true
        }
        Err(_) => false,
    });
    assert_eq!(readable.count(), (4 << 20) / 4096 - 1);
    let error = read_error(&disk, 5 << 20, 4096);
    assert!(error.starts_with("cannot read the VHDX block at byte offset "), "{error}");
}

#[test]
fn a_file_cut_off_within_its_tables_is_told() {
    needs!("qemu-img");
    let lab = Lab::new();
    for (len, structure) in [
        (66_000, "VHDX header at byte offset 65536"),
        (2 * MIB + 8, "VHDX metadata table at byte offset 3145728"),
        (METADATA + 70_000, ""),
        (200 << 10, "VHDX region table at byte offset 196608"),
    ] {
        let (image, _) = full(&lab);
        truncate(&image, len);
        if structure.is_empty() {
            assert_eq!(warnings(&open(&image).check().expect("checked")).len(), 1);
            continue;
        }
        let error = open_error(&image);
        assert!(error.starts_with(&format!("the {structure} is damaged: its ")), "{error}");
    }
}

#[test]
fn a_damaged_entry_of_the_block_table_costs_its_block_only() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, truth) = full(&lab);
    for (block, entry, detail) in [
        (1, 4_u64, "the reserved state 4"),
        (2, 6, "an offset of 0 MiB"),
        (3, 7 | 5 << 20, "a block in part from a parent, which the disk does not have"),
    ] {
        let at = BLOCK_TABLE + 8 * block;
        patch(&image, at, &entry.to_le_bytes());
        let disk = open(&image);
        let expected =
            format!("the VHDX block allocation table entry at byte offset {at} is damaged: {detail}");
        assert_eq!(read_error(&disk, block * MIB, 512), expected);
        let lost = format!("{} bytes", block * MIB);
        assert!(disk.check().expect("checked")[0].message.starts_with(&lost));
    }
    let disk = open(&image);
    assert!(read(&disk, 0, 1 << 20).expect("readable") == truth[..1 << 20]);
    assert!(read(&disk, 4 * MIB, 2 << 20).expect("readable") == truth[4 << 20..]);
}

#[test]
fn the_entries_for_bitmaps_between_those_for_blocks_are_skipped() {
    needs!("qemu-img");
    let lab = Lab::new();
    // A disk of 9 GiB in blocks of 1 MiB: with sectors of 512 bytes, each 4096 blocks are followed by a bitmap.
    let image = lab.path("image.vhdx");
    let path = image.to_str().expect("UTF-8");
    crate::support::run("qemu-img", ["create", "-q", "-f", "vhdx", "-o", "block_size=1M", path, "9G"]);
    let writes = [0_u64, 4095, 4096, 4097, 8191, 8192, 9215];
    for block in writes {
        let write = format!("write -P {} {block}M 1M", block % 250 + 1);
        crate::support::run("qemu-io", ["-f", "vhdx", "-c", &write, path]);
    }
    let disk = open(&image);
    for block in writes {
        let expected = [u8::try_from(block % 250 + 1).expect("a byte"); 4096];
        assert!(read(&disk, block * MIB, 4096).expect("readable") == expected, "block {block}");
    }
    assert!(read(&disk, 4098 * MIB, 4096).expect("readable") == [0; 4096]);
}

pub(super) fn set_log(image: &Path, guid: [u8; 16]) {
    for at in HEADERS {
        let mut header = super::vhdx_log::read_file(image, at, 4096);
        header[48..64].copy_from_slice(&guid);
        super::vhdx_log::seal(&mut header);
        patch(image, at, &header);
    }
}

#[test]
fn a_log_without_a_whole_entry_is_told() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, truth) = full(&lab);
    set_log(&image, [7; 16]);
    let disk = open(&image);
    let expected =
        "the VHDX was not closed, and its log is unreadable: the last changes to it may be missing";
    assert_eq!(warnings(disk.notes()), [expected]);
    assert_holds(&disk, &truth);
    assert_eq!(qemu_view(&image), truth);
}
