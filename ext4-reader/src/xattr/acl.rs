//! POSIX ACLs. On disk entries are short where no id is needed; `getxattr(2)` gives all of one length:
//!
//! ```text
//! on disk:    version 1 (32 bits), then tag, permissions (16 bits each), and for named users and groups the id (32 bits)
//! getxattr:   version 2 (32 bits), then tag, permissions (16 bits each), id (32 bits; -1 where there is none)
//! ```

use crate::bytes::Fields;

const ON_DISK_VERSION: u32 = 1;
const GETXATTR_VERSION: u32 = 2;
const TAG_USER: u16 = 0x2;
const TAG_GROUP: u16 = 0x8;
const NO_ID: u32 = u32::MAX;

/// `None` if the ACL is malformed.
pub(super) fn to_getxattr_form(on_disk: &[u8]) -> Option<Vec<u8>> {
    if Fields(on_disk).u32(0) != ON_DISK_VERSION {
        return None;
    }
    let mut rest = on_disk.get(4..)?;
    let mut value = GETXATTR_VERSION.to_le_bytes().to_vec();
    while !rest.is_empty() {
        let named = matches!(Fields(rest).u16(0), TAG_USER | TAG_GROUP);
        let (entry, behind) = rest.split_at_checked(if named { 8 } else { 4 })?;
        value.extend_from_slice(entry);
        if !named {
            value.extend_from_slice(&NO_ID.to_le_bytes());
        }
        rest = behind;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_entries_keep_their_id_and_others_get_none() {
        let on_disk = [1, 0, 0, 0, 1, 0, 7, 0, 2, 0, 6, 0, 0xe7, 3, 0, 0, 32, 0, 4, 0];
        let expected = [
            2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 6, 0, 0xe7, 3, 0, 0, 32, 0, 4, 0, 255, 255,
            255, 255,
        ];
        assert_eq!(to_getxattr_form(&on_disk).as_deref(), Some(&expected[..]));
        assert_eq!(to_getxattr_form(&on_disk[..15]), None);
        assert_eq!(to_getxattr_form(&[2, 0, 0, 0]), None);
    }
}
