//! Numbers, sizes, paths and losses as people read them.

use std::ffi::{OsStr, OsString};

use docker_rescue::file_tree::{Damage, NotKept};

/// A size in decimal units, as Docker's own tables have it: `999B`, `12.5MB`, `1.2GB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes}B");
    }
    let mut divisor = 1000_u64;
    let mut unit = 0;
    while unit < UNITS.len() - 1 && bytes / divisor >= 1000 {
        divisor *= 1000;
        unit += 1;
    }
    // Tenths, rounded down: a size shown is never larger than what is there.
    let tenths = u128::from(bytes) * 10 / u128::from(divisor);
    if tenths >= 1000 {
        format!("{}{}", tenths / 10, UNITS[unit])
    } else {
        format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// A count with its noun: `1 file`, `2 files`, `12,345 files`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = match (number, noun.strip_suffix('y')) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    };
    format!("{} {plural}", thousands(number))
}

/// A number with commas between its thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A path of a report; the root's is empty there.
pub(crate) fn path(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

/// A range that could not be read, or attributes that could not.
pub(crate) fn damage(damage: &Damage) -> String {
    let Damage { path: file, offset, len, reason, .. } = damage;
    match len {
        0 => format!("damaged: {}: {reason}", path(file)),
        _ => format!(
            "damaged: {}: {} from {offset} on read as zeros: {reason}",
            path(file),
            count(*len, "byte")
        ),
    }
}

/// What a destination could not hold, in one line; `None` if it could hold everything.
pub(crate) fn not_kept(lost: &NotKept) -> Option<String> {
    let parts = [
        (lost.owners, "owner"),
        (lost.modes, "mode"),
        (lost.times, "time"),
        (lost.xattrs, "set of extended attributes"),
        (lost.kinds, "device, socket or fifo"),
        (lost.names, "name"),
        (lost.hard_links, "hard link"),
    ];
    let counts = parts.iter().filter(|(number, _)| *number > 0).map(|&(number, noun)| match (noun, number) {
        ("set of extended attributes", 2..) => format!("{} sets of extended attributes", thousands(number)),
        ("device, socket or fifo", 2..) => format!("{} devices, sockets or fifos", thousands(number)),
        _ => count(number, noun),
    });
    let counts: Vec<_> = counts.collect();
    (!counts.is_empty()).then(|| format!("{} could not be kept here", counts.join(", ")))
}

/// The bytes of a path given on the command line. What [`printable`](docker_rescue::file_tree::printable) makes of bytes
/// is taken back: `\xNN` and `\\`.
pub(crate) fn parse_path(argument: &OsStr) -> Vec<u8> {
    let bytes = argument.as_encoded_bytes();
    let mut path = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = match behind {
            [b'\\', ..] if first == b'\\' => Some((b'\\', 1)),
            [b'x', digits @ ..] if first == b'\\' => digits
                .get(..2)
                .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
                .map(|byte| (byte, 3)),
            _ => None,
        };
        let (byte, skipped) = escaped.unwrap_or((first, 0));
        path.push(byte);
        rest = behind.get(skipped..).unwrap_or_default();
    }
    path
}

/// A name from a disk as one for this computer.
pub(crate) fn file_name(name: &[u8]) -> OsString {
    #[cfg(unix)]
    {
        std::os::unix::ffi::OsStringExt::from_vec(name.to_vec())
    }
    #[cfg(not(unix))]
    {
        String::from_utf8_lossy(name).into_owned().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_and_never_rounded_up() {
        let shown = [0, 999, 1000, 1999, 123_456, 999_999, 12_550_000, u64::MAX].map(size);
        assert_eq!(shown, ["0B", "999B", "1.0kB", "1.9kB", "123kB", "999kB", "12.5MB", "18.4EB"]);
    }

    #[test]
    fn escaped_paths_mean_their_bytes() {
        let parsed = [r"/a/\xff\xFEb", r"\\x41", r"\n\x4", "/plain"].map(|path| parse_path(OsStr::new(path)));
        assert_eq!(
            parsed,
            [b"/a/\xff\xfeb".to_vec(), br"\x41".to_vec(), br"\n\x4".to_vec(), b"/plain".to_vec()]
        );
    }

    #[test]
    fn counts_have_their_plural() {
        assert_eq!(
            [count(1, "file"), count(2, "entry"), count(12_345, "file")],
            ["1 file", "2 entries", "12,345 files"]
        );
    }
}
