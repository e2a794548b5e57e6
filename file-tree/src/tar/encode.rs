//! Encodes the headers of a member: a ustar header, and before it a PAX one for what that cannot hold.

use tar::{EntryType, Header};

use super::{BLOCK_BYTES, number, pax};
use crate::timestamp::decimal;
use crate::{Attributes, Timestamp};

/// What is to be written of a member.
pub(super) struct Member<'a> {
    pub(super) entry_type: EntryType,
    pub(super) path: &'a [u8],
    /// Where a link points.
    pub(super) link_path: &'a [u8],
    /// How many bytes follow in the archive.
    pub(super) stored_bytes: u64,
    /// The size of a file whose holes are left out.
    pub(super) sparse_size: Option<u64>,
    pub(super) attributes: Attributes<'a>,
    pub(super) access_times: bool,
}

impl Member<'_> {
    /// The blocks that come before the content.
    pub(super) fn headers(&self) -> Vec<u8> {
        let records = self.records();
        let mut blocks = Vec::new();
        if !records.is_empty() {
            let mut header = Header::new_ustar();
            put_bytes(&mut header.as_old_mut().name, b"././@PaxHeader");
            number::put(&mut header.as_old_mut().mode, 0o644);
            finish(&mut header, EntryType::XHeader, records.len() as u64);
            blocks.extend_from_slice(header.as_bytes());
            blocks.extend_from_slice(&records);
            blocks.resize(blocks.len().next_multiple_of(BLOCK_BYTES), 0);
        }
        blocks.extend_from_slice(self.ustar().as_bytes());
        blocks
    }

    fn ustar(&self) -> Header {
        let metadata = self.attributes.metadata;
        let mut header = Header::new_ustar();
        let old = header.as_old_mut();
        match self.sparse_size {
            Some(_) => put_bytes(&mut old.name, &[b"GNUSparseFile.0/", self.path].concat()),
            None => put_bytes(&mut old.name, self.path),
        }
        put_bytes(&mut old.linkname, self.link_path);
        number::put(&mut old.mode, u64::from(metadata.mode & 0o7777));
        // What the field cannot hold stands in the PAX header.
        let or_zero = |value: u64, len| if number::fits_octal(value, len) { value } else { 0 };
        number::put(&mut old.uid, or_zero(metadata.uid.into(), 8));
        number::put(&mut old.gid, or_zero(metadata.gid.into(), 8));
        let seconds = u64::try_from(metadata.modified.seconds).unwrap_or(0);
        number::put(&mut old.mtime, or_zero(seconds, 12));
        if let Some(ustar) = header.as_ustar_mut() {
            number::put(&mut ustar.dev_major, metadata.rdev.major.into());
            number::put(&mut ustar.dev_minor, metadata.rdev.minor.into());
        }
        finish(&mut header, self.entry_type, or_zero(self.stored_bytes, 12));
        header
    }

    fn records(&self) -> Vec<u8> {
        let metadata = self.attributes.metadata;
        let mut records = Vec::new();
        let mut push = |key: &str, value: &[u8]| pax::push(&mut records, key.as_bytes(), value);

        if [self.path, self.link_path].iter().any(|path| std::str::from_utf8(path).is_err()) {
            push("hdrcharset", b"BINARY");
        }
        match self.sparse_size {
            Some(size) => {
                push("GNU.sparse.major", b"1");
                push("GNU.sparse.minor", b"0");
                push("GNU.sparse.name", self.path);
                push("GNU.sparse.realsize", size.to_string().as_bytes());
            }
            None if !fits_name(self.path) => push("path", self.path),
            None => {}
        }
        if !fits_name(self.link_path) {
            push("linkpath", self.link_path);
        }
        for (key, value, field_len) in [
            ("size", self.stored_bytes, 12),
            ("uid", metadata.uid.into(), 8),
            ("gid", metadata.gid.into(), 8),
        ] {
            if !number::fits_octal(value, field_len) {
                push(key, value.to_string().as_bytes());
            }
        }
        if !fits_mtime(metadata.modified) {
            push("mtime", decimal(metadata.modified).as_bytes());
        }
        if self.access_times {
            push("atime", decimal(metadata.accessed).as_bytes());
            push("ctime", decimal(metadata.changed).as_bytes());
        }
        for xattr in self.attributes.xattrs {
            pax::push(&mut records, &pax::xattr_key(&xattr.name), &xattr.value);
        }
        records
    }
}

fn fits_name(path: &[u8]) -> bool {
    path.len() <= 100 && path.is_ascii()
}

fn fits_mtime(time: Timestamp) -> bool {
    time.nanoseconds == 0 && u64::try_from(time.seconds).is_ok_and(|seconds| number::fits_octal(seconds, 12))
}

/// Copies as much as the field takes.
fn put_bytes(field: &mut [u8], bytes: &[u8]) {
    for (to, from) in field.iter_mut().zip(bytes) {
        *to = *from;
    }
}

fn finish(header: &mut Header, entry_type: EntryType, size: u64) {
    number::put(&mut header.as_old_mut().size, size);
    header.set_entry_type(entry_type);
    header.set_cksum();
}
