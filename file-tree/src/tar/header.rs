//! Takes a header block apart.
//!
//! ```text
//! offset  bytes  field                         offset  bytes  field
//!      0    100  name                             257      8  magic and version
//!    100      8  mode                             265     32  owner's name
//!    108      8  uid                              297     32  group's name
//!    116      8  gid                              329      8  device major
//!    124     12  size                             337      8  device minor
//!    136     12  mtime                            345    155  prefix of the name (POSIX)
//!    148      8  checksum                         386     96  4 sparse ranges (GNU)
//!    156      1  type                             482      1  more sparse ranges follow (GNU)
//!    157    100  link target                      483     12  real size (GNU)
//! ```

use tar::{GnuSparseHeader, Header};

use super::{BLOCK_BYTES, number};
use crate::{DataRange, Device};

/// The fields of a header block that matter here.
#[derive(Debug)]
pub(super) struct RawHeader {
    pub(super) type_flag: u8,
    pub(super) path: Vec<u8>,
    pub(super) link_path: Vec<u8>,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) size: u64,
    pub(super) modified_seconds: i64,
    pub(super) rdev: Device,
    pub(super) old_sparse: Option<OldSparse>,
}

/// The map of a file with holes in GNU tar's own format.
#[derive(Debug)]
pub(super) struct OldSparse {
    pub(super) ranges: Vec<DataRange>,
    pub(super) is_continued: bool,
    pub(super) real_size: u64,
}

pub(super) fn is_zero(block: &[u8; BLOCK_BYTES]) -> bool {
    block.iter().all(|&byte| byte == 0)
}

/// Says which field is wrong.
pub(super) fn parse(block: &[u8; BLOCK_BYTES]) -> Result<RawHeader, &'static str> {
    let mut header = Header::new_old();
    header.as_mut_bytes().copy_from_slice(block);
    let old = header.as_old();
    if !has_valid_checksum(block, old.cksum) {
        return Err("the checksum is wrong");
    }
    let (gnu, ustar) = (header.as_gnu(), header.as_ustar());

    let mut path = text(&old.name).to_vec();
    if let Some(prefix) = ustar.map(|ustar| text(&ustar.prefix)).filter(|prefix| !prefix.is_empty()) {
        path = [prefix, b"/", path.as_slice()].concat();
    }
    let device = gnu
        .map(|gnu| (&gnu.dev_major, &gnu.dev_minor))
        .or(ustar.map(|ustar| (&ustar.dev_major, &ustar.dev_minor)));
    let number = |field: &[u8]| number::unsigned(field).and_then(|number| u32::try_from(number).ok());
    let type_flag = old.linkflag[0];
    let rdev = match device {
        Some((major, minor)) if matches!(type_flag, b'3' | b'4') => Device {
            major: number(major).ok_or("the device number is malformed")?,
            minor: number(minor).ok_or("the device number is malformed")?,
        },
        _ => Device::default(),
    };
    let old_sparse = match gnu {
        Some(gnu) if type_flag == b'S' => Some(OldSparse {
            ranges: ranges(&gnu.sparse).ok_or("the map of the holes is malformed")?,
            is_continued: gnu.isextended[0] != 0,
            real_size: number::unsigned(&gnu.realsize).ok_or("the real size is malformed")?,
        }),
        _ => None,
    };
    Ok(RawHeader {
        type_flag,
        path,
        link_path: text(&old.linkname).to_vec(),
        mode: number(&old.mode).ok_or("the mode is malformed")? & 0o7777,
        uid: number::unsigned(&old.uid).ok_or("the uid is malformed")?,
        gid: number::unsigned(&old.gid).ok_or("the gid is malformed")?,
        size: number::unsigned(&old.size).ok_or("the size is malformed")?,
        modified_seconds: number::signed(&old.mtime).ok_or("the time is malformed")?,
        rdev,
        old_sparse,
    })
}

/// A block that continues the map of an old sparse file: 21 ranges, and whether yet another follows.
pub(super) fn parse_sparse_continuation(block: &[u8; BLOCK_BYTES]) -> Option<(Vec<DataRange>, bool)> {
    let mut continuation = tar::GnuExtSparseHeader::new();
    continuation.as_mut_bytes().copy_from_slice(block);
    Some((ranges(continuation.sparse())?, continuation.isextended[0] != 0))
}

/// An unused slot of the map ends it.
fn ranges(slots: &[GnuSparseHeader]) -> Option<Vec<DataRange>> {
    slots
        .iter()
        .take_while(|slot| !slot.is_empty())
        .map(|slot| {
            Some(DataRange {
                offset: number::unsigned(&slot.offset)?,
                len: number::unsigned(&slot.numbytes)?,
            })
        })
        .collect()
}

/// The sum of all bytes, those of the checksum counted as spaces; some old writers summed signed bytes.
fn has_valid_checksum(block: &[u8; BLOCK_BYTES], field: [u8; 8]) -> bool {
    let Some(expected) = number::signed(&field) else { return false };
    let bytes =
        || block.iter().enumerate().map(|(at, &byte)| if (148..156).contains(&at) { b' ' } else { byte });
    let unsigned: i64 = bytes().map(i64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
    expected == unsigned || expected == signed
}

/// A field's bytes up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}
