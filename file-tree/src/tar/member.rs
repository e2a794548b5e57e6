//! What the headers of a member mean together.

use super::acl;
use super::extended::Extended;
use super::header::RawHeader;
use crate::{FileKind, Metadata, Timestamp, Xattr};

/// What an archive says of a member. Its content is read by [`TarReader::read_content`](super::TarReader::read_content).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TarMember {
    /// The path as it stands in the archive, which may be absolute or contain `..`.
    pub path: Vec<u8>,
    /// What the member is.
    pub kind: MemberKind,
    /// The target of a symbolic link, or the path of the file another name is for; else empty.
    pub link_path: Vec<u8>,
    /// Owner, mode, size and times. The kind is that of [`kind`](Self::kind), a regular file where that has none.
    pub metadata: Metadata,
    /// The extended attributes.
    pub xattrs: Vec<Xattr>,
    /// An ACL that could not be understood, as it names users instead of numbers.
    pub foreign_acl: Option<String>,
    /// Where its first header begins, in bytes from the start of the archive.
    pub offset: u64,
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberKind {
    /// A file of this kind.
    File(FileKind),
    /// Another name of a file that came before.
    HardLink,
    /// A type that no standard knows: its type byte.
    Unknown(u8),
}

impl MemberKind {
    pub(super) fn new(type_flag: u8, path: &[u8]) -> Self {
        Self::File(match type_flag {
            // Before POSIX a directory was known by its name alone.
            b'0' | 0 | b'7' if path.ends_with(b"/") => FileKind::Directory,
            b'0' | 0 | b'7' | b'S' => FileKind::Regular,
            b'1' => return Self::HardLink,
            b'2' => FileKind::Symlink,
            b'3' => FileKind::CharDevice,
            b'4' => FileKind::BlockDevice,
            // A directory of GNU tar's incremental archives has a list of names as content.
            b'5' | b'D' => FileKind::Directory,
            b'6' => FileKind::Fifo,
            other => return Self::Unknown(other),
        })
    }
}

/// How many bytes of content follow a header. Those that have none sometimes state a size all the same.
pub(super) fn stored_bytes(type_flag: u8, size: u64) -> u64 {
    match type_flag {
        b'1'..=b'6' => 0,
        _ => size,
    }
}

pub(super) fn metadata(
    kind: MemberKind,
    size: u64,
    header: &RawHeader,
    extended: &Extended,
) -> Option<Metadata> {
    let kind = match kind {
        MemberKind::File(kind) => kind,
        MemberKind::HardLink | MemberKind::Unknown(_) => FileKind::Regular,
    };
    let seconds = Timestamp { seconds: header.modified_seconds, nanoseconds: 0 };
    let modified = extended.modified.unwrap_or(seconds);
    Some(Metadata {
        mode: header.mode,
        uid: extended.uid.unwrap_or(header.uid).try_into().ok()?,
        gid: extended.gid.unwrap_or(header.gid).try_into().ok()?,
        size,
        rdev: header.rdev,
        modified,
        accessed: extended.accessed.unwrap_or(modified),
        changed: extended.changed.unwrap_or(modified),
        ..Metadata::new(kind)
    })
}

/// The extended attributes, ACLs in text form translated.
pub(super) fn xattrs(extended: Extended) -> (Vec<Xattr>, Option<String>) {
    let mut xattrs = extended.xattrs;
    let mut foreign = None;
    for (name, text) in [
        (&b"system.posix_acl_access"[..], extended.access_acl),
        (&b"system.posix_acl_default"[..], extended.default_acl),
    ] {
        let Some(text) = text.filter(|_| !xattrs.contains_key(name)) else { continue };
        if let Some(value) = acl::from_text(&text) {
            xattrs.insert(name.to_vec(), value);
        } else {
            foreign = Some(crate::printable(&text));
        }
    }
    (xattrs.into_iter().map(|(name, value)| Xattr { name, value }).collect(), foreign)
}
