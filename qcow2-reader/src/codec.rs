use std::sync::{Mutex, PoisonError};

use flate2::{Decompress, FlushDecompress};

use crate::header::Compression;
use crate::{Error, Result};

/// Codecs that are not in use. A codec's state is large, and each thread needs its own.
pub(crate) struct CodecPool {
    compression: Compression,
    idle: Mutex<Vec<Codec>>,
}

/// Decodes clusters, one after the other.
pub(crate) struct Codec {
    input: Vec<u8>,
    algorithm: Algorithm,
}

enum Algorithm {
    Zlib(Decompress),
    #[cfg(feature = "zstd")]
    Zstd(zstd::bulk::Decompressor<'static>),
}

/// Why a cluster cannot be decoded.
type Defect = &'static str;

impl CodecPool {
    /// More threads than these at once make a codec anew each time.
    const IDLE_AT_MOST: usize = 16;

    pub(crate) fn new(compression: Compression) -> Self {
        Self { compression, idle: Mutex::new(Vec::new()) }
    }

    pub(crate) fn take(&self) -> Result<Codec> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| Codec::new(self.compression), Ok)
    }

    pub(crate) fn give_back(&self, codec: Codec) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < Self::IDLE_AT_MOST {
            idle.push(codec);
        }
    }
}

impl Codec {
    fn new(compression: Compression) -> Result<Self> {
        let algorithm = match compression {
            Compression::Zlib => Algorithm::Zlib(Decompress::new(false)),
            #[cfg(feature = "zstd")]
            Compression::Zstd => Algorithm::Zstd(zstd::bulk::Decompressor::default()),
            #[cfg(not(feature = "zstd"))]
            Compression::Zstd => {
                return Err(Error::Unsupported("zstd compression, in a build without it,".into()));
            }
            Compression::Unknown(other) => {
                return Err(Error::Unsupported(format!("compression type {other}")));
            }
        };
        Ok(Self { input: Vec::new(), algorithm })
    }

    /// Where to put the compressed bytes.
    pub(crate) fn input(&mut self, len: usize) -> &mut [u8] {
        if self.input.len() < len {
            self.input.resize(len, 0);
        }
        self.input.get_mut(..len).unwrap_or_default()
    }

    /// Decodes the first `len` bytes of the input. They must fill `cluster`; what follows is of no account.
    pub(crate) fn decode(&mut self, len: usize, cluster: &mut [u8]) -> Result<(), Defect> {
        let input = self.input.get(..len).unwrap_or_default();
        match &mut self.algorithm {
            Algorithm::Zlib(zlib) => inflate(zlib, input, cluster),
            #[cfg(feature = "zstd")]
            Algorithm::Zstd(zstd) => decode_frames(zstd, input, cluster),
        }
    }
}

/// A raw deflate stream. Like qemu, this does not ask for its final block once the cluster is full.
fn inflate(zlib: &mut Decompress, input: &[u8], cluster: &mut [u8]) -> Result<(), Defect> {
    zlib.reset(false);
    zlib.decompress(input, cluster, FlushDecompress::Finish).map_err(|_| "the deflate stream is damaged")?;
    if zlib.total_out() == crate::units::bytes(cluster.len()) {
        Ok(())
    } else {
        Err("it decodes to less than a cluster")
    }
}

/// Zstandard frames up to the one that fills the cluster. Decoding at once and not as a stream needs no
/// window, whose size would come from the image.
#[cfg(feature = "zstd")]
fn decode_frames(
    zstd: &mut zstd::bulk::Decompressor<'_>,
    mut input: &[u8],
    mut cluster: &mut [u8],
) -> Result<(), Defect> {
    const DAMAGED: Defect = "the zstd frames are damaged or not one cluster long";
    while !cluster.is_empty() {
        let frame_len = zstd::zstd_safe::find_frame_compressed_size(input).map_err(|_| DAMAGED)?;
        let (frame, rest) = input.split_at_checked(frame_len).ok_or(DAMAGED)?;
        let count = zstd.decompress_to_buffer(frame, cluster).map_err(|_| DAMAGED)?;
        cluster = cluster.get_mut(count..).unwrap_or_default();
        input = rest;
    }
    Ok(())
}
