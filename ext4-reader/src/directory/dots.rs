use super::entry::RawEntry;
use super::linear::read_directory_block;
use crate::mapping::inline;
use crate::{Ext4, Inode, InodeNumber, ReadAt, Result};

/// Where `.` and `..` of a directory lead; `None` if they are not where they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dots {
    pub(crate) own: Option<InodeNumber>,
    pub(crate) parent: Option<InodeNumber>,
}

/// The two entries that a directory begins with. `None` if a fast commit made it, and it has no block of its own yet.
pub(crate) fn dots<S: ReadAt>(filesystem: &Ext4<S>, directory: &Inode) -> Option<Result<Dots>> {
    if filesystem.amendments.directory(directory.number()).is_some_and(|amended| amended.is_new) {
        return None;
    }
    if inline::is_inline(directory) {
        // In place of both stands the number of the parent.
        let parent = crate::bytes::Fields(&directory.i_block).u32(0);
        return Some(Ok(Dots { own: Some(directory.number()), parent: number(parent) }));
    }
    Some(read_directory_block(filesystem.device(), directory, 0).map(|block| {
        let entry = |at: usize| {
            let rest = block.get(at..).filter(|rest| !rest.is_empty())?;
            RawEntry::parse(rest, filesystem.superblock()).ok()
        };
        let own = entry(0);
        let parent = own.as_ref().and_then(|own| entry(own.len));
        let leads_to = |entry: Option<RawEntry<'_>>, name: &[u8]| {
            entry.filter(|entry| entry.name == name).map(|e| e.inode)
        };
        Dots { own: leads_to(own, b".").and_then(number), parent: leads_to(parent, b"..").and_then(number) }
    }))
}

fn number(on_disk: u32) -> Option<InodeNumber> {
    Some(InodeNumber(on_disk)).filter(|number| number.0 != 0)
}
