//! Uses all of the API on a file system that may be damaged. The fuzz target takes this file in, too.

use std::collections::HashSet;
use std::ops::ControlFlow;

use ext4_reader::{Ext4, FileKind, Inode, InodeNumber, ReadAt};

/// Bounds the work on a file system that claims more than it holds. What each call does is the reader's to bound.
const FILES: usize = 2000;
const ITEMS: usize = 5000;

/// Lists, looks up and reads everything that can be reached, and returns how much that was. Errors are expected.
pub(crate) fn exercise<S: ReadAt>(fs: &Ext4<S>) -> usize {
    let _ = fs.journal_state();
    let mut done = fs.root().map_or(0, |root| fs.walk(&root).take(ITEMS).flatten().count());
    let mut seen = HashSet::new();
    let mut open: Vec<InodeNumber> = (1..16).map(InodeNumber).collect();
    while let Some(number) = open.pop() {
        if seen.len() >= FILES || !seen.insert(number) {
            continue;
        }
        let Ok(inode) = fs.inode(number) else { continue };
        done += 1 + attributes(fs, &inode);
        // Every call is made on every kind of file: a wrong kind is an error, never worse.
        done += contents(fs, &inode) + fs.read_link(&inode).map_or(0, |target| target.len());
        let Ok(entries) = fs.read_dir(&inode) else { continue };
        for entry in entries.take(ITEMS).flatten() {
            done += usize::from(fs.lookup_in(&inode, &entry.name).is_ok());
            open.push(entry.inode);
        }
        done += usize::from(fs.lookup_in(&inode, b"absent").is_ok());
    }
    let checked = fs.check(|_| ControlFlow::Continue(())).findings.len();
    done + paths(fs) + fs.lost_files().len() + deleted(fs) + fs.findings().len() + checked
}

fn deleted<S: ReadAt>(fs: &Ext4<S>) -> usize {
    fs.deleted().flatten().take(FILES).filter(|inode| fs.remains(inode).is_ok()).count()
}

fn attributes<S: ReadAt>(fs: &Ext4<S>, inode: &Inode) -> usize {
    let _ = (inode.kind(), inode.mode(), inode.uid(), inode.gid(), inode.links(), inode.allocated_bytes());
    let _ = (inode.accessed(), inode.modified(), inode.changed(), inode.created());
    let _ = (inode.rdev(), inode.flags(), inode.generation());
    fs.xattrs(inode).map_or(0, |xattrs| xattrs.len())
}

fn contents<S: ReadAt>(fs: &Ext4<S>, inode: &Inode) -> usize {
    let Ok(extents) = fs.extents(inode) else { return 0 };
    let mut done = 0;
    let mut buf = [0; 5000];
    for extent in extents.take(ITEMS).flatten() {
        done += fs.read_at(inode, &mut buf, extent.offset).unwrap_or(0);
    }
    if inode.kind() == FileKind::Regular {
        for offset in
            [0, 1, 50_000, inode.size() / 2, inode.size().saturating_sub(100), inode.size(), u64::MAX]
        {
            done += fs.read_at(inode, &mut buf, offset).unwrap_or(0);
        }
    }
    done
}

fn paths<S: ReadAt>(fs: &Ext4<S>) -> usize {
    ["/", "/absent", "/../a/b", "/loop", "/link/../file"]
        .iter()
        .filter(|path| fs.lookup(path).is_ok() | fs.symlink_lookup(path).is_ok() | fs.open_file(path).is_ok())
        .count()
}
