//! Destinations that hold less than Linux's own file systems.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use file_tree::{Control, DirectoryOptions, FileId, HostTree, Report, write_directory};
use serde_json::Value;

use crate::memory_tree::{Memory, MemoryTree};
use crate::rich::{assert_accounted_for, rich, scratch};
use crate::support::{LoopMount, needs, run};

/// Names that differ only in case, in Unicode's normal form, or that Windows has no room for.
const NAMES: [&str; 12] = [
    "readme", "README", "ReadMe", "\u{e9}", "e\u{301}", "a:b", "what?", "star*", "tab\t", "con.txt", "dot.",
    "plain",
];

fn tree_of_names() -> MemoryTree {
    let mut root = Memory::directory([]);
    for name in NAMES {
        root.entries.push((name.into(), Arc::new(Memory::file(name))));
        let folder = Memory::directory([(b"inside", Memory::file(name))]);
        root.entries.push((format!("{name} folder").into_bytes(), Arc::new(folder)));
    }
    root.entries.push((b"not utf-8 \xff".to_vec(), Arc::new(Memory::file("raw"))));
    MemoryTree::new(root)
}

/// Writes the names and finds every content again, under its name or under the one the sidecar tells.
fn assert_all_names_arrive(destination: &Path, sidecar: &Path) -> Report {
    let options = DirectoryOptions::default().sidecar(sidecar);
    let report =
        write_directory(&tree_of_names(), destination, &options, &Control::default()).expect("writes");
    assert!(report.is_complete(), "{report:?}");
    let lines = fs::read_to_string(sidecar).unwrap_or_default();
    let entries: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("json")).collect();
    let stored = |path: &str| {
        let entry = entries.iter().find(|entry| entry["path"] == path && !entry["stored_as"].is_null());
        destination.join(entry.map_or(path, |entry| entry["stored_as"].as_str().expect("text")))
    };
    for name in NAMES {
        assert_eq!(fs::read_to_string(stored(name)).expect(name), name);
        assert!(stored(&format!("{name} folder")).is_dir());
        let parent = stored(&format!("{name} folder"));
        assert_eq!(fs::read_to_string(parent.join("inside")).expect(name), name);
    }
    assert_eq!(fs::read_to_string(stored("not utf-8 \\xff")).unwrap_or_else(|_| "raw".into()), "raw");
    report
}

fn disk(scratch: &Path, megabytes: u64) -> PathBuf {
    let disk = scratch.join("disk");
    fs::File::create(&disk).expect("created").set_len(megabytes << 20).expect("grown");
    disk
}

#[test]
fn on_a_case_sensitive_file_system_every_name_is_kept() {
    let scratch = scratch();
    let report = assert_all_names_arrive(&scratch.path().join("copy"), &scratch.path().join("sidecar"));
    assert_eq!(report.not_kept.names, 0);
}

/// A disk of Windows, with the names Windows allows and taken as Windows takes them.
struct Ntfs(PathBuf);

impl Ntfs {
    fn new(scratch: &Path) -> Self {
        let (disk, folder) = (disk(scratch, 64), scratch.join("mnt"));
        run("mkntfs", ["-q".as_ref(), "-F".as_ref(), "-Q".as_ref(), disk.as_os_str()]);
        fs::create_dir(&folder).expect("created");
        run(
            "lowntfs-3g",
            [
                "-o".as_ref(),
                "windows_names,ignore_case,no_def_opts,silent".as_ref(),
                disk.as_os_str(),
                folder.as_os_str(),
            ],
        );
        Self(folder)
    }
}

impl Drop for Ntfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn on_a_disk_of_windows_all_names_arrive_and_what_it_cannot_hold_is_recorded() {
    needs!("root", "fuse", "lowntfs-3g", "mkntfs", "python3", "setfacl", "setcap");
    let rich = rich();
    let scratch = scratch();
    let mount = Ntfs::new(scratch.path());
    let report = assert_all_names_arrive(&mount.0.join("names"), &scratch.path().join("sidecar"));
    // Two cases of `readme`, colon, question mark, star, tab, device and last dot; the folders' dot is not last.
    assert_eq!(report.not_kept.names, 8 + 7 + 1, "{report:?}");

    let sidecar = scratch.path().join("rich sidecar");
    let options = DirectoryOptions::default().sidecar(&sidecar);
    let tree = HostTree::open(rich.path()).expect("opens");
    let report =
        write_directory(&tree, &mount.0.join("rich"), &options, &Control::default()).expect("writes");
    assert!(report.failed.is_empty() && report.damaged.is_empty() && report.stopped.is_none(), "{report:?}");
    assert_accounted_for(&mount.0.join("rich"), &sidecar, &rich.manifest);
}

#[test]
fn where_there_are_no_more_links_a_copy_stands_in() {
    needs!("loop", "mkfs.ext4");
    // A file of ext4 has 65,000 names at most.
    let scratch = scratch();
    let disk = disk(scratch.path(), 64);
    run("mkfs.ext4", ["-q".as_ref(), "-N".as_ref(), "20000".as_ref(), disk.as_os_str()]);
    let mount = LoopMount::new(&disk, "rw");
    let mut file = Memory::file("shared");
    file.metadata.links = 65_001;
    file.metadata.id = FileId { device: 0, inode: u64::MAX };
    file.metadata.mode = 0o640;
    let file = Arc::new(file);
    let mut root = Memory::directory([]);
    root.entries =
        (0..65_001).map(|number| (format!("{number:05}").into_bytes(), Arc::clone(&file))).collect();
    let (copy, sidecar) = (mount.path().join("copy"), scratch.path().join("sidecar"));
    let options = DirectoryOptions::default().sidecar(&sidecar).sync(false);
    let report =
        write_directory(&MemoryTree::new(root), &copy, &options, &Control::default()).expect("writes");
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.not_kept.hard_links, report.written.hard_links, report.written.files), (1, 64_999, 2));
    assert_eq!(fs::read_to_string(copy.join("65000")).expect("copied"), "shared");
    let line: Value = serde_json::from_str(&fs::read_to_string(sidecar).expect("sidecar")).expect("one line");
    assert_eq!((&line["hard_link_to"], &line["mode"]), (&"00000".into(), &"0640".into()));
    assert_eq!(line["kind"], "file");
}
