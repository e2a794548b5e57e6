use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use file_tree::{Control, DirectoryOptions, Error, Event, HostTree, SubTree, Walk, write_directory};

use crate::rich::{assert_same, assert_same_holes, data_layout, manifest, rich, scratch};
use crate::support::{needs, run};

fn copy_of_rich(options: &DirectoryOptions) {
    let rich = rich();
    let scratch = scratch();
    let copy = scratch.path().join("copy");
    let tree = HostTree::open(rich.path()).expect("opens");
    let report = write_directory(&tree, &copy, options, &Control::default()).expect("writes");
    assert!(report.is_complete(), "{report:?}");
    assert_same(&manifest(&copy), &rich.manifest);
    assert_same_holes(&copy, &rich.path());
    assert_eq!(serde_json::to_value(report.not_kept).expect("json").to_string().matches(":0").count(), 7);
    assert_eq!(report.written.hard_links, 5);
    assert_eq!(report.written.special, 4);
}

#[test]
fn a_copy_is_what_the_kernel_shows_of_the_original() {
    needs!("root", "python3", "setfacl", "setcap");
    copy_of_rich(&DirectoryOptions::default());
}

#[test]
fn resolving_by_component_gives_the_same_copy() {
    needs!("root", "python3", "setfacl", "setcap");
    copy_of_rich(&DirectoryOptions::default().component_walk());
}

#[test]
fn an_inherited_default_acl_of_the_destination_stays_out_of_the_copy() {
    needs!("root", "python3", "setfacl", "setcap");
    let rich = rich();
    let scratch = scratch();
    let copy = scratch.path().join("copy");
    fs::create_dir(&copy).expect("created");
    run("setfacl", ["-m".as_ref(), "d:u:12:rwx".as_ref(), copy.as_os_str()]);
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o2775)).expect("setgid");
    let tree = HostTree::open(rich.path()).expect("opens");
    let report =
        write_directory(&tree, &copy, &DirectoryOptions::default(), &Control::default()).expect("writes");
    assert!(report.is_complete(), "{report:?}");
    assert_same(&manifest(&copy), &rich.manifest);
}

#[test]
fn a_destination_that_is_not_empty_is_refused_and_left_alone() {
    let scratch = scratch();
    fs::write(scratch.path().join("mine"), "mine").expect("written");
    let tree = HostTree::open(".").expect("opens");
    for destination in [scratch.path().to_owned(), scratch.path().join("mine")] {
        let result = write_directory(&tree, &destination, &DirectoryOptions::default(), &Control::default());
        assert!(matches!(result, Err(Error::NotEmpty(_))), "{result:?}");
    }
    assert_eq!(fs::read_dir(scratch.path()).expect("lists").count(), 1);
}

#[test]
fn a_sidecar_is_neither_overwritten_nor_made_without_need() {
    let scratch = scratch();
    let (copy, sidecar) = (scratch.path().join("copy"), scratch.path().join("sidecar"));
    let options = DirectoryOptions::default().sidecar(&sidecar);
    // Our own files, so that whoever runs this can keep their owner and group.
    let source = scratch.path().join("source");
    fs::create_dir(&source).expect("created");
    fs::write(source.join("file"), "content").expect("written");
    let tree = HostTree::open(&source).expect("opens");
    let report = write_directory(&tree, &copy, &options, &Control::default()).expect("writes");
    assert!(report.is_complete());
    assert!(!sidecar.exists());

    fs::write(&sidecar, "mine").expect("written");
    let again = write_directory(&tree, &scratch.path().join("again"), &options, &Control::default());
    assert!(matches!(again, Err(Error::NotEmpty(_))), "{again:?}");
}

#[test]
fn devices_can_be_left_to_the_sidecar() {
    needs!("root", "python3", "setfacl", "setcap");
    let rich = rich();
    let scratch = scratch();
    let (copy, sidecar) = (scratch.path().join("copy"), scratch.path().join("sidecar"));
    let options = DirectoryOptions::default().devices(false).sidecar(&sidecar);
    let tree = HostTree::open(rich.path()).expect("opens");
    let report = write_directory(&tree, &copy, &options, &Control::default()).expect("writes");
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.not_kept.kinds, 2);
    assert!(!copy.join("char").exists() && !copy.join("block").exists());
    let lines: Vec<serde_json::Value> = fs::read_to_string(&sidecar)
        .expect("sidecar")
        .lines()
        .map(|line| serde_json::from_str(line).expect("json"))
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["path"], &lines[0]["kind"]), (&"block".into(), &"block".into()));
    assert_eq!(lines[0]["rdev"], serde_json::json!([259, 1_048_575]));
    assert_eq!(lines[1]["xattrs"][0]["name"], "trusted.device");
}

#[test]
fn cancellation_in_the_middle_leaves_whole_files_and_a_true_report() {
    let scratch = scratch();
    let (source, copy) = (scratch.path().join("source"), scratch.path().join("copy"));
    fs::create_dir(&source).expect("created");
    for name in ["a", "b", "c"] {
        fs::write(source.join(name), vec![7; 3 << 20]).expect("written");
    }
    let cancel = AtomicBool::new(false);
    let entries = Mutex::new(0);
    let progress = |event: Event<'_>| match event {
        Event::Entry(_) => *entries.lock().expect("lock") += 1,
        Event::Bytes(_) => cancel.store(*entries.lock().expect("lock") == 3, Ordering::Relaxed),
        _ => {}
    };
    let control = Control { progress: Some(&progress), cancel: Some(&cancel) };
    let tree = HostTree::open(&source).expect("opens");
    let report = write_directory(&tree, &copy, &DirectoryOptions::default(), &control).expect("reports");
    assert!(report.cancelled && !report.is_complete());
    assert_eq!((report.written.files, report.written.bytes), (1, 3 << 20));
    let left: Vec<_> =
        fs::read_dir(&copy).expect("lists").map(|entry| entry.expect("entry").file_name()).collect();
    assert_eq!(left, ["a"]);
    assert_eq!(
        fs::metadata(&copy).expect("copy").permissions(),
        fs::metadata(&source).expect("source").permissions()
    );
}

#[test]
fn a_full_disk_leaves_whole_files_and_a_true_report() {
    needs!("root");
    let scratch = scratch();
    let (source, disk) = (scratch.path().join("source"), scratch.path().join("disk"));
    fs::create_dir(&source).expect("created");
    fs::create_dir(&disk).expect("created");
    for number in 0..5 {
        fs::write(source.join(format!("{number}")), vec![1; 1 << 20]).expect("written");
    }
    run(
        "mount",
        [
            "-t".as_ref(),
            "tmpfs".as_ref(),
            "-o".as_ref(),
            "size=3500k".as_ref(),
            "none".as_ref(),
            disk.as_os_str(),
        ],
    );
    let tree = HostTree::open(&source).expect("opens");
    let copy = disk.join("copy");
    let report = write_directory(&tree, &copy, &DirectoryOptions::default(), &Control::default());
    let left: Vec<_> = fs::read_dir(&copy)
        .expect("lists")
        .map(|entry| entry.expect("entry").metadata().expect("metadata").len())
        .collect();
    run("umount", [&disk]);
    let report = report.expect("reports");
    assert!(report.stopped.as_ref().is_some_and(|why| why.contains("No space left")), "{report:?}");
    assert!(!report.is_complete() && report.written.files == 3);
    assert_eq!(left, [1 << 20; 3]);
}

#[test]
fn a_sub_tree_is_written_alone() {
    let scratch = scratch();
    let copy = scratch.path().join("copy");
    let tree = std::sync::Arc::new(HostTree::open(".").expect("opens"));
    let below = SubTree::new(&*tree, "src/tar").expect("is there");
    let report =
        write_directory(&below, &copy, &DirectoryOptions::default(), &Control::default()).expect("writes");
    assert!(report.is_complete());
    assert_eq!(fs::read(copy.join("mod.rs")).expect("copied"), fs::read("src/tar/mod.rs").expect("original"));
    assert!(matches!(SubTree::new(&*tree, "src/lib.rs"), Err(Error::NotADirectory)));
    assert!(matches!(SubTree::new(&*tree, "src/none"), Err(Error::NotFound)));
    assert!(matches!(SubTree::new(&*tree, "src/.."), Err(Error::NotFound)));
}

#[test]
fn holes_beyond_8_gib_stay_holes() {
    needs!("python3");
    let scratch = scratch();
    let (source, copy) = (scratch.path().join("source"), scratch.path().join("copy"));
    fs::create_dir(&source).expect("created");
    let file = fs::File::create(source.join("sparse")).expect("created");
    file.set_len(9 << 30).expect("grown");
    file.write_all_at(b"far behind", (9 << 30) - 70_000).expect("written");
    let tree = HostTree::open(&source).expect("opens");
    let report =
        write_directory(&tree, &copy, &DirectoryOptions::default(), &Control::default()).expect("writes");
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.written.bytes, 9 << 30);
    assert!(report.written.data_bytes < 1 << 20);
    assert_eq!(data_layout(&copy.join("sparse")), data_layout(&source.join("sparse")));
    let mut found = [0; 10];
    let copied = fs::File::open(copy.join("sparse")).expect("opens");
    copied.read_exact_at(&mut found, (9 << 30) - 70_000).expect("reads");
    assert_eq!(&found, b"far behind");
}

#[test]
fn a_tree_deeper_than_the_longest_path_is_copied_and_one_without_end_is_reported() {
    for (depth, options) in [
        (200, DirectoryOptions::default()),
        (200, DirectoryOptions::default().component_walk()),
        (Walk::MAX_DEPTH + 40, DirectoryOptions::default()),
    ] {
        let scratch = scratch();
        let (source, copy) = (scratch.path().join("source"), scratch.path().join("copy"));
        let depth_text = depth.to_string();
        let python = "import os,sys\nos.mkdir(sys.argv[1]); os.chdir(sys.argv[1])\nfor _ in range(int(sys.argv[2])):\n os.mkdir('x'*50); os.chdir('x'*50)";
        run("python3", ["-c".as_ref(), python.as_ref(), source.as_os_str(), depth_text.as_ref()]);
        let tree = HostTree::open(&source).expect("opens");
        let report = write_directory(&tree, &copy, &options, &Control::default()).expect("reports");
        let found = run("find", [copy.as_os_str(), "-type".as_ref(), "d".as_ref()])
            .split(|&byte| byte == b'\n')
            .count()
            - 1;
        run("rm", ["-rf".as_ref(), source.as_os_str(), copy.as_os_str()]);
        assert_eq!(found, depth.min(Walk::MAX_DEPTH) + 1);
        assert_eq!(
            report.failed_count,
            u64::from(depth > Walk::MAX_DEPTH),
            "{:?}",
            report.failed.first().map(|failure| &failure.reason)
        );
    }
}
