//! Partition tables and file systems on them. The truth is `sfdisk --json`, and the mkfs that made a file system.

use std::fs::File;
use std::path::{Path, PathBuf};

use docker_rescue::disk::{Disk, FileSystem, Level, PartitionKind, PartitionTable, Scheme};
use serde_json::Value;
use tempfile::TempDir;

use crate::disk::{LoopDevice, patch};
use crate::support::{needs, run, sh};

const MIB: u64 = 1 << 20;

struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn disk(&self, size: u64) -> PathBuf {
        let path = self.0.path().join("disk");
        File::create(&path).expect("created").set_len(size).expect("sized");
        path
    }

    /// A disk divided by sfdisk with these options, from this script.
    fn divided(&self, size: u64, options: &str, script: &str) -> PathBuf {
        let path = self.disk(size);
        let command = format!("printf '%s\\n' \"$2\" | sfdisk -q --wipe never {options} \"$1\"");
        sh(&command, [path.to_str().expect("UTF-8"), script]);
        path
    }
}

fn partitions(disk: &Path) -> PartitionTable {
    Disk::open(disk).expect("opened").partitions().expect("read")
}

fn notes(table: &PartitionTable) -> Vec<&str> {
    table.notes.iter().map(|note| note.message.as_str()).collect()
}

/// What sfdisk lists is what we list.
fn assert_as_sfdisk(disk: &Path) {
    let path = disk.to_str().expect("UTF-8");
    let told = serde_json::from_slice(&run("sfdisk", ["--json", path])).expect("JSON");
    assert_lists(disk, &told, path, 512);
}

/// Divides a disk whose sectors have 4096 bytes, and compares.
fn assert_as_sfdisk_with_large_sectors(disk: &Path, label: &str, script: &str) {
    let device = LoopDevice::new(disk, &["--sector-size", "4096"]);
    let divide = "printf '%s\\n' \"$2\" | sfdisk -q --no-reread --no-tell-kernel -X \"$3\" \"$1\"; sfdisk --json \"$1\"";
    let json = sh(divide, [device.0.as_str(), script, label]);
    assert_lists(disk, &serde_json::from_slice(&json).expect("JSON"), &format!("{}p", device.0), 4096);
}

/// `told`, with partitions named `node` and a number, is what we list of the disk.
fn assert_lists(disk: &Path, told: &Value, node: &str, sector: u64) {
    let told = &told["partitiontable"];
    let table = partitions(disk);
    assert_eq!(notes(&table), [""; 0]);
    assert_eq!(u64::from(table.sector_bytes), sector);
    assert_eq!(table.scheme, Some(if told["label"] == "gpt" { Scheme::Gpt } else { Scheme::Mbr }));
    let ours: Vec<_> = table
        .partitions
        .iter()
        .map(|found| {
            let kind = match found.kind {
                PartitionKind::Mbr(kind) => format!("{kind:x}"),
                PartitionKind::Gpt(guid) => guid.to_string(),
            };
            (format!("{node}{}", found.number), found.offset, found.len, kind, found.name.clone())
        })
        .collect();
    let theirs: Vec<_> = told["partitions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|told| {
            let text = |key: &str| told[key].as_str().map(str::to_owned);
            let bytes = |key: &str| told[key].as_u64().expect("a number") * sector;
            (
                text("node").expect("a node"),
                bytes("start"),
                bytes("size"),
                text("type").expect("a type"),
                text("name"),
            )
        })
        .collect();
    assert!(!ours.is_empty());
    assert_eq!(ours, theirs);
}

#[test]
fn primary_partitions_of_an_mbr_are_those_of_sfdisk() {
    needs!("sfdisk");
    let lab = Lab::new();
    assert_as_sfdisk(&lab.divided(64 * MIB, "-X dos", "2048,10M,82\n,20M,83,*\n,,ef"));
    assert_as_sfdisk(&lab.divided(64 * MIB, "-X dos", "start=63,size=1000,type=83"));
    // A gap in the numbers.
    let disk = lab.divided(64 * MIB, "-X dos", ",10M\n,10M\n,10M");
    run("sfdisk", ["-q", "--delete", disk.to_str().expect("UTF-8"), "2"]);
    assert_as_sfdisk(&disk);
}

#[test]
fn logical_partitions_are_those_of_sfdisk() {
    needs!("sfdisk");
    let lab = Lab::new();
    let disk = lab.divided(200 * MIB, "-X dos", ",10M\n,5M\n,,E\n,20M\n,30M,82\n,1M\n,7M,8e\n");
    assert_as_sfdisk(&disk);
    let many = ",1M\n,,E\n".to_owned() + &",1M\n".repeat(50);
    assert_as_sfdisk(&lab.divided(200 * MIB, "-X dos", &many));
    assert_as_sfdisk(&lab.divided(200 * MIB, "-X dos", "2048,10M\n,,f"));
}

#[test]
fn partitions_of_a_gpt_are_those_of_sfdisk() {
    needs!("sfdisk");
    let lab = Lab::new();
    let script = "size=10M,type=U,name=\"EFI\"\nsize=20M,name=\"grün 雪\"\nsize=3M,type=S\n,,V";
    assert_as_sfdisk(&lab.divided(64 * MIB, "-X gpt", script));
    let many = "label: gpt\ntable-length: 256\n".to_owned() + &"size=64K\n".repeat(200);
    assert_as_sfdisk(&lab.divided(256 * MIB, "", &many));
}

#[test]
fn sectors_of_4096_bytes_are_recognised() {
    needs!("loop", "losetup", "sfdisk", "mkfs.ext4");
    let lab = Lab::new();
    assert_as_sfdisk_with_large_sectors(&lab.disk(64 * MIB), "gpt", "size=10M\nsize=20M");
    assert_as_sfdisk_with_large_sectors(&lab.disk(640 * MIB), "dos", ",16M\n,,E\n,20M\n,20M");
    // An MBR does not tell: what lies at the start of a partition does.
    let disk = lab.disk(64 * MIB);
    let offset = format!("-Eoffset={}", 17 * MIB);
    run("mkfs.ext4", ["-q", &offset, disk.to_str().expect("UTF-8"), "8M"]);
    assert_as_sfdisk_with_large_sectors(&disk, "dos", "start=256,size=16M\n,20M");
}

#[test]
fn a_damaged_gpt_is_read_from_its_copy() {
    needs!("sfdisk");
    let lab = Lab::new();
    let script = "size=10M,name=\"one\"\nsize=20M,name=\"two\"";
    // The header, its checksum, the entries.
    for offset in [512, 512 + 16, 1024 + 40] {
        let disk = lab.divided(64 * MIB, "-X gpt", script);
        let whole = partitions(&disk).partitions;
        assert_eq!(whole.len(), 2);
        patch(&disk, offset, b"damage");
        let table = partitions(&disk);
        assert_eq!(notes(&table), ["the GPT is damaged; its copy at the end of the disk is read"]);
        assert_eq!(table.partitions, whole);
        // sfdisk recovers the same.
        let told = sh("sfdisk --json \"$1\" || true", [&disk]);
        let told: Value = serde_json::from_slice(&told).expect("JSON");
        assert_eq!(told["partitiontable"]["partitions"].as_array().expect("a list").len(), 2);
    }
}

#[test]
fn a_gpt_with_both_copies_damaged_is_told() {
    needs!("sfdisk");
    let lab = Lab::new();
    let disk = lab.divided(64 * MIB, "-X gpt", "size=10M");
    patch(&disk, 1024 + 56, b"X");
    let table = partitions(&disk);
    assert_eq!(table.partitions[0].name, None);
    // Entries that do not match their checksum are better than none.
    patch(&disk, 64 * MIB - 512, b"damage");
    let table = partitions(&disk);
    assert_eq!(notes(&table), ["the entries of the GPT do not match their checksum"]);
    assert_eq!((table.partitions.len(), table.partitions[0].name.as_deref()), (1, Some("X")));
    patch(&disk, 512, b"damage");
    let table = partitions(&disk);
    assert_eq!(notes(&table), ["the disk has a GPT, but both copies of it are unusable"]);
    assert!(table.partitions.is_empty());
}

#[test]
fn a_gpt_without_its_mbr_is_read() {
    needs!("sfdisk");
    let lab = Lab::new();
    let disk = lab.divided(64 * MIB, "-X gpt", "size=10M\nsize=20M");
    let whole = partitions(&disk).partitions;
    patch(&disk, 0, &[0; 512]);
    let table = partitions(&disk);
    assert_eq!(notes(&table), ["the MBR that protects the GPT is missing"]);
    assert_eq!((table.scheme, table.partitions), (Some(Scheme::Gpt), whole));
}

#[test]
fn a_gpt_that_an_mbr_has_replaced_is_not_read() {
    needs!("sfdisk");
    let lab = Lab::new();
    let disk = lab.divided(64 * MIB, "-X gpt", "size=10M\nsize=20M");
    let gpt = std::fs::read(&disk).expect("read");
    let disk = lab.divided(64 * MIB, "-X dos", "size=30M");
    patch(&disk, 512, &gpt[512..1 << 20]);
    let table = partitions(&disk);
    assert_eq!((table.scheme, table.partitions.len()), (Some(Scheme::Mbr), 1));
}

#[test]
fn partitions_beyond_the_end_of_the_disk_are_cut_and_told() {
    needs!("sfdisk");
    let lab = Lab::new();
    for label in ["dos", "gpt"] {
        let disk = lab.divided(64 * MIB, &format!("-X {label}"), "1M,10M\n11M,20M\n31M,10M");
        File::options().write(true).open(&disk).expect("opened").set_len(21 * MIB).expect("cut");
        let table = partitions(&disk);
        let sizes: Vec<_> = table.partitions.iter().map(|found| (found.number, found.len / MIB)).collect();
        assert_eq!(sizes, [(1, 10), (2, 10)]);
        let expected = [
            "partition 2 should have 20971520 bytes, of which 10485760 are on the disk",
            "partition 3 begins at byte offset 32505856, beyond the end of the disk at 22020096",
        ];
        assert_eq!(notes(&table), expected);
        assert!(table.notes.iter().all(|note| note.level == Level::Warning));
    }
}

#[test]
fn a_chain_of_logical_partitions_that_does_not_end_is_left() {
    needs!("sfdisk");
    let lab = Lab::new();
    let disk = lab.divided(64 * MIB, "-X dos", ",10M\n,,E\n,10M\n,10M");
    let first = 11 * MIB;
    // The second entry of the first extended boot record leads to itself.
    patch(&disk, first + 462 + 8, &[0; 4]);
    let table = partitions(&disk);
    assert_eq!(notes(&table), ["the chain of extended boot records does not end, and was left"]);
    assert!(table.partitions.len() < 300);
    patch(&disk, first + 510, &[0, 0]);
    let expected = format!(
        "the extended boot record at byte offset {first} is unusable: logical partitions from number 5 on are not known"
    );
    assert_eq!(notes(&partitions(&disk)), [expected]);
}

#[test]
fn a_disk_that_is_not_divided_has_no_partitions() {
    needs!("mkfs.ext4", "mkfs.vfat", "mkfs.ntfs");
    let lab = Lab::new();
    assert!(partitions(&lab.disk(4 * MIB)).partitions.is_empty());
    assert!(partitions(&lab.disk(1)).partitions.is_empty());
    // Boot sectors end with the mark of an MBR.
    for mkfs in ["mkfs.vfat -n DATA", "mkfs.ntfs -q -F", "mkfs.ext4 -q"] {
        let disk = lab.disk(32 * MIB);
        sh(&format!("{mkfs} \"$1\" >&2"), [&disk]);
        let table = partitions(&disk);
        assert_eq!((table.scheme, table.partitions.len()), (None, 0), "{mkfs}");
        assert_eq!(notes(&table), [""; 0]);
    }
}

#[test]
fn a_table_written_over_an_older_file_system_is_read() {
    needs!("sfdisk", "mkfs.btrfs", "mkfs.xfs");
    let lab = Lab::new();
    for (mkfs, label) in
        [("mkfs.btrfs", "dos"), ("mkfs.xfs", "dos"), ("mkfs.btrfs", "gpt"), ("mkfs.xfs", "gpt")]
    {
        let disk = lab.disk(320 * MIB);
        run(mkfs, ["-q", disk.to_str().expect("UTF-8")]);
        sh("echo ,10M | sfdisk -q --wipe never -X \"$2\" \"$1\"", [disk.to_str().expect("UTF-8"), label]);
        assert_as_sfdisk(&disk);
    }
}

#[test]
fn a_file_system_written_over_an_older_table_is_read() {
    needs!("sfdisk", "mkfs.ext4", "mkfs.vfat");
    let lab = Lab::new();
    for label in ["dos", "gpt"] {
        for mkfs in ["mkfs.ext4 -q -F", "mkfs.vfat -I"] {
            let disk = lab.divided(64 * MIB, &format!("-X {label}"), ",10M");
            sh(&format!("{mkfs} \"$1\" >&2"), [&disk]);
            let table = partitions(&disk);
            assert_eq!((table.scheme, table.partitions.len()), (None, 0), "{mkfs} over {label}");
        }
    }
}

#[test]
fn a_file_system_at_the_start_of_the_disk_wins_over_an_mbr() {
    needs!("mkfs.ext4", "sfdisk");
    let lab = Lab::new();
    let mbr = std::fs::read(lab.divided(32 * MIB, "-X dos", ",10M")).expect("read");
    let disk = lab.disk(32 * MIB);
    run("mkfs.ext4", ["-q", "-F", disk.to_str().expect("UTF-8")]);
    patch(&disk, 0, &mbr[..512]);
    let table = partitions(&disk);
    assert!(table.partitions.is_empty());
    let expected =
        "the disk begins with an ext4 file system; what looks like a partition table before it is not read";
    assert_eq!(notes(&table), [expected]);
}

/// How a file system is made in the file `$1`, and as what it is recognised.
const FILE_SYSTEMS: &[(&str, &str, FileSystem)] = &[
    ("mkfs.ext2", "mkfs.ext2 -q", FileSystem::Ext2),
    ("mkfs.ext3", "mkfs.ext3 -q", FileSystem::Ext3),
    ("mkfs.ext4", "mkfs.ext4 -q", FileSystem::Ext4),
    ("mkfs.ext4", "mkfs.ext4 -q -O ^has_journal", FileSystem::Ext4),
    ("mkfs.btrfs", "mkfs.btrfs -q", FileSystem::Btrfs),
    ("mkfs.xfs", "mkfs.xfs -q", FileSystem::Xfs),
    ("mkswap", "mkswap", FileSystem::Swap),
    ("mkswap", "mkswap --pagesize 65536", FileSystem::Swap),
    ("mkfs.vfat", "truncate -s 4M \"$1\"; mkfs.vfat -F 12", FileSystem::Fat),
    ("mkfs.vfat", "truncate -s 32M \"$1\"; mkfs.vfat -F 16", FileSystem::Fat),
    ("mkfs.vfat", "mkfs.vfat -F 32", FileSystem::Fat),
    ("mkfs.ntfs", "mkfs.ntfs -q -F", FileSystem::Ntfs),
    ("mkfs.exfat", "mkfs.exfat", FileSystem::Exfat),
    (
        "mkfs.erofs",
        "rm \"$1\"; mkdir \"$1.d\"; set -- \"$1\" \"$1.d\"; mkfs.erofs --quiet",
        FileSystem::Erofs,
    ),
    ("mksquashfs", "rm \"$1\"; mkdir \"$1.d\"; set -- \"$1.d\" \"$1\"; mksquashfs", FileSystem::Squashfs),
    (
        "cryptsetup",
        "echo secret | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000",
        FileSystem::Luks,
    ),
];

#[test]
fn file_systems_are_recognised() {
    for (tool, make, expected) in FILE_SYSTEMS {
        needs!(tool);
        let lab = Lab::new();
        let disk = lab.disk(320 * MIB);
        sh(&format!("{make} \"$@\" >&2"), [&disk]);
        let whole = Disk::open(&disk).expect("opened");
        assert_eq!(FileSystem::recognise(&whole).expect("read"), Some(*expected), "{make}");
        assert!(partitions(&disk).partitions.is_empty(), "{make}");
    }
}

#[test]
fn an_lvm_physical_volume_is_recognised() {
    needs!("loop", "losetup", "pvcreate");
    let lab = Lab::new();
    let disk = lab.disk(32 * MIB);
    let device = LoopDevice::new(&disk, &[]);
    run("pvcreate", ["-q", "--devices", &device.0, &device.0]);
    let whole = Disk::open(&disk).expect("opened");
    assert_eq!(FileSystem::recognise(&whole).expect("read"), Some(FileSystem::Lvm2));
}

#[test]
fn nothing_is_recognised_in_what_is_nothing() {
    let lab = Lab::new();
    for size in [1, 512, 1024, 40_000, 300_000] {
        let whole = Disk::open(lab.disk(size)).expect("opened");
        assert_eq!(FileSystem::recognise(&whole).expect("read"), None);
    }
}

#[test]
fn a_slice_is_the_partition_and_nothing_else() {
    use qcow2_reader::ReadAt;
    needs!("sfdisk", "mkfs.ext4");
    let lab = Lab::new();
    let disk = lab.divided(64 * MIB, "-X gpt", "size=10M\nsize=20M");
    patch(&disk, 11 * MIB, b"first");
    patch(&disk, 31 * MIB - 4, b"last");
    let disk = Disk::open(&disk).expect("opened");
    let partition = &disk.partitions().expect("read").partitions[1];
    let slice = disk.slice(partition.offset, partition.len);
    assert_eq!(slice.size().expect("known"), 20 * MIB);
    let mut bytes = [0; 5];
    slice.read_exact_at(&mut bytes, 0).expect("readable");
    assert_eq!(&bytes, b"first");
    slice.read_exact_at(&mut bytes[..4], 20 * MIB - 4).expect("readable");
    assert_eq!(&bytes[..4], b"last");
    for (offset, len) in [(20 * MIB - 4, 5), (20 * MIB, 1), (u64::MAX, 1)] {
        let error = slice.read_exact_at(&mut bytes[..len], offset).expect_err("beyond the end");
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    }
    assert_eq!(disk.slice(60 * MIB, u64::MAX).len(), 4 * MIB);
    assert!(disk.slice(u64::MAX, u64::MAX).is_empty());
}
