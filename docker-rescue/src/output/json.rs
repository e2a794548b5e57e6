//! JSON on standard output.

use std::io::{self, Write, stdout};

use data_encoding::BASE64;
use docker_rescue::file_tree::printable;
use serde::Serialize;
use serde_json::{Map, Value};

/// One value, indented.
pub(crate) fn print<T: Serialize + ?Sized>(value: &T) -> io::Result<()> {
    let mut out = stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)
}

/// One value on one line: a list's element.
pub(crate) fn print_line<T: Serialize + ?Sized>(value: &T) -> io::Result<()> {
    let mut out = stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)
}

/// Inserts bytes as text, and in base64 beside it if they are not UTF-8, so that the text does not say all.
pub(crate) fn insert_bytes(object: &mut Map<String, Value>, key: &str, bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        object.insert(key.to_owned(), text.into());
    } else {
        object.insert(key.to_owned(), printable(bytes).into());
        object.insert(format!("{key}_base64"), BASE64.encode(bytes).into());
    }
}
