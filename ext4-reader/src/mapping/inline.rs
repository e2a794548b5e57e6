//! Content that lies in the inode itself: up to 60 bytes in `i_block`, the rest as the value of the attribute
//! `system.data` behind the inode's fields.

use crate::bytes::{to_u64, to_usize};
use crate::inode::I_BLOCK_LEN;
use crate::xattr::in_inode;
use crate::{Error, Inode, Result};

pub(crate) fn is_inline(inode: &Inode) -> bool {
    inode.has_inline_data()
}

/// The content, as long as the inode says.
pub(crate) fn content(inode: &Inode) -> Result<Vec<u8>> {
    let mut content = inode.i_block.to_vec();
    if inode.size() > to_u64(I_BLOCK_LEN) {
        content.extend_from_slice(rest(inode)?);
    }
    if to_u64(content.len()) < inode.size() {
        let detail = format!("{} bytes are there of a content of {}", content.len(), inode.size());
        return Err(Error::corrupt("inline data", inode.offset, detail).of_inode(inode.number()));
    }
    content.truncate(to_usize(inode.size()));
    Ok(content)
}

/// The part of the content that does not fit into `i_block`; empty if there is none.
pub(crate) fn rest(inode: &Inode) -> Result<&[u8]> {
    in_inode::inline_data(inode).map_err(|error| error.of_inode(inode.number()))
}
