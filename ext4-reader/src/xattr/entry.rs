use crate::bytes::{Fields, to_usize};
use crate::{Error, Result};

/// An attribute's entry:
///
/// ```text
/// 0  length of the name   1  namespace   2  offset of the value   4  inode of the value, or 0
/// 8  length of the value   12  hash   16  the name, without its namespace; then padding to a multiple of 4
/// ```
pub(super) struct Entry<'a> {
    namespace: u8,
    name: &'a [u8],
    value_offset: u16,
    pub(super) value_inode: u32,
    pub(super) value_len: u32,
}

const ENTRY_LEN: usize = 16;
const NAMESPACE_ACL_ACCESS: u8 = 2;
const NAMESPACE_ACL_DEFAULT: u8 = 3;
const NAMESPACE_SYSTEM: u8 = 7;

impl Entry<'_> {
    /// The name as `listxattr(2)` gives it. `None` for what the kernel does not list: unknown namespaces, and the inline
    /// content of the file.
    pub(super) fn full_name(&self) -> Option<Vec<u8>> {
        let namespace: &[u8] = match self.namespace {
            1 => b"user.",
            NAMESPACE_ACL_ACCESS => b"system.posix_acl_access",
            NAMESPACE_ACL_DEFAULT => b"system.posix_acl_default",
            4 => b"trusted.",
            6 => b"security.",
            NAMESPACE_SYSTEM if !self.is_inline_data() => b"system.",
            8 => b"system.richacl",
            _ => return None,
        };
        Some([namespace, self.name].concat())
    }

    pub(super) fn is_acl(&self) -> bool {
        matches!(self.namespace, NAMESPACE_ACL_ACCESS | NAMESPACE_ACL_DEFAULT)
    }

    pub(super) fn is_inline_data(&self) -> bool {
        self.namespace == NAMESPACE_SYSTEM && self.name == b"data"
    }
}

/// Where entries and their values lie.
pub(super) struct Place<'a> {
    pub(super) structure: &'static str,
    pub(super) bytes: &'a [u8],
    /// Where the first entry begins in `bytes`.
    pub(super) entries_at: usize,
    /// From where in `bytes` the offsets of values count.
    pub(super) values_at: usize,
    /// Where `bytes` lies in the source.
    pub(super) offset: u64,
}

impl<'a> Place<'a> {
    /// The entries up to the first word of zeros or the end. After an `Err` there is no more.
    pub(super) fn entries(&self) -> impl Iterator<Item = Result<Entry<'a>>> + '_ {
        let mut position = Some(self.entries_at);
        std::iter::from_fn(move || {
            let at = position.take()?;
            let fields = Fields(self.bytes.get(at..)?);
            if fields.u32(0) == 0 {
                return None;
            }
            let name_len = usize::from(fields.u8(0));
            let Some(name) = fields.slice(ENTRY_LEN, name_len) else {
                return Some(Err(self.corrupt("an entry leaves it")));
            };
            position = Some(at.saturating_add(ENTRY_LEN).saturating_add(name_len.next_multiple_of(4)));
            Some(Ok(Entry {
                namespace: fields.u8(1),
                name,
                value_offset: fields.u16(2),
                value_inode: fields.u32(4),
                value_len: fields.u32(8),
            }))
        })
    }

    pub(super) fn value(&self, entry: &Entry<'_>) -> Result<&'a [u8]> {
        let at = self.values_at.saturating_add(entry.value_offset.into());
        let value = Fields(self.bytes).slice(at, to_usize(entry.value_len.into()));
        value.ok_or_else(|| self.corrupt("a value leaves it"))
    }

    pub(super) fn corrupt(&self, detail: &'static str) -> Error {
        Error::corrupt(self.structure, self.offset, detail)
    }
}
