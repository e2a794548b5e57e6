//! The check finds nothing in what is sound, and says of what is damaged what that costs.

use std::ops::ControlFlow;

use ext4_reader::{Check, Cost, Ext4, Finding, OpenOptions, ReadAt, Tolerance};

use crate::fixtures;
use crate::partial_damage::{inode, inode_offset, pointer};

/// A check to its end.
pub(crate) fn check<S: ReadAt>(fs: &Ext4<S>) -> Check {
    fs.check(|_| ControlFlow::Continue(()))
}

pub(crate) fn assert_healthy<S: ReadAt>(what: &str, fs: &Ext4<S>) {
    let check = check(fs);
    let findings: Vec<_> = check.findings.iter().map(ToString::to_string).collect();
    assert_eq!(findings, [""; 0], "{what}");
    assert!(check.is_healthy(), "{what}: {check:?}");
}

#[test]
fn sound_images_have_no_findings() {
    for name in fixtures::ALL {
        let fs = Ext4::open(fixtures::image(name)).expect("a file system");
        assert_healthy(name, &fs);
        let root = fs.root().expect("root");
        let found = check(&fs);
        let mut numbers: Vec<_> = fs.walk(&root).map(|entry| entry.expect("entry").inode.number()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(found.files + found.directories, numbers.len() as u64 + 1, "{name}: with the root");
        assert!(found.bytes_readable > 0 && found.bytes_lost == 0, "{name}: {found:?}");
    }
}

#[test]
fn a_damaged_inode_costs_its_file_and_has_a_path() {
    let mut image = fixtures::image("ext2");
    let file = inode(&image, "/a/b/c/deep");
    let at = inode_offset(&image, &file);
    image[at..at + 2].fill(0);
    let (found, finding) = only_finding(&image);
    assert_eq!((finding.damage.structure(), finding.damage.offset()), ("inode", at as u64));
    assert_eq!(
        (finding.cost, finding.files, finding.path.as_deref()),
        (Cost::Files, 1, Some(&b"a/b/c/deep"[..]))
    );
    assert_eq!((found.files_lost, found.bytes_lost), (1, 0));
}

#[test]
fn a_damaged_pointer_costs_its_range() {
    let mut image = fixtures::image("ext2");
    let whole = checked(&image);
    let file = inode(&image, "/sparse");
    let at = inode_offset(&image, &file) + 0x28 + 4 * 12;
    image[at..at + 4].fill(0xff);
    let (found, finding) = only_finding(&image);
    assert_eq!((finding.damage.inode(), finding.cost), (Some(file.number()), Cost::Content));
    // The single indirect block leads to 256 KiB, which is more than the disk holds.
    let most = Ext4::open(&image[..]).expect("a file system").superblock().blocks_count() * 1024;
    assert_eq!((finding.files, finding.bytes, finding.path.as_deref()), (1, most, Some(&b"sparse"[..])));
    assert_eq!((found.files_incomplete, found.bytes_lost), (1, most));
    assert!(found.bytes_readable < whole.bytes_readable && found.files == whole.files);
}

#[test]
fn a_damaged_entry_costs_names_and_the_files_are_found_again() {
    let mut image = fixtures::image("ext2");
    let at = pointer(&image, "/a/b/c", 0) * 1024;
    // What follows `.` and `..` is unreadable.
    image[at + 28..at + 30].copy_from_slice(&[4, 0]);
    let found = checked(&image);
    let costs: Vec<_> = found.findings.iter().map(|finding| finding.cost).collect();
    assert!(costs.iter().all(|cost| *cost == Cost::Names) && costs.len() >= 2, "{:?}", found.findings);
    let lost = Ext4::open(&image[..]).expect("a file system").lost_files();
    assert!(!lost.is_empty() && found.files_unnamed >= lost.len() as u64, "{found:?}");
    for entry in lost {
        let path = [b"lost+found/", &entry.name[..]].concat();
        assert!(found.findings.iter().any(|finding| finding.path.as_ref() == Some(&path)), "{found:?}");
    }
}

#[test]
fn files_with_blocks_in_common_are_named() {
    let mut image = fixtures::image("ext2");
    let at = |image: &[u8], path| inode_offset(image, &inode(image, path)) + 0x28;
    let (from, to) = (at(&image, "/sparse"), at(&image, "/file"));
    let block = image[from..from + 4].to_vec();
    image[to..to + 4].copy_from_slice(&block);
    let found = checked(&image);
    let mut paths: Vec<_> = found.findings.iter().map(|f| (f.cost, f.bytes, f.path.as_deref())).collect();
    paths.sort_unstable();
    let names = [&b"file"[..], b"sparse"].map(|path| (Cost::Doubt, 1024, Some(path)));
    assert_eq!(paths, names, "{:?}", found.findings);
}

#[test]
fn a_disk_that_was_cut_off_lacks_what_lay_behind() {
    let image = fixtures::image("ext2");
    let file = inode(&image, "/sparse");
    let start = pointer(&image, "/sparse", 0) * 1024;
    let found = check(&Ext4::open(&image[..start]).expect("a file system"));
    let lost: u64 =
        found.findings.iter().filter(|f| f.damage.inode() == Some(file.number())).map(|f| f.bytes).sum();
    assert!(lost >= 1024, "{:?}", found.findings);
}

#[test]
fn a_check_ends_when_it_is_told_to() {
    let fs = Ext4::open(fixtures::image("ext4")).expect("a file system");
    let mut told = 0;
    let cancelled = fs.check(|progress| {
        told += 1;
        assert!(progress.done <= progress.total, "{progress:?}");
        ControlFlow::Break(())
    });
    assert!(cancelled.cancelled && !cancelled.is_healthy() && told == 1);
}

fn checked(image: &[u8]) -> Check {
    check(&OpenOptions::new().tolerance(Tolerance::Recover).open(image).expect("a file system"))
}

fn only_finding(image: &[u8]) -> (Check, Finding) {
    let found = checked(image);
    let [finding] = &found.findings[..] else { panic!("{:?}", found.findings) };
    let finding = finding.clone();
    (found, finding)
}
