//! Checksums of metadata: what is damaged under them is never taken for whole. That sound ones are right by our reckoning
//! the tests against the kernel show, which verify all they read.

use ext4_reader::{Checksums, Cost, Error, Ext4, FileKind, Inode, OpenOptions};

use crate::support::Numbers;
use crate::{fixtures, manifest};

#[test]
fn no_changed_byte_of_metadata_goes_unnoticed() {
    let whole = fixtures::image("ext4");
    let truth = fixtures::truth("ext4");
    let is_content = content(&whole);
    let metadata: Vec<usize> = (1024..whole.len())
        .filter(|&at| !is_content[at / BLOCK] && whole[at & !63..][..64].iter().any(|&byte| byte != 0))
        .collect();
    let mut numbers = Numbers::new(7);
    let mut noticed = 0;
    for _ in 0..4000 {
        let at = metadata[usize::try_from(numbers.below(metadata.len() as u64)).expect("small")];
        let mut image = whole.clone();
        image[at] ^= 1 << numbers.below(8);
        match verified(&image) {
            Ok(shown) => manifest::assert_same(&format!("byte {at}"), &shown, &truth),
            Err(_) => noticed += 1,
        }
    }
    // The others hit bitmaps, inodes never used, and the like.
    assert!(noticed > 1500, "{noticed} of 4000 changes hit what is read");
}

/// The size of the fixture's blocks.
const BLOCK: usize = 2048;

/// Which blocks hold the bytes of files and links, which have no checksum.
fn content(image: &[u8]) -> Vec<bool> {
    let mut is_content = vec![false; image.len() / BLOCK];
    let fs = Ext4::open(image).expect("a file system");
    for (_, inode) in manifest::tree(&fs).iter().filter(|(_, inode)| inode.kind() == FileKind::Regular) {
        for extent in fs.extents(inode).expect("file").map(|extent| extent.expect("extent")) {
            if let ext4_reader::ExtentKind::Data { source_offset } = extent.kind {
                for at in (source_offset..source_offset + extent.len).step_by(BLOCK) {
                    is_content[usize::try_from(at).expect("small") / BLOCK] = true;
                }
            }
        }
    }
    for (_, link) in manifest::tree(&fs).iter().filter(|(_, inode)| inode.kind() == FileKind::Symlink) {
        // The target of a long one lies in the only extent that the root of its tree has.
        if link.size() >= 60 {
            let start = &inode(image, link)[0x28 + 20..][..4];
            is_content[u32::from_le_bytes(start.try_into().expect("four bytes")) as usize] = true;
        }
    }
    is_content
}

/// The bytes of an inode, in an image of one group.
fn inode<'a>(image: &'a [u8], inode: &Inode) -> &'a [u8] {
    &image[inode_offset(image, inode)..][..inode_size(image)]
}

fn inode_offset(image: &[u8], inode: &Inode) -> usize {
    crate::damage::inode_table(image) + inode_size(image) * (inode.number().0 as usize - 1)
}

fn inode_size(image: &[u8]) -> usize {
    u16::from_le_bytes([image[1024 + 0x58], image[1024 + 0x59]]).into()
}

/// Everything an image shows when no wrong checksum is let through.
fn verified(image: &[u8]) -> Result<Vec<String>, Error> {
    let fs = OpenOptions::new().checksums(Checksums::Verify).open(image)?;
    for entry in fs.walk(&fs.root()?) {
        let inode = entry?.inode;
        fs.xattrs(&inode)?;
        match inode.kind() {
            FileKind::Symlink => drop(fs.read_link(&inode)?),
            FileKind::Regular => {
                for extent in fs.extents(&inode)? {
                    extent?;
                }
            }
            _ => {}
        }
    }
    Ok(manifest::of(&fs))
}

/// The same damage under each policy: the label, which nothing depends on.
#[test]
fn a_wrong_checksum_is_refused_reported_or_ignored() {
    let mut image = fixtures::image("ext4");
    image[1024 + 0x78] ^= 1;
    let open = |checksums| OpenOptions::new().checksums(checksums).open(&image[..]);

    match open(Checksums::Verify) {
        Err(Error::Corrupt(corrupt)) => {
            assert_eq!((corrupt.structure(), corrupt.offset()), ("superblock", 1024));
        }
        other => panic!("{:?}", other.err()),
    }
    let findings = open(Checksums::Report).expect("a file system").findings();
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((finding.damage.offset(), finding.cost), (1024, Cost::Doubt));
    assert_eq!(open(Checksums::Ignore).expect("a file system").findings(), []);
}

#[test]
fn a_damaged_inode_is_named_by_its_finding_once() {
    let mut image = fixtures::image("ext4");
    let file = Ext4::open(&image[..]).and_then(|fs| fs.lookup("/file")).expect("file");
    let at = inode_offset(&image, &file);
    // The owner.
    image[at + 2] ^= 1;
    let fs = Ext4::open(&image[..]).expect("a file system");
    for _ in 0..2 {
        assert_eq!(fs.lookup("/file").expect("file").uid(), file.uid() ^ 1);
    }
    let findings = fs.findings();
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((finding.damage.inode(), finding.damage.offset()), (Some(file.number()), at as u64));
}
