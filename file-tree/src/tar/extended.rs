//! What PAX records say of a member.

use std::collections::BTreeMap;

use super::{number, pax};
use crate::{DataRange, Timestamp, timestamp};

/// The meaning of the records of one extended header, or of several one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link_path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) modified: Option<Timestamp>,
    pub(super) accessed: Option<Timestamp>,
    pub(super) changed: Option<Timestamp>,
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// ACLs in the textual form of `acl_to_text(3)`, as GNU tar and star write them.
    pub(super) access_acl: Option<Vec<u8>>,
    pub(super) default_acl: Option<Vec<u8>>,
    pub(super) sparse: SparseRecords,
}

/// The records of GNU tar's three sparse formats.
#[derive(Debug, Clone, Default)]
pub(super) struct SparseRecords {
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    /// The map of formats 0.0 and 0.1.
    pub(super) ranges: Vec<DataRange>,
    /// In format 0.0, an offset whose length is still to come.
    offset: Option<u64>,
    is_present: bool,
}

impl Extended {
    /// Adds the records of a header; of equal ones the last counts. Says what is wrong if they are malformed.
    pub(super) fn add(&mut self, records: &[u8]) -> Result<(), &'static str> {
        for (key, value) in pax::parse(records).ok_or("a record is malformed")? {
            self.add_record(key, value).ok_or("a record's value is malformed")?;
        }
        Ok(())
    }

    /// Whether it says something that can only be true of one member.
    pub(super) fn names_one_member(&self) -> bool {
        self.path.is_some() || self.link_path.is_some() || self.size.is_some() || self.sparse.is_present
    }

    fn add_record(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        if let Some(name) = pax::xattr_name(key) {
            self.xattrs.insert(name, value.to_vec());
            return Some(());
        }
        if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
            self.sparse.is_present = true;
            return self.sparse.add_record(key, value);
        }
        // An empty value takes back what was said before.
        let value = Some(value).filter(|value| !value.is_empty());
        match key {
            b"path" => self.path = value.map(<[u8]>::to_vec),
            b"linkpath" => self.link_path = value.map(<[u8]>::to_vec),
            b"size" => set(&mut self.size, value, number::decimal)?,
            b"uid" => set(&mut self.uid, value, number::decimal)?,
            b"gid" => set(&mut self.gid, value, number::decimal)?,
            b"mtime" => set(&mut self.modified, value, timestamp::parse)?,
            b"atime" => set(&mut self.accessed, value, timestamp::parse)?,
            b"ctime" => set(&mut self.changed, value, timestamp::parse)?,
            b"SCHILY.acl.access" => self.access_acl = value.map(<[u8]>::to_vec),
            b"SCHILY.acl.default" => self.default_acl = value.map(<[u8]>::to_vec),
            // Comments, names of users, character sets: values are bytes here in any case.
            _ => {}
        }
        Some(())
    }
}

impl SparseRecords {
    fn add_record(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"major" => self.major = Some(number::decimal(value)?),
            b"minor" => self.minor = Some(number::decimal(value)?),
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.real_size = Some(number::decimal(value)?),
            b"numblocks" => self.ranges.clear(),
            b"offset" => self.offset = Some(number::decimal(value)?),
            b"numbytes" => {
                let range = DataRange { offset: self.offset.take()?, len: number::decimal(value)? };
                self.ranges.push(range);
            }
            b"map" => {
                let numbers =
                    value.split(|&byte| byte == b',').map(number::decimal).collect::<Option<Vec<_>>>()?;
                let (pairs, []) = numbers.as_chunks::<2>() else { return None };
                self.ranges = pairs.iter().map(|&[offset, len]| DataRange { offset, len }).collect();
            }
            _ => {}
        }
        Some(())
    }

    /// Whether the member is a file with holes.
    pub(super) fn is_present(&self) -> bool {
        self.is_present
    }
}

/// Sets what a value says; `None` if it is malformed.
fn set<T>(to: &mut Option<T>, value: Option<&[u8]>, parse: impl Fn(&[u8]) -> Option<T>) -> Option<()> {
    *to = match value {
        None => None,
        Some(value) => Some(parse(value)?),
    };
    Some(())
}
