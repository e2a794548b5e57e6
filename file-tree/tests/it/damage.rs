use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use file_tree::{
    Control, DataRange, DirectoryOptions, FileKind, Report, TarOptions, write_directory, write_tar,
};

use crate::memory_tree::{Memory, MemoryTree};
use crate::rich::{data_layout, scratch};
use crate::support::{needs, run};

/// Content without a zero byte, so that what is zero was not read.
fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 255 + 1).expect("a byte")).collect()
}

fn damaged_file() -> (MemoryTree, Vec<u8>) {
    let mut file = Memory::file(content(5 << 20));
    // A sector, one that spans two pieces of 4 KiB, more than a whole piece of 1 MiB, and the end.
    file.bad =
        vec![10_000..10_512, 126_976 - 100..126_976 + 100, 2_000_000..3_500_000, (5 << 20) - 1..5 << 20];
    let mut expected = file.content.clone();
    for bad in [8_192..12_288, 122_880..131_072, 1_998_848..3_502_080, (5 << 20) - 4096..5 << 20] {
        expected[bad].fill(0);
    }
    (MemoryTree::new(Memory::directory([(b"file", file), (b"other", Memory::file("whole"))])), expected)
}

fn assert_damage(report: &Report) {
    let ranges: Vec<_> = report.damaged.iter().map(|damage| (damage.offset, damage.len)).collect();
    assert_eq!(ranges, [(8192, 4096), (122_880, 8192), (1_998_848, 1_503_232), ((5 << 20) - 4096, 4096)]);
    assert!(report.damaged.iter().all(|damage| damage.path == "file"));
    assert!(report.damaged[0].reason.contains("at byte offset 10000: bad sector"), "{report:?}");
    assert_eq!((report.damaged_count, report.damaged_bytes), (4, 4096 + 8192 + 1_503_232 + 4096));
    assert!(!report.is_complete() && report.failed_count == 0);
    assert_eq!(report.written.files, 2);
}

#[test]
fn unreadable_ranges_become_holes_and_all_the_rest_is_kept() {
    needs!("python3");
    let scratch = scratch();
    let copy = scratch.path().join("copy");
    let (tree, expected) = damaged_file();
    let report =
        write_directory(&tree, &copy, &DirectoryOptions::default(), &Control::default()).expect("reports");
    assert_damage(&report);
    assert!(fs::read(copy.join("file")).expect("copied") == expected);
    assert_eq!(fs::read(copy.join("other")).expect("copied"), b"whole");
    let layout = data_layout(&copy.join("file"));
    assert_eq!(layout, [(0, 8192), (12_288, 122_880), (131_072, 1_998_848), (3_502_080, (5 << 20) - 4096)]);
}

#[test]
fn unreadable_ranges_are_zeros_in_an_archive_that_stays_well_formed() {
    needs!("tar");
    let scratch = scratch();
    let archive = scratch.path().join("archive");
    let (tree, expected) = damaged_file();
    let out = fs::File::create(&archive).expect("created");
    let report = write_tar(&tree, out, &TarOptions::default(), &Control::default()).expect("reports");
    assert_damage(&report);
    let unpacked = run("tar", ["-xOf".as_ref(), archive.as_os_str(), "./file".as_ref()]);
    assert!(unpacked == expected);
    assert_eq!(run("tar", ["-xOf".as_ref(), archive.as_os_str(), "./other".as_ref()]), b"whole");
}

#[test]
fn unreadable_parts_of_a_map_are_damage_of_their_whole_length() {
    let range = |offset, len| Ok(DataRange { offset, len });
    let mut file = Memory::file(content(100_000));
    // Also hostile: overlapping, backwards, and behind the end.
    file.map = Some(vec![
        range(0, 4096),
        Err(()),
        Err(()),
        range(20_000, 1000),
        range(20_500, 1000),
        range(100, 5),
        Err(()),
        range(90_000, u64::MAX),
    ]);
    let mut endless = Memory::file("x");
    endless.map = Some(vec![Err(()); 100_000]);
    let scratch = scratch();
    let copy = scratch.path().join("copy");
    let tree = MemoryTree::new(Memory::directory([(b"file", file), (b"g", endless)]));
    let report =
        write_directory(&tree, &copy, &DirectoryOptions::default(), &Control::default()).expect("reports");
    let ranges: Vec<_> =
        report.damaged.iter().map(|damage| (&*damage.path, damage.offset, damage.len)).collect();
    assert_eq!(ranges, [("file", 4096, 15_904), ("file", 21_500, 68_500), ("g", 0, 1)]);
    let mut expected = content(100_000);
    expected[4096..20_000].fill(0);
    expected[21_500..90_000].fill(0);
    assert!(fs::read(copy.join("file")).expect("copied") == expected);
}

#[test]
fn a_file_shorter_than_its_size_is_damaged_at_its_end() {
    let mut file = Memory::file(content(10_000));
    file.metadata.size = 30_000;
    let scratch = scratch();
    let copy = scratch.path().join("copy");
    let tree = MemoryTree::new(Memory::directory([(b"file", file)]));
    let report =
        write_directory(&tree, &copy, &DirectoryOptions::default(), &Control::default()).expect("reports");
    assert_eq!((report.damaged[0].offset, report.damaged[0].len), (10_000, 20_000));
    assert_eq!(fs::metadata(copy.join("file")).expect("copied").len(), 30_000);
    let mut archive = Vec::new();
    let report =
        write_tar(&tree, &mut archive, &TarOptions::default(), &Control::default()).expect("reports");
    assert_eq!(report.damaged_bytes, 20_000);
    assert_eq!(archive.len(), 512 + 512 + 30_208 + 1024);
}

#[test]
fn unreadable_attributes_and_listings_are_reported_and_the_rest_is_written() {
    let mut file = Memory::file("content");
    file.bad_xattrs = true;
    let mut folder = Memory::directory([(b"inside", Memory::file("x"))]);
    folder.bad_listing = true;
    let scratch = scratch();
    let copy = scratch.path().join("copy");
    let tree = MemoryTree::new(Memory::directory([(b"file", file), (b"folder", folder)]));
    for report in [
        write_directory(&tree, &copy, &DirectoryOptions::default(), &Control::default()).expect("reports"),
        write_tar(&tree, std::io::sink(), &TarOptions::default(), &Control::default()).expect("reports"),
    ] {
        assert_eq!((report.damaged.len(), report.damaged[0].len), (1, 0), "{report:?}");
        assert_eq!((&*report.failed[0].path, report.failed[0].offset), ("folder", Some(4096)));
        assert_eq!((report.written.files, report.written.directories), (2, 2));
    }
    assert_eq!(fs::read(copy.join("folder/inside")).expect("copied"), b"x");
}

#[test]
fn names_that_are_no_names_are_reported_and_lead_nowhere() {
    let names: [&[u8]; 7] = [b"", b".", b"..", b"../x", b"/etc/x", b"a/b", b"nul\0"];
    let mut root = Memory::directory([(b"good", Memory::file("x"))]);
    root.entries.extend(names.map(|name| (name.to_vec(), Arc::new(Memory::file("evil")))));
    let scratch = scratch();
    let copy = scratch.path().join("copy");
    let tree = MemoryTree::new(root);
    let report =
        write_directory(&tree, &copy, &DirectoryOptions::default(), &Control::default()).expect("reports");
    assert_eq!((report.failed_count, report.written.files), (7, 1));
    assert_eq!(fs::read_dir(&copy).expect("lists").count(), 1);
    assert_eq!(fs::read_dir(scratch.path()).expect("lists").count(), 1);
}

#[test]
fn cycles_and_shared_directories_are_walked_once() {
    let shared = Arc::new(Memory::directory([(b"leaf", Memory::file("x"))]));
    let mut root = Memory::directory([]);
    root.entries = vec![(b"a".to_vec(), Arc::clone(&shared)), (b"b".to_vec(), shared)];
    // Its own child: the copy in the list has the identity of the root.
    let itself = Arc::new(root.clone());
    root.entries.push((b"c".to_vec(), itself));
    let scratch = scratch();
    let copy = scratch.path().join("copy");
    let tree = MemoryTree::new(root);
    let report =
        write_directory(&tree, &copy, &DirectoryOptions::default(), &Control::default()).expect("reports");
    let failed: Vec<_> = report.failed.iter().map(|failure| &*failure.path).collect();
    assert_eq!(failed, ["b", "c"]);
    assert_eq!(report.written.files, 1);
}

#[test]
fn two_entries_of_one_name_are_both_kept() {
    let mut root = Memory::directory([(b"x", Memory::file("first")), (b"x", Memory::file("second"))]);
    let mut folder = Memory::directory([(b"inside", Memory::symlink("/etc"))]);
    folder.metadata.mode = 0o700;
    root.entries.push((b"x".to_vec(), Arc::new(folder)));
    let scratch = scratch();
    let (copy, sidecar) = (scratch.path().join("copy"), scratch.path().join("sidecar"));
    let options = DirectoryOptions::default().sidecar(&sidecar);
    let report =
        write_directory(&MemoryTree::new(root), &copy, &options, &Control::default()).expect("reports");
    assert!(report.is_complete());
    assert_eq!(report.not_kept.names, 2);
    let mut found = BTreeMap::new();
    for name in ["x", "x~1", "x~2"] {
        let path = copy.join(name);
        let what = if path.is_dir() { "folder".into() } else { fs::read_to_string(&path).expect("copied") };
        found.insert(what, path);
    }
    assert_eq!(found.keys().collect::<Vec<_>>(), ["first", "folder", "second"]);
    assert_eq!(fs::read_link(found["folder"].join("inside")).expect("a link").to_str(), Some("/etc"));
    let lines = fs::read_to_string(sidecar).expect("sidecar");
    assert!(lines.contains(r#""stored_as":"x~1""#) && lines.contains(r#""stored_as":"x~2""#), "{lines}");
}

#[test]
fn strange_metadata_is_kept_or_recorded() {
    needs!("root");
    let mut file = Memory::file("x");
    file.metadata.modified.nanoseconds = 0x3fff_ffff; // What the system calls UTIME_NOW.
    let mut device = Memory::new(FileKind::CharDevice);
    device.metadata.rdev = file_tree::Device { major: 4097, minor: u32::MAX };
    let root =
        Memory::directory([(b"device", device), (b"empty target", Memory::symlink("")), (b"file", file)]);
    let scratch = scratch();
    let (copy, sidecar) = (scratch.path().join("copy"), scratch.path().join("sidecar"));
    let options = DirectoryOptions::default().sidecar(&sidecar);
    let report =
        write_directory(&MemoryTree::new(root), &copy, &options, &Control::default()).expect("reports");
    assert!(report.is_complete());
    assert_eq!((report.not_kept.times, report.not_kept.kinds), (1, 2));
    assert_eq!(fs::read_dir(&copy).expect("lists").count(), 1);
    assert!(fs::read_to_string(sidecar).expect("sidecar").contains(r#""rdev":[4097,4294967295]"#));
}
