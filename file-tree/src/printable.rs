use std::fmt::Write;

/// A path as text for people and for JSON: bytes that are not UTF-8 and control characters as `\xNN`, a
/// backslash as `\\`, so that no two paths look alike and none can play tricks on a terminal.
#[must_use]
pub fn printable(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                control if control.is_control() => {
                    let mut bytes = [0; 4];
                    escape(&mut text, control.encode_utf8(&mut bytes).as_bytes());
                }
                other => text.push(other),
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}
