//! The fields of inodes are those of `stat(2)`, and where that has none, of debugfs.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use ext4_reader::{Error, FileKind, Inode, Timestamp};

use crate::image::Image;
use crate::manifest;
use crate::support::needs;

const INLINE_DATA: u32 = 0x1000_0000;

/// Compares what `manifest` leaves out.
pub(crate) fn assert_same(what: &str, path: &Path, inode: &Inode) {
    let kernel = std::fs::symlink_metadata(path).expect("stat");
    let ours = (
        u64::from(inode.number().0),
        u64::from(inode.links()),
        inode.size(),
        shown_bytes(inode),
        parts(inode.accessed()),
        parts(inode.modified()),
        parts(inode.changed()),
    );
    let theirs = (
        kernel.ino(),
        kernel.nlink(),
        kernel.size(),
        kernel.blocks() * 512,
        (kernel.atime(), kernel.atime_nsec()),
        (kernel.mtime(), kernel.mtime_nsec()),
        (kernel.ctime(), kernel.ctime_nsec()),
    );
    assert_eq!(ours, theirs, "{what}: {}", path.display());
    let born = kernel.created().ok().map(|time| {
        let since = time.duration_since(UNIX_EPOCH).expect("just made");
        (i64::try_from(since.as_secs()).expect("seconds"), i64::from(since.subsec_nanos()))
    });
    assert_eq!(inode.created().map(parts), born, "{what}: {}", path.display());
}

fn parts(time: Timestamp) -> (i64, i64) {
    (time.seconds, i64::from(time.nanoseconds))
}

/// The kernel counts a file's inline data as if it had sectors of its own.
fn shown_bytes(inode: &Inode) -> u64 {
    let inline = inode.kind() == FileKind::Regular && inode.flags() & INLINE_DATA != 0;
    inode.allocated_bytes() + if inline { inode.size().next_multiple_of(512) } else { 0 }
}

#[test]
fn generation_flags_and_extended_times_are_those_of_debugfs() {
    needs!("mke2fs", "debugfs", "python3", "loop");
    for variant in ["-t ext4 -b 4096", "-t ext4 -b 1024 -I 128", "-t ext2 -b 1024"] {
        let image = Image::new(variant);
        image.populate(600);
        let fs = image.open();
        for (path, inode) in manifest::tree(&fs).into_iter().step_by(40) {
            let stat = image.debugfs(&format!("stat <{}>", inode.number()));
            let ours = format!("Generation: {} ", inode.generation());
            assert!(stat.replace('\n', " ").contains(&ours), "{}: {ours}: {stat}", manifest::encode(&path));
            let ours = format!("Flags: {:#x}\n", inode.flags());
            assert!(stat.contains(&ours), "{}: {ours}: {stat}", manifest::encode(&path));
            assert_eq!(inode.created().is_some(), stat.contains("crtime:"), "{}", manifest::encode(&path));
        }
    }
}

/// A file of more than 2^32 sectors counts them in blocks (`huge_file`).
#[test]
fn blocks_of_huge_files_are_counted_in_blocks() {
    needs!("mke2fs", "debugfs");
    let image = Image::new("-t ext4 -b 4096");
    image.add_file("huge", "content");
    image.debugfs("set_inode_field huge flags 0xc0000");
    image.debugfs("set_inode_field huge blocks 12");
    assert_eq!(image.open().lookup("/huge").expect("a file").allocated_bytes(), 12 * 4096);
}

/// fscrypt's files need a key that only a running system has. All others can be read.
#[test]
fn encrypted_files_are_unsupported_one_by_one() {
    needs!("mke2fs", "debugfs");
    let image = Image::new("-t ext4 -b 4096 -O encrypt,casefold,verity");
    image.add_file("secret", "content");
    image.add_file("sealed", "content");
    for request in [
        "mkdir folded",
        "mkdir folded/Inner",
        "mkdir hidden",
        "symlink link target",
        "set_inode_field secret flags 0x80800",
        "set_inode_field hidden flags 0x80800",
        "set_inode_field link flags 0x800",
        "set_inode_field sealed flags 0x180000",
        "set_inode_field folded flags 0x40080000",
    ] {
        image.debugfs(request);
    }
    let fs = image.open();
    let secret = fs.lookup("/secret").expect("file");
    let hidden = fs.lookup("/hidden").expect("folder");
    let link = fs.symlink_lookup("/link").expect("link");
    assert!(secret.is_encrypted() && hidden.is_encrypted() && link.is_encrypted());
    assert!(matches!(fs.read_at(&secret, &mut [0; 10], 0), Err(Error::Unsupported(_))));
    assert!(matches!(fs.read_dir(&hidden), Err(Error::Unsupported(_))));
    assert!(matches!(fs.lookup_in(&hidden, b"name"), Err(Error::Unsupported(_))));
    assert!(matches!(fs.read_link(&link), Err(Error::Unsupported(_))));
    let sealed = fs.lookup("/sealed").expect("file");
    assert!(sealed.is_verity() && !sealed.is_encrypted());
    let mut content = [0; 7];
    assert_eq!(fs.read_at(&sealed, &mut content, 0).expect("read"), 7);
    assert_eq!(&content, b"content");
    let folded = fs.lookup("/folded").expect("folder");
    assert!(folded.is_casefolded() && !sealed.is_casefolded());
    assert_eq!(fs.lookup_in(&folded, b"Inner").expect("folder").kind(), FileKind::Directory);
}
