use super::inode_set::InodeSet;
use crate::bytes::to_usize;
use crate::{DirEntry, Ext4, FileKind, Inode, InodeNumber, ReadAt};

/// The files that no path leads to, as entries of the directory `lost+found` in which `e2fsck` would put them.
///
/// Only the topmost are there: what a lost directory holds is found in it.
pub(crate) fn lost_files<S: ReadAt>(filesystem: &Ext4<S>) -> Vec<DirEntry> {
    let mut reached = InodeSet::default();
    if let Ok(root) = filesystem.root() {
        reached.insert(root.number());
        reach(filesystem, &root, &mut reached);
    }
    let is_lost = |inode: &Inode| !reached.contains(inode.number()) && !is_hidden(filesystem, inode);
    let lost: Vec<_> =
        filesystem.scan().flatten().filter(is_lost).map(|inode| (inode.number(), inode.kind())).collect();

    let mut held_by_lost = InodeSet::default();
    for &(number, _) in lost.iter().filter(|(_, kind)| *kind == FileKind::Directory) {
        let Ok(directory) = filesystem.inode(number) else { continue };
        let Ok(entries) = filesystem.read_dir(&directory) else { continue };
        entries.flatten().filter(|entry| entry.inode != number).for_each(|entry| {
            held_by_lost.insert(entry.inode);
        });
    }
    // Directories that hold one another have no topmost one: of those, the first stands for all.
    let (tops, held): (Vec<_>, Vec<_>) =
        lost.into_iter().partition(|(number, _)| !held_by_lost.contains(*number));
    let mut found = Vec::new();
    for (number, kind) in tops.into_iter().chain(held) {
        if reached.insert(number) {
            found.push(DirEntry { name: format!("#{number}").into_bytes(), inode: number, kind: Some(kind) });
            if let (FileKind::Directory, Ok(directory)) = (kind, filesystem.inode(number)) {
                reach(filesystem, &directory, &mut reached);
            }
        }
    }
    found
}

fn reach<S: ReadAt>(filesystem: &Ext4<S>, directory: &Inode, reached: &mut InodeSet) {
    // Directories that share their blocks could otherwise hold far more names than the disk.
    let device = filesystem.device();
    let most = device.block_size().offset_of(device.present_blocks()) / SHORTEST_ENTRY_BYTES;
    for entry in filesystem.walk(directory).take(to_usize(most)).flatten() {
        reached.insert(entry.inode.number());
    }
}

const SHORTEST_ENTRY_BYTES: u64 = 12;

/// Whether an inode never has a name: the file system keeps in it what belongs to no file or is part of one.
pub(crate) fn is_hidden<S: ReadAt>(filesystem: &Ext4<S>, inode: &Inode) -> bool {
    inode.number() < FIRST_ORDINARY
        || inode.holds_attribute_value()
        || filesystem.superblock().system_inodes.contains(&inode.number())
}

/// mke2fs never reserved more than those before it.
const FIRST_ORDINARY: InodeNumber = InodeNumber(11);
