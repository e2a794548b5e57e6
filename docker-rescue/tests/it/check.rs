//! `check` on the disk in `testdata/`: whole, cut off, and with a damaged inode. Needs no tool.

use std::fs;
use std::path::PathBuf;

use docker_rescue::disk::Disk;
use docker_rescue::ext4::{Ext4, ExtentKind, InodeNumber, OpenOptions};
use docker_rescue::qcow2::ReadAt as _;
use tempfile::TempDir;

use crate::command::{Run, docker_disk, rescue};

const FILE: &str = "/lib/docker/volumes/shop_db-data/_data/tail";
/// Where the partition with the file system begins.
const PARTITION: usize = 9_437_184;

#[test]
fn a_sound_disk_is_healthy() {
    let run = check(&docker_disk(), &[]).ok();
    assert!(run.text().contains("VERDICT: HEALTHY"), "{}", run.text());
    let report = check(&docker_disk(), &["--json"]).ok().json();
    assert_eq!(report["is_healthy"], true);
    assert_eq!(report["file_systems"][0]["findings_count"], 0);
    assert_eq!(report["data_roots"][0]["volumes"].as_array().expect("volumes").len(), 10);
}

#[test]
fn a_disk_that_was_cut_off_names_the_volumes_that_are_hit() {
    let mut bytes = raw();
    let fs = open(&bytes);
    let tail = fs.lookup(FILE).expect("file");
    let extent = fs.extents(&tail).expect("file").next().expect("content").expect("readable");
    let ExtentKind::Data { source_offset } = extent.kind else { panic!("{extent:?}") };
    let cut = usize::try_from(source_offset).expect("small");
    drop(fs);
    bytes.truncate(cut);
    let (_folder, disk) = written(&bytes);
    let run = check(&disk, &[]);
    assert_eq!(run.code, 3, "{}", run.text());
    assert!(run.text().contains("volume shop_db-data: some of it cannot be read\n"), "{}", run.text());
    assert!(run.text().contains("  tail: 12.3kB of it cannot be read\n"), "{}", run.text());
    let report = check(&disk, &["--json"]).json();
    let volumes = report["data_roots"][0]["volumes"].as_array().expect("volumes").iter();
    let hit: Vec<_> = volumes.filter(|volume| volume["health"] == "damaged").collect();
    let shop = hit.iter().find(|volume| volume["name"] == "shop_db-data").expect("the volume is hit");
    assert!(shop["bytes_lost"].as_u64() >= Some(12_305), "{shop}");
}

#[test]
fn damage_met_while_reading_is_told_and_ends_with_3() {
    let mut bytes = raw();
    let number = open(&bytes).lookup(FILE).expect("file").number();
    let at = inode_offset(&bytes, number);
    // A byte of the time of the last access: the checksum is wrong, the content right.
    bytes[at + 8] ^= 1;
    let (folder, disk) = written(&bytes);
    let disk = disk.to_str().expect("UTF-8");
    let copy = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    for args in [
        vec!["fs", "cat", disk, FILE],
        vec!["fs", "cp", disk, FILE, &copy("a")],
        vec!["volume", "cp", disk, "shop_db-data:/tail", &copy("b")],
        vec!["check", disk],
    ] {
        let run = rescue(&args);
        assert_eq!(run.code, 3, "{args:?}: {}", run.stderr);
        assert_eq!(run.stderr.contains("its checksum is wrong"), args[0] != "check", "{args:?}");
    }
    let report = check(disk.as_ref(), &["--json"]).json();
    let finding = &report["file_systems"][0]["findings"][0];
    assert_eq!(
        (&finding["cost"], &finding["volume"]),
        (&"doubt".into(), &"shop_db-data".into()),
        "{finding}"
    );
    assert_eq!((&finding["path"], &finding["offset"]), (&FILE.into(), &(at as u64).into()), "{finding}");
}

#[test]
fn a_lost_superblock_costs_nothing_and_is_told() {
    let mut bytes = raw();
    bytes[PARTITION + 1024..PARTITION + 2048].fill(0);
    let (_folder, disk) = written(&bytes);
    let run = check(&disk, &[]);
    assert_eq!(run.code, 3);
    assert!(run.text().contains("VERDICT: DAMAGED, but no file is known to be lost"), "{}", run.text());
}

fn check(disk: &std::path::Path, more: &[&str]) -> Run {
    rescue(["check".as_ref(), disk.as_os_str()].into_iter().chain(more.iter().map(AsRef::as_ref)))
}

/// The guest's disk.
fn raw() -> Vec<u8> {
    let disk = Disk::open(docker_disk()).expect("opens");
    let mut bytes = vec![0; usize::try_from(disk.size_bytes()).expect("small")];
    disk.read_exact_at(&mut bytes, 0).expect("readable");
    bytes
}

fn written(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("disk.raw");
    fs::write(&path, bytes).expect("written");
    (folder, path)
}

fn open(bytes: &[u8]) -> Ext4<&[u8]> {
    OpenOptions::new().offset(PARTITION as u64).open(bytes).expect("a file system")
}

/// Where an inode of the first group lies on the disk.
fn inode_offset(bytes: &[u8], number: InodeNumber) -> usize {
    let field = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    let superblock = PARTITION + 1024;
    let block_bytes = 1024 << field(superblock + 0x18);
    let inode_bytes = field(superblock + 0x58) & 0xffff;
    let descriptors = PARTITION + block_bytes.max(2048);
    assert!((number.0 as usize) <= field(superblock + 0x28), "it lies in the first group");
    PARTITION + field(descriptors + 8) * block_bytes + (number.0 as usize - 1) * inode_bytes
}
