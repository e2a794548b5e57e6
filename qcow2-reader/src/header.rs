use crate::extension::Extensions;
use crate::features;
use crate::fields::Fields;
use crate::geometry::Geometry;
use crate::source::{Measured, ReadAt};
use crate::units::{HostOffset, len};
use crate::{Error, Result};

/// What the first cluster of an image tells of it.
///
/// [`Header::read`] needs no other file, so that a caller learns here which backing file or data file an
/// image names before opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub(crate) fields: Fields,
    extensions: Extensions,
    backing_name: Option<Vec<u8>>,
}

/// How the compressed clusters of an image are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Raw deflate, RFC 1951.
    Zlib,
    /// Zstandard, RFC 8878.
    Zstd,
    /// A type that this crate does not know; such clusters cannot be read, others can.
    Unknown(u8),
}

/// How the content of an image is encrypted. This crate reads no encrypted images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encryption {
    /// AES-CBC as qemu once had it.
    Aes,
    /// LUKS, version 1.
    Luks,
    /// A method that this crate does not know.
    Unknown(u32),
}

impl Header {
    /// Reads the header of an image.
    pub fn read<S: ReadAt + ?Sized>(image: &S) -> Result<Self> {
        Self::read_measured(&Measured::new(image, "image")?)
    }

    pub(crate) fn read_measured<S: ReadAt>(image: &Measured<S>) -> Result<Self> {
        let mut start = vec![0; len(image.size.min(Fields::BYTES))];
        image.read(&mut start, HostOffset(0), "header")?;
        let cluster_bytes = Fields::parse(&start)?.geometry().cluster_bytes();
        let mut cluster = vec![0; len(image.size.min(cluster_bytes))];
        image.read(&mut cluster, HostOffset(0), "header")?;
        Self::parse(&cluster)
    }

    /// Parses the first cluster of an image, or as much of it as the image has.
    pub fn parse(first_cluster: &[u8]) -> Result<Self> {
        let fields = Fields::parse(first_cluster)?;
        let header_bytes = len(fields.header_bytes.into());
        // The name of the backing file follows the extensions, which need not have an end mark then.
        let area_end = match fields.backing_offset {
            0 => first_cluster.len(),
            offset => len(offset).min(first_cluster.len()),
        };
        let area = first_cluster.get(header_bytes..area_end).unwrap_or_default();
        Ok(Self {
            backing_name: fields.backing_name(first_cluster)?,
            extensions: Extensions::parse(area),
            fields,
        })
    }

    /// The version of the format: 2 or 3.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.fields.version
    }

    /// The size of the guest's disk, in bytes.
    #[must_use]
    pub fn virtual_size(&self) -> u64 {
        self.fields.virtual_size
    }

    /// The size of a cluster, in bytes: a power of two from 512 to 2 MiB.
    #[must_use]
    pub fn cluster_bytes(&self) -> u64 {
        self.geometry().cluster_bytes()
    }

    /// The name of the backing file, as the writer gave it: usually a path, relative to the image's folder if
    /// it is not absolute, but qemu knows others such as `json:{...}`. It comes from the image and is as
    /// trustworthy as the image is.
    #[must_use]
    pub fn backing_name(&self) -> Option<&[u8]> {
        self.backing_name.as_deref()
    }

    /// The format of the backing file, such as `raw` or `qcow2`. Where an image does not tell it, do not guess:
    /// a guest can write a qcow2 header into its raw disk.
    #[must_use]
    pub fn backing_format(&self) -> Option<&str> {
        self.extensions.backing_format.as_deref()
    }

    /// Whether the guest's data lies in an external data file.
    #[must_use]
    pub fn has_data_file(&self) -> bool {
        self.is_set(features::DATA_FILE)
    }

    /// The name of the external data file, if the image tells it. Unlike a backing file's, qemu takes a relative
    /// one from the current folder. It is as trustworthy as the image is.
    #[must_use]
    pub fn data_file_name(&self) -> Option<&[u8]> {
        self.extensions.data_file_name.as_deref()
    }

    /// Whether the data file, read as a raw image, shows the same disk as this image.
    #[must_use]
    pub fn is_data_file_raw(&self) -> bool {
        self.has_data_file() && self.fields.features.autoclear & features::DATA_FILE_RAW != 0
    }

    /// Whether the image was not closed properly, as when its virtual machine was killed. Its refcounts are
    /// stale then, which does not concern a reader.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.is_set(features::DIRTY)
    }

    /// Whether a writer noticed damage in the image's metadata and marked it.
    #[must_use]
    pub fn is_marked_corrupt(&self) -> bool {
        self.is_set(features::CORRUPT)
    }

    /// Whether clusters have subclusters with a state of their own.
    #[must_use]
    pub fn has_extended_l2(&self) -> bool {
        self.is_set(features::EXTENDED_L2)
    }

    /// How compressed clusters, if there are any, are compressed.
    #[must_use]
    pub fn compression(&self) -> Compression {
        match self.fields.compression_type {
            _ if !self.is_set(features::COMPRESSION) => Compression::Zlib,
            0 => Compression::Zlib,
            1 => Compression::Zstd,
            other => Compression::Unknown(other),
        }
    }

    /// How the guest's data is encrypted, if it is.
    #[must_use]
    pub fn encryption(&self) -> Option<Encryption> {
        match self.fields.crypt_method {
            0 => None,
            1 => Some(Encryption::Aes),
            2 => Some(Encryption::Luks),
            other => Some(Encryption::Unknown(other)),
        }
    }

    /// How many internal snapshots the image has besides its active state.
    #[must_use]
    pub fn snapshot_count(&self) -> u32 {
        self.fields.snapshot_count
    }

    pub(crate) fn geometry(&self) -> Geometry {
        self.fields.geometry()
    }

    /// Refuses what no part of the image can be read with.
    pub(crate) fn require_supported(&self) -> Result<()> {
        if let Some(bit) = self.fields.features.unknown().next() {
            let name = self.extensions.incompatible_name(bit);
            let name = name.map_or_else(String::new, |name| format!(" ({name:?})"));
            return Err(Error::Unsupported(format!("incompatible feature bit {bit}{name}")));
        }
        match self.encryption() {
            None => Ok(()),
            Some(Encryption::Aes) => Err(Error::Unsupported("AES encryption".into())),
            Some(Encryption::Luks) => Err(Error::Unsupported("LUKS encryption".into())),
            Some(Encryption::Unknown(method)) => {
                Err(Error::Unsupported(format!("encryption method {method}")))
            }
        }
    }

    fn is_set(&self, incompatible: u64) -> bool {
        self.fields.features.incompatible & incompatible != 0
    }
}
