//! Small images that claim to hold what no disk could. They are made by hand, since chance does not find them.

use ext4_reader::{Error, Ext4};

use crate::allocation;
use crate::damage::inode_table;
use crate::fixtures;
use crate::image::Image;
use crate::support::needs;

const MOST_BYTES_AT_ONCE: usize = 1 << 20;

/// Indirect blocks that point to one another in place of ever new ones: three of them make 2^24 blocks out of one.
#[test]
fn a_directory_of_repeated_blocks_ends() {
    let mut image = fixtures::image("ext2");
    let folder = Ext4::open(&image[..]).and_then(|fs| fs.lookup("/many")).expect("folder").number();
    let inode = inode_table(&image) + 128 * (folder.0 as usize - 1);
    let first_block = field(&image, inode + 0x28);
    // Blocks behind those in use.
    let [single, double, triple] = [60, 61, 62];
    for (block, target) in [(single, first_block), (double, single), (triple, double)] {
        fill(&mut image, 1024 * block, 1024, target);
    }
    for (slot, target) in [(12, single), (13, double), (14, triple)] {
        fill(&mut image, inode + 0x28 + 4 * slot, 4, target);
    }
    fill(&mut image, inode + 0x4, 4, 0xffff_fc00);

    let fs = Ext4::open(&image[..]).expect("a file system");
    let folder = fs.lookup("/many").expect("folder");
    let largest = allocation::largest_in(|| {
        let outcomes = fs.read_dir(&folder).expect("folder");
        assert!(matches!(outcomes.take(1 << 20).last(), Some(Err(Error::Corrupt(_)))));
        assert!(fs.lookup_in(&folder, b"absent").is_err());
        assert!(fs.walk(&fs.root().expect("root")).count() < 1 << 20);
    });
    assert!(largest < MOST_BYTES_AT_ONCE, "{largest} bytes at once");
}

/// Indirect blocks that lead to nothing but zeros, 2^28 times: with blocks of 64 KiB, passing over them one by one takes
/// hours.
#[test]
fn a_map_of_nothing_ends() {
    needs!("mke2fs", "debugfs");
    let image = Image::new("-t ext2 -b 65536");
    image.add_file("file", "content");
    for request in [
        "set_inode_field file block[IND] 900",
        "set_inode_field file block[DIND] 901",
        "set_inode_field file block[TIND] 902",
        "set_inode_field file size 0x7fffffffffff0000",
    ] {
        image.debugfs(request);
    }
    let mut disk = std::fs::read(image.path()).expect("image");
    for (block, target) in [(900, 0), (901, 900), (902, 901)] {
        fill(&mut disk, block << 16, 1 << 16, target);
    }
    let fs = Ext4::open(disk).expect("a file system");
    let file = fs.lookup("/file").expect("file");
    let extents: Vec<_> = fs.extents(&file).expect("file").collect();
    assert!(extents.len() < 10 && extents.iter().any(Result::is_err), "{extents:?}");
    assert_eq!(fs.read_at(&file, &mut [1; 100], 1 << 40).expect("a hole"), 100);
}

/// Attributes whose values are all the same bytes: a block of 64 KiB would make 200 MiB of them.
#[test]
fn attributes_that_share_a_value_are_bounded() {
    needs!("mke2fs", "debugfs");
    let image = Image::new("-t ext4 -b 65536 -O ^metadata_csum");
    image.add_file("file", "content");
    image.debugfs("set_inode_field file file_acl 900");
    let mut disk = std::fs::read(image.path()).expect("image");
    let block = &mut disk[900 << 16..][..1 << 16];
    block.fill(0);
    block[..12].copy_from_slice(&[0, 0, 2, 0xea, 1, 0, 0, 0, 1, 0, 0, 0]);
    // One byte of name in `user.`; a value from the block's start that is all of it.
    let entry = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, b'x', 0, 0, 0];
    block[32..].chunks_exact_mut(20).take(3000).for_each(|place| place.copy_from_slice(&entry));
    let fs = Ext4::open(disk).expect("a file system");
    let file = fs.lookup("/file").expect("file");
    assert!(matches!(fs.xattrs(&file), Err(Error::Limit { .. })));
}

fn field(image: &[u8], at: usize) -> usize {
    u32::from_le_bytes(image[at..at + 4].try_into().expect("four bytes")) as usize
}

/// Fills `len` bytes with one number of 32 bits.
fn fill(image: &mut [u8], at: usize, len: usize, number: usize) {
    let number = u32::try_from(number).expect("32 bits").to_le_bytes();
    image[at..at + len].chunks_exact_mut(4).for_each(|place| place.copy_from_slice(&number));
}
