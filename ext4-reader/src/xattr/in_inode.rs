//! Attributes behind the inode's fields: a magic number, then entries, with values from the end.

use super::MAGIC;
use super::entry::Place;
use crate::bytes::Fields;
use crate::{Inode, Result};

const MAGIC_LEN: usize = 4;

/// What of the bytes behind the inode's fields holds attributes: all or nothing.
pub(crate) fn attributes(tail: &[u8]) -> &[u8] {
    if Fields(tail).u32(0) == MAGIC { tail } else { &[] }
}

/// The attributes in the inode, if there are any.
pub(super) fn place(inode: &Inode) -> Option<Place<'_>> {
    (!inode.tail.is_empty()).then_some(Place {
        structure: "inode's attributes",
        bytes: &inode.tail,
        entries_at: MAGIC_LEN,
        values_at: MAGIC_LEN,
        offset: inode.offset,
    })
}

/// The value of `system.data`; empty if there is none.
pub(crate) fn inline_data(inode: &Inode) -> Result<&[u8]> {
    let Some(place) = place(inode) else { return Ok(&[]) };
    for entry in place.entries() {
        let entry = entry?;
        if entry.is_inline_data() && entry.value_inode == 0 {
            return place.value(&entry);
        }
    }
    Ok(&[])
}
