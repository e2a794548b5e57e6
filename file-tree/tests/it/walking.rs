use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use file_tree::{Error, FileTree, HostTree, Step, walk};

use crate::memory_tree::{Memory, MemoryTree};
use crate::rich::{rich, scratch};
use crate::support::{needs, run};

#[test]
fn a_walk_finds_what_find_finds() {
    needs!("root", "python3", "setfacl", "setcap");
    let rich = rich();
    let path = rich.path();
    let tree = HostTree::open(&path).expect("opens");
    let mut found = Vec::new();
    for step in walk(&tree) {
        match step {
            Step::Entry { path, .. } => found.push(path),
            Step::Leave { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let out = run("find", [path.as_os_str(), "-printf".as_ref(), "%P\\0".as_ref()]);
    let mut expected: Vec<_> =
        out.split_inclusive(|&byte| byte == 0).map(|path| path[..path.len() - 1].to_vec()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn directories_are_left_after_their_entries_and_can_be_skipped() {
    let inner = || Memory::directory([(b"y", Memory::file("")), (b"x", Memory::file(""))]);
    let tree =
        MemoryTree::new(Memory::directory([(b"b", inner()), (b"a", inner()), (b"a.b", Memory::file(""))]));
    let mut steps = walk(&tree);
    let mut seen = Vec::new();
    while let Some(step) = steps.next() {
        let (mark, path) = match step {
            Step::Entry { path, .. } => ('+', path),
            Step::Leave { path, .. } => ('-', path),
            other => panic!("{other:?}"),
        };
        if path == b"b" {
            steps.skip_directory();
        }
        seen.push(format!("{mark}{}", String::from_utf8(path).expect("text")));
    }
    assert_eq!(seen, ["+", "+a", "+a/x", "+a/y", "-a", "+a.b", "+b", "-"]);
}

#[test]
fn a_directory_swapped_for_a_link_is_not_entered() {
    let scratch = scratch();
    let (root, outside) = (scratch.path().join("root"), scratch.path().join("outside"));
    fs::create_dir_all(root.join("folder")).expect("created");
    fs::create_dir(&outside).expect("created");
    fs::write(outside.join("secret"), "secret").expect("written");
    fs::write(root.join("file"), "mine").expect("written");
    let tree = HostTree::open(&root).expect("opens");
    let top = tree.root().expect("root");
    let (folder, file) = (top.lookup(b"folder").expect("there"), top.lookup(b"file").expect("there"));

    fs::remove_dir(root.join("folder")).expect("removed");
    symlink(&outside, root.join("folder")).expect("linked");
    fs::remove_file(root.join("file")).expect("removed");
    run("mkfifo", [root.join("file")]);

    assert!(matches!(folder.read_dir().err(), Some(Error::Io { .. })));
    assert!(matches!(folder.lookup(b"secret").err(), Some(Error::Io { .. })));
    assert!(matches!(file.read_at(&mut [0; 4], 0), Err(Error::Io { .. })));
    for name in [&b"../outside/secret"[..], b"..", b".", b"", b"folder/secret", b"x\0"] {
        assert!(matches!(top.lookup(name).err(), Some(Error::NotFound)), "{}", name.escape_ascii());
    }
    let link = top.lookup(b"folder").expect("there");
    assert_eq!(link.read_link().expect("a link"), outside.as_os_str().as_bytes());
    assert!(matches!(link.read_dir().err(), Some(Error::NotADirectory)));
}

#[test]
fn reading_leaves_no_time_of_access_behind() {
    needs!("root");
    let scratch = scratch();
    let file = scratch.path().join("file");
    fs::write(&file, "content").expect("written");
    run("touch", ["-a".as_ref(), "-d".as_ref(), "@5".as_ref(), file.as_os_str()]);
    let tree = HostTree::open(scratch.path()).expect("opens");
    let node = tree.root().expect("root").lookup(b"file").expect("there");
    let mut buf = [0; 16];
    assert_eq!(node.read_at(&mut buf, 0).expect("reads"), 7);
    assert_eq!(run("stat", ["-c".as_ref(), "%X".as_ref(), file.as_os_str()]), b"5\n");
}
