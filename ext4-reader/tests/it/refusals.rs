//! What cannot be read is refused with an error that says which case it is.

use ext4_reader::{Error, Ext4};

use crate::fixtures;
use crate::support::{Numbers, needs, run};

#[test]
fn other_bytes_are_not_ext4() {
    let mut xfs = vec![0; 1 << 16];
    xfs[..4].copy_from_slice(b"XFSB");
    for source in [
        Vec::new(),
        vec![0; 1],
        vec![0; 1024],
        vec![0; 2047],
        vec![0; 1 << 20],
        Numbers::new(1).bytes(1 << 16),
        xfs,
    ] {
        let opened = Ext4::open(&source[..]);
        assert!(matches!(opened, Err(Error::NotExt4)), "{} bytes: {:?}", source.len(), opened.err());
    }
}

#[test]
fn an_unknown_incompatible_feature_is_named() {
    for (bit, name) in [
        (0x1, "compression"),
        (0x1000, "dirdata"),
        (0x0080_0000, "incompat_0x800000"),
        (0x8000_0000, "0x80000000"),
    ] {
        let mut image = fixtures::image("ext4");
        set(&mut image, 0x60, |incompat| incompat | bit);
        match Ext4::open(image) {
            Err(Error::Unsupported(what)) => assert!(what.contains(name), "{what}"),
            other => panic!("{name}: {:?}", other.err()),
        }
    }
}

#[test]
fn unknown_features_that_only_writers_need_know_are_none_of_ours() {
    let mut image = fixtures::image("ext4");
    set(&mut image, 0x5c, |compat| compat | 0xfff0_0000);
    set(&mut image, 0x64, |ro_compat| ro_compat | 0xfff0_0000);
    let fs = Ext4::open(image).expect("a file system");
    crate::manifest::assert_same("unknown features", &crate::manifest::of(&fs), &fixtures::truth("ext4"));
}

#[test]
fn a_journal_device_is_unsupported() {
    needs!("mke2fs");
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("journal.img");
    std::fs::File::create(&path).and_then(|file| file.set_len(8 << 20)).expect("image");
    run("mke2fs", ["-q".as_ref(), "-F".as_ref(), "-O".as_ref(), "journal_dev".as_ref(), path.as_os_str()]);
    match Ext4::open(std::fs::File::open(path).expect("image")) {
        Err(Error::Unsupported(what)) => assert!(what.contains("journal"), "{what}"),
        other => panic!("{:?}", other.err()),
    }
}

/// Numbers that no computation can start from. The first is the field's offset in the superblock.
#[test]
fn an_absurd_superblock_is_corrupt() {
    let fields = [
        (0x04, 0, "no blocks"),
        (0x18, 7, "blocks of 128 KiB"),
        (0x18, u32::MAX, "blocks of no size"),
        (0x20, 0, "no blocks in a group"),
        (0x28, 0, "no inodes in a group"),
        (0x58, 0, "inodes of no bytes"),
        (0x58, 127, "inodes too small"),
        (0x58, 300, "inodes of an odd size"),
        (0x58, 4096, "inodes larger than a block"),
        (0xfc, 0xffff_0000, "descriptors of an odd size"),
    ];
    for (offset, value, what) in fields {
        let mut image = fixtures::image("ext4");
        set(&mut image, offset, |_| value);
        match Ext4::open(image) {
            Err(Error::Corrupt(corrupt)) => {
                assert_eq!((corrupt.structure(), corrupt.offset()), ("superblock", 1024), "{what}");
                assert!(!corrupt.detail().is_empty());
            }
            other => panic!("{what}: {:?}", other.err()),
        }
    }
}

/// Offsets in errors count from the start of the caller's source.
#[test]
fn errors_say_where_in_the_source() {
    let mut image = fixtures::image("ext4");
    set(&mut image, 0x18, |_| 7);
    let disk = [vec![0; 5000], image].concat();
    match ext4_reader::OpenOptions::new().offset(5000).open(disk) {
        Err(Error::Corrupt(corrupt)) => assert_eq!(corrupt.offset(), 5000 + 1024),
        other => panic!("{:?}", other.err()),
    }
}

fn set(image: &mut [u8], offset: usize, change: impl Fn(u32) -> u32) {
    let field = &mut image[1024 + offset..][..4];
    let value = u32::from_le_bytes(field.try_into().expect("four bytes"));
    field.copy_from_slice(&change(value).to_le_bytes());
}
