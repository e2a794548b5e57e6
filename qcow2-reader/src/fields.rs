use std::borrow::Cow;

use nom::number::complete::{be_u8, be_u32, be_u64};
use nom::{IResult, Parser};

use crate::error::Corrupt;
use crate::features::{self, Features};
use crate::geometry::{EntryWidth, Geometry};
use crate::l1::L1Table;
use crate::units::{HostOffset, len};
use crate::{Error, Result};

/// The fields of the header that concern a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) version: u32,
    pub(crate) backing_offset: u64,
    backing_len: u32,
    cluster_bits: u32,
    pub(crate) virtual_size: u64,
    pub(crate) crypt_method: u32,
    pub(crate) l1: L1Table,
    pub(crate) snapshot_count: u32,
    pub(crate) features: Features,
    pub(crate) header_bytes: u32,
    pub(crate) compression_type: u8,
}

const MAGIC: u32 = 0x5146_49fb;
/// A version 2 header; one of version 3 is longer.
const V2_BYTES: u32 = 72;
const V3_BYTES: u32 = 104;
/// The specification's limit on the name of a backing file.
const BACKING_NAME_BYTES: u32 = 1023;

impl Fields {
    /// A read of so many bytes from the start of an image has all fields.
    pub(crate) const BYTES: u64 = 112;

    /// Parses and checks the fields; `input` may end right behind them.
    pub(crate) fn parse(input: &[u8]) -> Result<Self> {
        let truncated = |_| corrupt(0, "the file ends within the header");
        let (input, (magic, version)) = magic_and_version(input).map_err(|_| Error::NotQcow2)?;
        if magic != MAGIC {
            return Err(Error::NotQcow2);
        }
        if !matches!(version, 2 | 3) {
            return Err(Error::Unsupported(format!("qcow version {version}")));
        }
        let (input, mut fields) = fields_v2(input, version).map_err(truncated)?;
        if version == 3 {
            fields_v3(input, &mut fields).map_err(truncated)?;
        }
        fields.check()?;
        Ok(fields)
    }

    pub(crate) fn geometry(&self) -> Geometry {
        let extended = self.features.incompatible & features::EXTENDED_L2 != 0;
        let entry = if extended { EntryWidth::Extended } else { EntryWidth::Standard };
        Geometry::new(self.cluster_bits, entry)
    }

    fn check(&self) -> Result<()> {
        let bits = Geometry::CLUSTER_BITS;
        if self.cluster_bits < *bits.start() {
            return Err(corrupt(20, format!("cluster_bits is {}, at least 9 is needed", self.cluster_bits)));
        }
        if self.cluster_bits > *bits.end() {
            let (needed, allowed) = (self.cluster_bits.into(), (*bits.end()).into());
            return Err(Error::Limit { what: "cluster_bits", needed, allowed });
        }
        let extended = self.geometry().entry() == EntryWidth::Extended;
        if extended && self.cluster_bits < 14 {
            return Err(corrupt(20, "clusters below 16 KiB cannot have subclusters"));
        }
        // Keeps every sum of a guest offset and a length within 64 bits.
        let allowed = i64::MAX.unsigned_abs();
        if self.virtual_size > allowed {
            return Err(Error::Limit { what: "virtual size in bytes", needed: self.virtual_size, allowed });
        }
        let least = if self.version == 2 { V2_BYTES } else { V3_BYTES };
        if self.header_bytes < least || u64::from(self.header_bytes) > self.geometry().cluster_bytes() {
            return Err(corrupt(100, format!("the header has {} bytes", self.header_bytes)));
        }
        if !self.l1.offset.is_aligned(self.geometry().cluster_bytes()) {
            return Err(corrupt(
                40,
                format!("the L1 table at {} is not aligned to a cluster", self.l1.offset.0),
            ));
        }
        Ok(())
    }

    pub(crate) fn backing_name(&self, first_cluster: &[u8]) -> Result<Option<Vec<u8>>> {
        if self.backing_offset == 0 || self.backing_len == 0 {
            return Ok(None);
        }
        if self.backing_len > BACKING_NAME_BYTES {
            return Err(corrupt(16, format!("the backing file's name has {} bytes", self.backing_len)));
        }
        let name = first_cluster
            .get(len(self.backing_offset)..)
            .and_then(|rest| rest.get(..len(self.backing_len.into())));
        match name {
            Some(name) => Ok(Some(name.to_vec())),
            None => Err(corrupt(8, "the backing file's name lies outside the first cluster")),
        }
    }
}

fn corrupt(offset: u64, detail: impl Into<Cow<'static, str>>) -> Error {
    Corrupt::new("header", offset, detail).into()
}

fn magic_and_version(input: &[u8]) -> IResult<&[u8], (u32, u32)> {
    (be_u32, be_u32).parse(input)
}

/// ```text
///  8  backing file name: offset    36  L1 table: entries    60  snapshots: count
/// 16  backing file name: length    40  L1 table: offset     64  snapshots: offset
/// 20  cluster_bits                 48  refcount table: offset
/// 24  virtual size in bytes        56  refcount table: clusters
/// 32  crypt_method
/// ```
fn fields_v2(input: &[u8], version: u32) -> IResult<&[u8], Fields> {
    let (input, (backing_offset, backing_len, cluster_bits)) = (be_u64, be_u32, be_u32).parse(input)?;
    let (input, (virtual_size, crypt_method)) = (be_u64, be_u32).parse(input)?;
    let (input, (l1_entries, l1_offset)) = (be_u32, be_u64).parse(input)?;
    let (input, (_refcounts_offset, _refcount_clusters)) = (be_u64, be_u32).parse(input)?;
    let (input, (snapshot_count, _snapshots_offset)) = (be_u32, be_u64).parse(input)?;
    let fields = Fields {
        version,
        backing_offset,
        backing_len,
        cluster_bits,
        virtual_size,
        crypt_method,
        l1: L1Table { offset: HostOffset(l1_offset), entries: l1_entries },
        snapshot_count,
        features: Features::default(),
        header_bytes: V2_BYTES,
        compression_type: 0,
    };
    Ok((input, fields))
}

/// ```text
/// 72  incompatible features        96  refcount_order
/// 80  compatible features         100  header length in bytes
/// 88  autoclear features          104  compression type, if the header is that long
/// ```
fn fields_v3<'a>(input: &'a [u8], fields: &mut Fields) -> IResult<&'a [u8], ()> {
    let (input, (incompatible, _compatible, autoclear)) = (be_u64, be_u64, be_u64).parse(input)?;
    let (input, (_refcount_order, header_bytes)) = (be_u32, be_u32).parse(input)?;
    fields.features = Features { incompatible, autoclear };
    fields.header_bytes = header_bytes;
    if header_bytes <= V3_BYTES {
        return Ok((input, ()));
    }
    let (input, compression_type) = be_u8(input)?;
    fields.compression_type = compression_type;
    Ok((input, ()))
}
