/// Whether a name is one file name and nothing else: not empty, not `.` or `..`, without `/` and NUL.
pub(crate) fn is_safe(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}
