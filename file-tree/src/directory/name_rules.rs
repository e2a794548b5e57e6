//! Which names the destination can hold, and what an entry is called instead.

use std::fmt::Write;

/// A limit that also the shortest file systems met in practice (eCryptfs: 143 bytes) keep, with room for a number.
const MAX_SUBSTITUTE_BYTES: usize = 120;

/// The names a destination can hold.
#[allow(dead_code, reason = "not every system has destinations of both kinds")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameRules {
    /// Whatever the file system accepts.
    Unix,
    /// Those of Windows, which also its file systems elsewhere accept silently in another form.
    Windows,
}

impl NameRules {
    /// The rules of a file system by the magic number that `statfs(2)` gives.
    #[cfg(target_os = "linux")]
    pub(super) fn of_linux_file_system(magic: u64) -> Self {
        const MSDOS: u64 = 0x4d44;
        const EXFAT: u64 = 0x2011_bab0;
        const NTFS: u64 = 0x5346_544e;
        const NTFS3: u64 = 0x7366_746e;
        const CIFS: u64 = 0xff53_4d42;
        const SMB2: u64 = 0xfe53_4d42;

        match magic {
            MSDOS | EXFAT | NTFS | NTFS3 | CIFS | SMB2 => Self::Windows,
            _ => Self::Unix,
        }
    }

    /// Whether a name, safe in itself, may be tried.
    pub(super) fn allow(self, name: &[u8]) -> bool {
        match self {
            Self::Unix => true,
            Self::Windows => std::str::from_utf8(name).is_ok_and(is_windows_name),
        }
    }
}

/// See "Naming Files, Paths, and Namespaces" in Microsoft's documentation of Win32.
fn is_windows_name(name: &str) -> bool {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

    const PORT_NUMBERS: [&str; 13] =
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "\u{b9}", "\u{b2}", "\u{b3}"];

    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let is_numbered_port = ["COM", "LPT"].iter().any(|port| {
        let (start, number) = stem.split_at_checked(3).unwrap_or_default();
        start.eq_ignore_ascii_case(port) && PORT_NUMBERS.contains(&number)
    });
    !(name.ends_with(['.', ' '])
        || name.contains(is_illegal_on_windows)
        || is_numbered_port
        || DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)))
}

fn is_illegal_on_windows(character: char) -> bool {
    character.is_ascii_control() || r#"<>:"/\|?*"#.contains(character)
}

/// The `number`th name an entry gets if its own was refused or is taken, legal everywhere: what is illegal as `%XX`,
/// shortened, and with the number behind.
pub(super) fn substitute(name: &[u8], number: u32) -> Vec<u8> {
    let mut legal = String::new();
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_illegal_on_windows(character) || character == '%' {
                escape(&mut legal, u32::from(character));
            } else {
                legal.push(character);
            }
        }
        for &byte in chunk.invalid() {
            escape(&mut legal, u32::from(byte));
        }
    }
    while legal.len() > MAX_SUBSTITUTE_BYTES {
        legal.pop();
    }
    if !is_windows_name(&legal) && legal.starts_with(|first: char| first.is_ascii_alphabetic()) {
        // The name of a device, or what Windows takes for one.
        let first = legal.remove(0);
        let rest = std::mem::take(&mut legal);
        escape(&mut legal, u32::from(first));
        legal.push_str(&rest);
    }
    format!("{legal}~{number}").into_bytes()
}

fn escape(text: &mut String, code: u32) {
    // Writing to a string cannot fail.
    let _ = write!(text, "%{code:02X}");
}
