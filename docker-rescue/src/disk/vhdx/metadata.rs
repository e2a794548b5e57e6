use std::num::NonZeroU64;

use super::regions::Region;
use super::replayed::ReplayedFile;
use super::unsupported;
use crate::disk::bytes::{Fields, read_vec};
use crate::disk::{Error, Guid, Result};

/// What the metadata region says of the guest disk ([MS-VHDX] 2.6).
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "units stand in names")]
pub(super) struct Metadata {
    /// A power of two, 1 MiB to 256 MiB.
    pub(super) block_bytes: NonZeroU64,
    /// At most 64 TiB.
    pub(super) disk_bytes: u64,
    /// 512 or 4096.
    pub(super) sector_bytes: u32,
}

const TABLE_LEN: u32 = 64 << 10;
const MAX_ENTRIES: usize = 2047;
const MAX_DISK_BYTES: u64 = 64 << 40;
const FILE_PARAMETERS: Guid = Guid::from_digits(0xcaa1_6737_fa36_4d43_b3b6_33f0_aa44_e76b);
const DISK_SIZE: Guid = Guid::from_digits(0x2fa5_4224_cd1b_4876_b211_5dbe_d83b_f4b8);
const SECTOR_SIZE: Guid = Guid::from_digits(0x8141_bf1d_a96f_4709_ba47_f233_a8fa_ab5f);
/// Items that reading the disk's bytes needs nothing of: the disk's id, the physical sector size.
const UNUSED: [Guid; 2] = [
    Guid::from_digits(0xbeca_12ab_b2e6_4523_93ef_c309_e000_c746),
    Guid::from_digits(0xcda3_48c7_445d_4471_9cc9_e988_5251_c556),
];
const PARENT_LOCATOR: Guid = Guid::from_digits(0xa8d3_5f2d_b30b_454d_abf7_d3d8_4834_ab0c);

/// Reads the items that say how large the disk and its blocks are.
///
/// ```text
///  0 "metadata"   10 number of entries
/// 32 entries of 32 bytes:   0 GUID   16 offset in the region   20 length   24 bit 2: required
/// ```
pub(super) fn read_metadata(file: &ReplayedFile, region: Region) -> Result<Metadata> {
    let corrupt = |detail: String| Error::corrupt("VHDX metadata table", region.offset, detail);
    let table = read_vec(file, "VHDX metadata table", region.offset, TABLE_LEN as usize)?;
    if table.array(0) != Some(*b"metadata") {
        return Err(corrupt("it does not begin with \"metadata\"".into()));
    }
    let count = table.le16(10).map(usize::from).filter(|count| *count <= MAX_ENTRIES);
    let count = count.ok_or_else(|| corrupt("it has too many entries".into()))?;
    let (mut parameters, mut disk_bytes, mut sector_bytes) = (None, None, None);
    for entry in table.get(32..).unwrap_or_default().chunks_exact(32).take(count) {
        let Some((guid, item)) = entry.array(0).map(Guid).zip(Item::parse(entry)) else { continue };
        match guid {
            FILE_PARAMETERS => parameters = Some(item.read::<8>(file, region)?),
            DISK_SIZE => disk_bytes = Some(u64::from_le_bytes(item.read(file, region)?)),
            SECTOR_SIZE => sector_bytes = Some(u32::from_le_bytes(item.read(file, region)?)),
            PARENT_LOCATOR => return Err(differencing()),
            guid if item.required && !UNUSED.contains(&guid) => {
                return Err(unsupported(format!("the VHDX metadata item {guid}")));
            }
            _ => {}
        }
    }
    let missing = |what| corrupt(format!("it has no {what}"));
    let [b0, b1, b2, b3, flags, ..] = parameters.ok_or_else(|| missing("file parameters"))?;
    if flags & 2 != 0 {
        return Err(differencing());
    }
    let block_bytes = u64::from(u32::from_le_bytes([b0, b1, b2, b3]));
    let valid_block =
        |bytes: &NonZeroU64| bytes.is_power_of_two() && (1 << 20..=256 << 20).contains(&bytes.get());
    let disk_bytes = disk_bytes.ok_or_else(|| missing("size of the disk"))?;
    let sector_bytes = sector_bytes.unwrap_or(512);
    if disk_bytes > MAX_DISK_BYTES {
        return Err(corrupt(format!("a disk of {disk_bytes} bytes, above the format's 64 TiB")));
    }
    if !matches!(sector_bytes, 512 | 4096) {
        return Err(corrupt(format!("sectors of {sector_bytes} bytes")));
    }
    let block_bytes = NonZeroU64::new(block_bytes)
        .filter(valid_block)
        .ok_or_else(|| corrupt(format!("blocks of {block_bytes} bytes")))?;
    Ok(Metadata { block_bytes, disk_bytes, sector_bytes })
}

fn differencing() -> Error {
    Error::Unsupported {
        feature: "a differencing VHDX, such as a Hyper-V checkpoint,".into(),
        advice: "merge the checkpoint with Hyper-V's Merge-VHD on a copy, or open its parent",
    }
}

/// Where a metadata item lies in its region.
struct Item {
    offset: u32,
    len: u32,
    required: bool,
}

impl Item {
    fn parse(entry: &[u8]) -> Option<Self> {
        Some(Self { offset: entry.le32(16)?, len: entry.le32(20)?, required: entry.le32(24)? & 4 != 0 })
    }

    fn read<const N: usize>(&self, file: &ReplayedFile, region: Region) -> Result<[u8; N]> {
        let offset = region.offset.saturating_add(u64::from(self.offset));
        let inside = self.offset.checked_add(self.len).is_some_and(|end| end <= region.len);
        if !inside || self.offset < TABLE_LEN || (self.len as usize) < N {
            return Err(Error::corrupt("VHDX metadata item", offset, "it does not lie where items belong"));
        }
        let bytes = read_vec(file, "VHDX metadata item", offset, N)?;
        bytes.array(0).ok_or_else(|| Error::corrupt("VHDX metadata item", offset, "it is cut off"))
    }
}
