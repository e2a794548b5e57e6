use std::sync::Arc;

use crate::codec::CodecPool;
use crate::error::Corrupt;
use crate::geometry::Geometry;
use crate::header::Compression;
use crate::recent::Recent;
use crate::source::{Measured, ReadAt};
use crate::units::{GuestOffset, HostOffset, len};
use crate::{Error, Result};

/// The L2 entry of a compressed cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CompressedEntry(pub(crate) u64);

impl CompressedEntry {
    /// Where the compressed bytes begin, and how many there are up to the end of their last sector; the stream
    /// may end before. Other clusters may lie in the same sectors.
    ///
    /// ```text
    /// 61..x                                  x-1..0                x = 70 - cluster_bits
    /// sectors of 512 bytes after the first   host offset, in bytes
    /// ```
    fn range(self, cluster_bits: u32) -> (HostOffset, u64) {
        let offset_bits = 70_u32.wrapping_sub(cluster_bits);
        let host = self.0 & 1_u64.wrapping_shl(offset_bits).wrapping_sub(1);
        let more_sectors = (self.0 & ((1 << 62) - 1)).wrapping_shr(offset_bits);
        let sectors_bytes = more_sectors.saturating_add(1).saturating_mul(512);
        (HostOffset(host), sectors_bytes.saturating_sub(host & 511))
    }
}

/// Reads compressed clusters and remembers the last ones, so that reading one bit by bit decodes it once.
pub(crate) struct CompressedClusters {
    cluster_bits: u32,
    cluster_bytes: usize,
    codecs: CodecPool,
    recent: Recent,
}

impl CompressedClusters {
    pub(crate) fn new(compression: Compression, geometry: Geometry, budget_bytes: u64) -> Self {
        let cluster_bytes = geometry.cluster_bytes();
        Self {
            cluster_bits: geometry.cluster_bits(),
            cluster_bytes: len(cluster_bytes),
            codecs: CodecPool::new(compression),
            recent: Recent::new(len(budget_bytes.checked_div(cluster_bytes).unwrap_or(0))),
        }
    }

    /// Fills `buf` with the content of a cluster from `in_cluster` on, which is where `guest` lies.
    pub(crate) fn read<S: ReadAt>(
        &self,
        image: &Measured<S>,
        entry: CompressedEntry,
        in_cluster: u64,
        buf: &mut [u8],
        guest: GuestOffset,
    ) -> Result<()> {
        let cluster = match self.recent.find(entry) {
            Some(cluster) => cluster,
            None if buf.len() == self.cluster_bytes => return self.decode(image, entry, buf, guest),
            None => {
                let mut cluster = vec![0; self.cluster_bytes];
                self.decode(image, entry, &mut cluster, guest)?;
                let cluster = Arc::new(cluster);
                self.recent.insert(entry, Arc::clone(&cluster));
                cluster
            }
        };
        let content = cluster.get(len(in_cluster)..).and_then(|rest| rest.get(..buf.len()));
        buf.copy_from_slice(content.unwrap_or_default());
        Ok(())
    }

    fn decode<S: ReadAt>(
        &self,
        image: &Measured<S>,
        entry: CompressedEntry,
        cluster: &mut [u8],
        guest: GuestOffset,
    ) -> Result<()> {
        const STRUCTURE: &str = "compressed cluster";
        let (host, sectors_bytes) = entry.range(self.cluster_bits);
        let corrupt = |detail| Error::from(Corrupt::new(STRUCTURE, host.0, detail).at_guest(guest));
        // The last sector need not be in the file whole: writers do not pad it.
        let in_file = sectors_bytes.min(image.bytes_after(host));
        if in_file == 0 {
            return Err(corrupt("the cluster lies beyond the end of the file"));
        }
        let mut codec = self.codecs.take()?;
        image.read(codec.input(len(in_file)), host, STRUCTURE)?;
        let decoded = codec.decode(len(in_file), cluster);
        self.codecs.give_back(codec);
        decoded.map_err(corrupt)
    }
}
