use super::PAGE_SIZES;
use super::page::{HEADER_BYTES, u32_at, u64_at};

/// What a meta page says.
///
/// ```text
/// page header: 16 bytes
///  0 magic u32      4 version u32     8 page size u32    12 flags u32
/// 16 root bucket: page u64, sequence u64
/// 32 freelist u64  40 high water u64 48 transaction u64  56 FNV-1a-64 of the 56 bytes before
/// ```
#[derive(Debug, Clone, Copy)]
pub(super) struct Meta {
    pub(super) page_size_bytes: u32,
    pub(super) root_page: u64,
    pub(super) transaction: u64,
}

/// Why a page is no meta page.
#[derive(Debug, Clone)]
pub(super) enum Problem {
    Damaged(String),
    OtherVersion(u32),
}

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
const CHECKED_BYTES: usize = 56;

impl Meta {
    /// Reads the meta page at the start of `page`, which may be longer.
    pub(super) fn parse(page: &[u8]) -> Result<Self, Problem> {
        let damaged = |detail: &str| Problem::Damaged(detail.to_owned());
        let body = page.get(HEADER_BYTES..).ok_or_else(|| damaged("the file is too short"))?;
        let field = |at| u64_at(body, at).ok_or_else(|| damaged("the file is too short"));
        let (Some(magic), Some(version), Some(page_size_bytes)) =
            (u32_at(body, 0), u32_at(body, 4), u32_at(body, 8))
        else {
            return Err(damaged("the file is too short"));
        };
        if magic != MAGIC {
            return Err(damaged("no magic number"));
        }
        if version != VERSION {
            return Err(Problem::OtherVersion(version));
        }
        if body.get(..CHECKED_BYTES).map(fnv1a_64) != Some(field(56)?) {
            return Err(damaged("wrong checksum"));
        }
        if !PAGE_SIZES.contains(&page_size_bytes) {
            return Err(damaged("no possible page size"));
        }
        Ok(Self { page_size_bytes, root_page: field(16)?, transaction: field(48)? })
    }
}

fn fnv1a_64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
