//! Damage costs what it hits: the rest of the file system is read as before.

use ext4_reader::{Error, Ext4, Inode, OpenOptions, Tolerance};

use crate::fixtures;

/// Offsets of fields in an inode.
const MODE: usize = 0x0;
const POINTERS: usize = 0x28;

#[test]
fn a_damaged_entry_costs_the_rest_of_its_block() {
    let mut image = fixtures::image("ext2");
    let names = list(&image, "/many").len();
    let first_leaf = pointer(&image, "/many", 1) * 1024;
    // An entry shorter than its own head.
    image[first_leaf + 4..first_leaf + 6].copy_from_slice(&[4, 0]);

    let entries = list(&image, "/many");
    let errors: Vec<_> = entries.iter().filter_map(|entry| entry.as_ref().err()).collect();
    let [Error::Corrupt(corrupt)] = errors[..] else { panic!("{errors:?}") };
    assert_eq!((corrupt.structure(), corrupt.offset()), ("directory block", first_leaf as u64));
    assert!(entries.len() > 5 && entries.len() < names, "{} of {names}", entries.len());

    let fs = Ext4::open(&image[..]).expect("a file system");
    let folder = fs.lookup("/many").expect("folder");
    for entry in entries.iter().flatten() {
        fs.lookup_in(&folder, &entry.name).expect("an entry of the other block");
    }
    // Nobody can say whether the damaged block held it.
    let whole = fixtures::image("ext2");
    let lost =
        list(&whole, "/many").into_iter().flatten().find(|lost| !entries.iter().flatten().any(|e| e == lost));
    assert!(matches!(fs.lookup_in(&folder, &lost.expect("a lost entry").name), Err(Error::Corrupt(_))));
}

#[test]
fn in_recovery_a_damaged_entry_costs_itself() {
    let mut image = fixtures::image("ext2");
    let whole: Vec<_> = list(&image, "/many").into_iter().map(|entry| entry.expect("entry")).collect();
    let first_leaf = pointer(&image, "/many", 1) * 1024;
    let second = first_leaf + usize::from(image[first_leaf + 4]);
    for (at, lost) in [(first_leaf, 0), (second, 1)] {
        let before = image[at + 4..at + 6].to_vec();
        image[at + 4..at + 6].copy_from_slice(&[4, 0]);
        let fs = OpenOptions::new().tolerance(Tolerance::Recover).open(&image[..]).expect("a file system");
        let folder = fs.lookup("/many").expect("folder");
        let (entries, errors): (Vec<_>, Vec<_>) =
            fs.read_dir(&folder).expect("folder").partition(Result::is_ok);
        let entries: Vec<_> = entries.into_iter().flatten().collect();
        let expected: Vec<_> = whole
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != lost)
            .map(|(_, entry)| entry.clone())
            .collect();
        assert_eq!((entries, errors.len()), (expected, 1));
        image[at + 4..at + 6].copy_from_slice(&before);
    }
}

#[test]
fn a_damaged_inode_costs_its_file() {
    for name in fixtures::ALL {
        let mut image = fixtures::image(name);
        let whole = walk(&image);
        let file = inode(&image, "/sparse");
        let offset = inode_offset(&image, &file);
        image[offset + MODE..offset + MODE + 2].fill(0);
        let damaged = walk(&image);
        let errors: Vec<_> = damaged.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        let [Error::Corrupt(corrupt)] = errors[..] else { panic!("{name}: {errors:?}") };
        assert_eq!((corrupt.inode(), corrupt.offset()), (Some(file.number()), offset as u64), "{name}");
        assert_eq!(damaged.len(), whole.len(), "{name}");
    }
}

#[test]
fn a_damaged_pointer_costs_its_range() {
    let mut image = fixtures::image("ext2");
    let file = inode(&image, "/sparse");
    let whole = runs(&image);
    // The single indirect block leads nowhere; the direct pointers and the double indirect block are sound.
    let at = inode_offset(&image, &file) + POINTERS + 4 * 12;
    image[at..at + 4].fill(0xff);

    let damaged = runs(&image);
    assert_eq!((damaged.len(), whole.len()), (3, 3));
    assert!(
        damaged[0] == whole[0] && damaged[1].is_none() && damaged[2] == whole[2],
        "{damaged:?} of {whole:?}"
    );
    let fs = Ext4::open(&image[..]).expect("a file system");
    let file = fs.lookup("/sparse").expect("file");
    let mut buf = [0; 10];
    assert!(fs.read_at(&file, &mut buf, 0).is_ok() && buf.starts_with(b"block 0"));
    assert!(fs.read_at(&file, &mut buf, 14 << 10).is_err());
    assert!(fs.read_at(&file, &mut buf, 300 << 10).is_ok() && buf.starts_with(b"block 300"));
}

#[test]
fn a_directory_within_itself_is_not_entered_again() {
    let mut image = fixtures::image("ext2");
    let whole = walk(&image).len();
    let root = inode(&image, "/").number();
    // The entry of `deep` names the root.
    let at = pointer(&image, "/a/b/c", 0) * 1024 + 24;
    assert_eq!(&image[at + 8..at + 12], b"deep");
    image[at..at + 4].copy_from_slice(&root.0.to_le_bytes());

    let outcomes = walk(&image);
    let errors: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    let [Error::Corrupt(corrupt)] = errors[..] else { panic!("{errors:?}") };
    assert_eq!(corrupt.inode(), Some(root));
    // The looping entry is met once, and then said to be one.
    assert_eq!(outcomes.len(), whole + 1);
}

fn list(image: &[u8], path: &str) -> Vec<Result<ext4_reader::DirEntry, Error>> {
    let fs = Ext4::open(image).expect("a file system");
    let folder = fs.lookup(path).expect("folder");
    fs.read_dir(&folder).expect("folder").collect()
}

fn walk(image: &[u8]) -> Vec<Result<Vec<u8>, Error>> {
    let fs = Ext4::open(image).expect("a file system");
    fs.walk(&fs.root().expect("root")).map(|entry| entry.map(|entry| entry.path)).collect()
}

/// Where the extents of `/sparse` lie in the file; `None` for a damaged range.
fn runs(image: &[u8]) -> Vec<Option<(u64, u64)>> {
    let fs = Ext4::open(image).expect("a file system");
    let file = fs.lookup("/sparse").expect("file");
    fs.extents(&file).expect("file").map(|extent| extent.ok().map(|e| (e.offset, e.len))).collect()
}

pub(crate) fn inode(image: &[u8], path: &str) -> Inode {
    Ext4::open(image).and_then(|fs| fs.lookup(path)).expect("file")
}

/// Where an inode lies in an image of one group.
pub(crate) fn inode_offset(image: &[u8], inode: &Inode) -> usize {
    let inode_size = usize::from(u16::from_le_bytes([image[1024 + 0x58], image[1024 + 0x59]]));
    crate::damage::inode_table(image) + inode_size * (inode.number().0 as usize - 1)
}

/// The block that a direct pointer of an inode leads to.
pub(crate) fn pointer(image: &[u8], path: &str, slot: usize) -> usize {
    let at = inode_offset(image, &inode(image, path)) + POINTERS + 4 * slot;
    u32::from_le_bytes(image[at..at + 4].try_into().expect("four bytes")) as usize
}
