//! The records of a PAX extended header: `"LENGTH KEY=VALUE\n"`, where LENGTH counts the whole record, itself
//! included (POSIX.1-2017, pax, "pax Extended Header"). Values are bytes: they may hold newlines.

/// The prefix of the keys that hold extended attributes, as star began it.
pub(super) const XATTR_PREFIX: &[u8] = b"SCHILY.xattr.";

/// Appends a record.
pub(super) fn push(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    // The space, the equals sign and the newline.
    let rest = key.len().saturating_add(value.len()).saturating_add(3);
    let mut len = rest;
    loop {
        let with_digits = rest.saturating_add(len.to_string().len());
        if with_digits == len {
            break;
        }
        len = with_digits;
    }
    records.extend_from_slice(len.to_string().as_bytes());
    records.push(b' ');
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// Takes the records apart into keys and values; `None` if they are malformed.
pub(super) fn parse(mut records: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut found = Vec::new();
    while !records.is_empty() {
        let space = records.iter().take(MAX_LENGTH_DIGITS).position(|&byte| byte == b' ')?;
        let (digits, _) = records.split_at_checked(space)?;
        let (record, rest) = records.split_at_checked(super::number::decimal(digits)?.try_into().ok()?)?;
        let body = record.get(space.checked_add(1)?..)?.strip_suffix(b"\n")?;
        let equals = body.iter().position(|&byte| byte == b'=')?;
        let (key, value) = body.split_at_checked(equals)?;
        if key.is_empty() {
            return None;
        }
        found.push((key, value.get(1..)?));
        records = rest;
    }
    Some(found)
}

const MAX_LENGTH_DIGITS: usize = 20;

/// The key of an extended attribute. As in GNU tar, `=` and `%` in its name are escaped.
pub(super) fn xattr_key(name: &[u8]) -> Vec<u8> {
    let mut key = XATTR_PREFIX.to_vec();
    for &byte in name {
        match byte {
            b'=' => key.extend_from_slice(b"%3D"),
            b'%' => key.extend_from_slice(b"%25"),
            other => key.push(other),
        }
    }
    key
}

/// The name of the extended attribute a key stands for.
pub(super) fn xattr_name(key: &[u8]) -> Option<Vec<u8>> {
    let mut rest = key.strip_prefix(XATTR_PREFIX)?;
    let mut name = Vec::with_capacity(rest.len());
    while let [first, behind @ ..] = rest {
        let (byte, next) = match rest {
            [b'%', b'3', b'D', next @ ..] => (b'=', next),
            [b'%', b'2', b'5', next @ ..] => (b'%', next),
            _ => (*first, behind),
        };
        name.push(byte);
        rest = next;
    }
    Some(name)
}
