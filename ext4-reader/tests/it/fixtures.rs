//! The committed images, which need no tool: what the kernel showed when they were made is what we show.

use ext4_reader::{Error, Ext4, JournalState, OpenOptions, ReadAt, from_fn};

use crate::manifest;

/// A committed image at its full length.
pub(crate) fn image(name: &str) -> Vec<u8> {
    let mut image = std::fs::read(path(&format!("{name}.img"))).expect("fixture");
    let field =
        |offset: usize| u32::from_le_bytes(image[1024 + offset..][..4].try_into().expect("four bytes"));
    let len = u64::from(field(0x4)) * (1024 << field(0x18));
    image.resize(usize::try_from(len).expect("small"), 0);
    image
}

pub(crate) const ALL: [&str; 3] = ["ext4", "ext2", "inline_data"];

/// What the kernel showed of a committed image.
pub(crate) fn truth(name: &str) -> Vec<String> {
    let lines = std::fs::read_to_string(path(&format!("{name}.jsonl"))).expect("fixture");
    lines.lines().map(str::to_owned).collect()
}

fn path(file: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file)
}

#[test]
fn fixtures_show_what_the_kernel_showed() {
    for name in ALL {
        let fs = Ext4::open(image(name)).expect("a file system");
        manifest::assert_same(name, &manifest::of(&fs), &truth(name));
        assert_eq!(*fs.journal_state(), JournalState::Absent);
    }
}

#[test]
fn every_listed_name_is_looked_up() {
    for name in ALL {
        let fs = Ext4::open(image(name)).expect("a file system");
        let folder = fs.lookup("/many").expect("folder");
        let file = fs.lookup("/file").expect("file").number();
        for entry in fs.read_dir(&folder).expect("folder") {
            let entry = entry.expect("entry");
            assert_eq!(fs.lookup_in(&folder, &entry.name).expect("found").number(), file, "{name}");
        }
        assert!(matches!(fs.lookup_in(&folder, b"entry-99"), Err(Error::NotFound)), "{name}");
    }
}

/// Each source is handed on in a way that programs use.
#[test]
fn every_source_gives_the_same_tree() {
    let image = image("ext4");
    let truth = truth("ext4");
    let same = |lines: Vec<String>| manifest::assert_same("source", &lines, &truth);
    same(manifest::of(&Ext4::open(image.as_slice()).expect("slice")));
    same(manifest::of(&Ext4::open(std::sync::Arc::new(image.clone())).expect("arc")));
    let boxed: Box<dyn ReadAt> = Box::new(image.clone());
    same(manifest::of(&Ext4::open(boxed).expect("box")));
    let size = u64::try_from(image.len()).expect("small");
    let function = from_fn(size, |buf: &mut [u8], offset| image.read_exact_at(buf, offset));
    same(manifest::of(&Ext4::open(function).expect("function")));
    let mut file = tempfile::tempfile().expect("file");
    std::io::Write::write_all(&mut file, &[&[1; 4096], &image[..]].concat()).expect("written");
    same(manifest::of(&OpenOptions::new().offset(4096).open(&file).expect("file at an offset")));
    same(manifest::of(&OpenOptions::new().cache_bytes(0).open(&image).expect("without a cache")));
}

#[test]
fn the_superblock_is_described() {
    let fs = Ext4::open(image("ext4")).expect("a file system");
    let superblock = fs.superblock();
    assert_eq!(superblock.block_size_bytes(), 2048);
    assert_eq!(superblock.inodes_count(), 64);
    assert!(superblock.is_marked_clean() && !superblock.is_marked_erroneous() && !superblock.has_orphans());
    let names = superblock.features().names();
    for feature in ["dir_index", "filetype", "extent", "64bit", "metadata_csum"] {
        assert!(names.iter().any(|name| name == feature), "{feature} of {names:?}");
    }
    assert!(!names.iter().any(|name| name == "has_journal"));
}
