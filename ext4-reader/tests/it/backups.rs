//! Backups of the superblock and of group descriptors, used where the primary ones are gone.

use std::fs::OpenOptions as FileOptions;
use std::io::{Seek, SeekFrom, Write};

use ext4_reader::{Cost, Error, OpenOptions, Tolerance};

use crate::image::Image;
use crate::manifest;
use crate::support::needs;

/// With the size of the disk in MiB, so that there are several groups.
const LAYOUTS: [(&str, usize); 11] = [
    ("-t ext4 -b 1024", 64),
    ("-t ext4 -b 4096", 160),
    ("-t ext4 -b 2048 -O ^metadata_csum,uninit_bg", 64),
    ("-t ext4 -b 4096 -g 2048 -O ^resize_inode", 64),
    ("-t ext4 -b 1024 -O meta_bg,^resize_inode -g 1024", 64),
    ("-t ext4 -b 1024 -O meta_bg,^resize_inode,^sparse_super,^64bit -g 256 -N 4096", 64),
    ("-t ext4 -b 1024 -O sparse_super2,^sparse_super,^resize_inode", 64),
    ("-t ext4 -b 1024 -O bigalloc -C 4096 -g 8192", 64),
    ("-t ext3 -b 1024", 64),
    ("-t ext2 -b 1024 -O ^sparse_super,^resize_inode", 64),
    ("-r 0 -b 1024", 64),
];

#[test]
fn a_lost_superblock_costs_nothing() {
    needs!("mke2fs", "python3", "loop");
    for (layout, mebibytes) in LAYOUTS {
        let image = populated(layout, mebibytes);
        let truth = image.kernel_manifest();
        zero(&image, 1024, 1024);
        assert!(matches!(image.open_with(&OpenOptions::new()), Err(Error::NotExt4)), "{layout}");
        shows_all(layout, &image, &truth, "superblock");
    }
}

/// Not gone, but not to be gone by either.
#[test]
fn a_changed_superblock_is_replaced() {
    needs!("mke2fs", "python3", "loop");
    let image = populated("-t ext4 -b 1024", 64);
    let truth = image.kernel_manifest();
    // Inodes per group.
    zero(&image, 1024 + 0x29, 1);
    shows_all("fewer inodes in groups", &image, &truth, "superblock");
}

#[test]
fn lost_group_descriptors_cost_nothing() {
    needs!("mke2fs", "python3", "loop");
    for (layout, mebibytes) in LAYOUTS {
        let image = populated(layout, mebibytes);
        let truth = image.kernel_manifest();
        let superblock = image.open().superblock().clone();
        let block = if superblock.block_size_bytes() == 1024 { 2048 } else { superblock.block_size_bytes() };
        zero(&image, block, superblock.block_size_bytes());
        let strict = image.open_with(&OpenOptions::new()).expect("a file system");
        assert!(matches!(strict.root(), Err(Error::Corrupt(_))), "{layout}");
        shows_all(layout, &image, &truth, "group descriptor");
    }
}

fn populated(layout: &str, mebibytes: usize) -> Image {
    let image = Image::with_size(layout, mebibytes);
    image.populate(800);
    image
}

fn shows_all(what: &str, image: &Image, truth: &[String], structure: &str) {
    let fs = image.open_with(&OpenOptions::new().tolerance(Tolerance::Recover)).expect("a file system");
    manifest::assert_same(what, &manifest::of(&fs), truth);
    let findings = fs.findings();
    assert!(!findings.is_empty(), "{what}");
    for finding in findings {
        assert_eq!(
            (finding.damage.structure(), finding.cost),
            (structure, Cost::Nothing),
            "{what}: {finding}"
        );
    }
}

fn zero(image: &Image, offset: u64, len: u64) {
    let mut file = FileOptions::new().write(true).open(image.path()).expect("image");
    file.seek(SeekFrom::Start(offset)).expect("image");
    file.write_all(&vec![0; usize::try_from(len).expect("small")]).expect("image");
}
