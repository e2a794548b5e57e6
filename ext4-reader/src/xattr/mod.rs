//! Extended attributes: behind the inode's fields, in a block of their own, and with their values in inodes.

mod acl;
mod entry;
pub(crate) mod in_inode;

use entry::{Entry, Place};

use crate::bytes::{Fields, to_u64, to_usize};
use crate::device::BlockDevice;
use crate::finding::Amount;
use crate::units::BlockIndex;
use crate::{Error, Ext4, Inode, InodeNumber, ReadAt, Result, checksum};

/// An extended attribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Xattr {
    /// The full name with its namespace, such as `user.comment` or `security.capability`.
    pub name: Vec<u8>,
    /// The value, as `getxattr(2)` gives it.
    pub value: Vec<u8>,
}

/// What a block of attributes begins with:
///
/// ```text
/// 0  magic 0xea020000   4  references   8  blocks (1)   12  hash   16  checksum   32  entries
/// ```
const MAGIC: u32 = 0xea02_0000;
const BLOCK_HEADER_LEN: usize = 32;
/// The kernel's `XATTR_SIZE_MAX`.
const MAX_VALUE_LEN: u32 = 65536;
/// Values may share their bytes, so that one block could stand for hundreds of megabytes.
const MAX_TOTAL_LEN: usize = 16 << 20;

/// All attributes of a file, those in the inode first.
pub(crate) fn read<S: ReadAt>(filesystem: &Ext4<S>, inode: &Inode) -> Result<Vec<Xattr>> {
    let mut attributes = Vec::new();
    if let Some(place) = in_inode::place(inode) {
        collect(filesystem, &place, &mut attributes)?;
    }
    if inode.attribute_block != 0 {
        let block = BlockIndex(inode.attribute_block);
        let device = filesystem.device();
        let is_right = |seed, bytes: &[u8]| checksum::attribute_block(seed, block.0, bytes);
        let bytes = device.verified(block, "attribute block", None, is_right, |_| Amount::files(1))?;
        collect(filesystem, &block_place(device, block, &bytes)?, &mut attributes)?;
    }
    Ok(attributes)
}

fn block_place<'a, S: ReadAt>(
    device: &BlockDevice<S>,
    block: BlockIndex,
    bytes: &'a [u8],
) -> Result<Place<'a>> {
    let offset = device.offset_of(block);
    let fields = Fields(bytes);
    if fields.u32(0) != MAGIC || fields.u32(8) != 1 {
        return Err(Error::corrupt("attribute block", offset, "its header is not one"));
    }
    Ok(Place { structure: "attribute block", bytes, entries_at: BLOCK_HEADER_LEN, values_at: 0, offset })
}

fn collect<S: ReadAt>(filesystem: &Ext4<S>, place: &Place<'_>, attributes: &mut Vec<Xattr>) -> Result<()> {
    let mut total = 0_usize;
    for entry in place.entries() {
        let entry = entry?;
        if let Some(name) = entry.full_name() {
            let value = value(filesystem, place, &entry)?;
            total = total.saturating_add(value.len());
            if total > MAX_TOTAL_LEN {
                let (needed, allowed) = (to_u64(total), to_u64(MAX_TOTAL_LEN));
                return Err(Error::Limit {
                    what: "the length of a file's attributes in bytes",
                    needed,
                    allowed,
                });
            }
            attributes.push(Xattr { name, value });
        }
    }
    Ok(())
}

fn value<S: ReadAt>(filesystem: &Ext4<S>, place: &Place<'_>, entry: &Entry<'_>) -> Result<Vec<u8>> {
    let value = match entry.value_inode {
        0 => place.value(entry)?.to_vec(),
        number => value_in_inode(filesystem, InodeNumber(number), entry.value_len)?,
    };
    if entry.is_acl() {
        acl::to_getxattr_form(&value).ok_or_else(|| place.corrupt("an ACL is malformed"))
    } else {
        Ok(value)
    }
}

/// Values too large for the inode and the block lie in an inode that belongs to them alone (`ea_inode`).
fn value_in_inode<S: ReadAt>(filesystem: &Ext4<S>, number: InodeNumber, len: u32) -> Result<Vec<u8>> {
    if len > MAX_VALUE_LEN {
        return Err(Error::Limit {
            what: "an attribute's bytes",
            needed: len.into(),
            allowed: MAX_VALUE_LEN.into(),
        });
    }
    let inode = filesystem.inode(number)?;
    if !inode.holds_attribute_value() || inode.size() != u64::from(len) {
        let problem = "it holds no attribute's value, or one of another length";
        return Err(Error::corrupt("inode", inode.offset, problem).of_inode(number));
    }
    let mut value = vec![0; to_usize(len.into())];
    filesystem.read_content(&inode, &mut value, 0)?;
    Ok(value)
}
