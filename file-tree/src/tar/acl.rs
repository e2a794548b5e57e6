//! POSIX ACLs: from the text GNU tar and star write (`acl_to_text(3)`) to the bytes of the extended attribute.
//!
//! ```text
//! u32le version = 2, then for each entry: u16le tag, u16le permissions, u32le id (0xffffffff where there is none)
//! ```

const NO_ID: u32 = u32::MAX;

/// The attribute's value; `None` if the text is malformed or names a user or group without its number.
pub(super) fn from_text(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut entries = text
        .split([',', '\n'])
        .map(|entry| entry.split('#').next().unwrap_or_default().trim())
        .filter(|entry| !entry.is_empty())
        .map(parse_entry)
        .collect::<Option<Vec<_>>>()?;
    // The kernel demands them sorted by tag and number.
    entries.sort_unstable_by_key(|&(tag, _, id)| (tag, id));
    let mut value = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        value.extend_from_slice(&tag.to_le_bytes());
        value.extend_from_slice(&permissions.to_le_bytes());
        value.extend_from_slice(&id.to_le_bytes());
    }
    Some(value)
}

/// `tag:qualifier:rwx`, with star's number of a named user or group as a fourth part.
fn parse_entry(entry: &str) -> Option<(u16, u16, u32)> {
    let mut parts = entry.split(':');
    let (tag, qualifier, permissions) = (parts.next()?, parts.next()?, parts.next()?);
    let mut id = || parts.next().unwrap_or(qualifier).parse().ok();
    let (tag, id) = match (tag, qualifier) {
        ("user" | "u", "") => (0x01, NO_ID),
        ("user" | "u", _) => (0x02, id()?),
        ("group" | "g", "") => (0x04, NO_ID),
        ("group" | "g", _) => (0x08, id()?),
        ("mask" | "m", "") => (0x10, NO_ID),
        ("other" | "o", "") => (0x20, NO_ID),
        _ => return None,
    };
    let permissions = permissions.chars().try_fold(0, |bits, letter| match letter {
        'r' => Some(bits | 4),
        'w' => Some(bits | 2),
        'x' => Some(bits | 1),
        '-' => Some(bits),
        _ => None,
    })?;
    Some((tag, permissions, id))
}
