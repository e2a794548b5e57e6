use std::fmt;

use crate::header::Header;
use crate::source::{DynSource, Measured, ReadAt};
use crate::{Error, Qcow2, Result};

/// How to open an image: what it may read besides itself, and how much memory it may use.
///
/// An image names its backing file and its data file, but nothing here opens a file by a name that comes from
/// an image. The caller reads the names from the [`Header`], decides, and supplies what it opened.
#[derive(Debug)]
pub struct OpenOptions {
    backing: Backing,
    data_file: Option<DataFile>,
    table_cache_bytes: u64,
    cluster_cache_bytes: u64,
}

/// Where to read what an image leaves to its backing file.
#[derive(Default)]
#[non_exhaustive]
pub enum Backing {
    /// Opening an image that has a backing file fails with [`Error::BackingFile`].
    #[default]
    Deny,
    /// Here: raw bytes, or a [`Qcow2`]. It may be shorter or longer than the image. An image that names no
    /// backing file does not read it.
    ///
    /// Each image of a chain calls the next one, so who builds a chain bounds its depth.
    Source(DynSource),
}

struct DataFile(DynSource);

impl OpenOptions {
    /// No backing file, no data file; at most 32 MiB of tables and 4 MiB of decoded clusters in memory.
    #[must_use]
    pub fn new() -> Self {
        Self {
            backing: Backing::Deny,
            data_file: None,
            table_cache_bytes: 32 << 20,
            cluster_cache_bytes: 4 << 20,
        }
    }

    /// Where to read what the image leaves to its backing file.
    #[must_use]
    pub fn backing(mut self, backing: Backing) -> Self {
        self.backing = backing;
        self
    }

    /// The external data file. An image without one does not read it.
    #[must_use]
    pub fn data_file(mut self, source: impl ReadAt + Send + Sync + 'static) -> Self {
        self.data_file = Some(DataFile(Box::new(source)));
        self
    }

    /// How much memory L1 and L2 tables may occupy. With clusters of 64 KiB, 1 MiB holds the tables of 8 GiB.
    /// With 0, they are read again for each access.
    #[must_use]
    pub fn table_cache_bytes(mut self, bytes: u64) -> Self {
        self.table_cache_bytes = bytes;
        self
    }

    /// How much memory decoded clusters may occupy; at most 64 of them are kept.
    #[must_use]
    pub fn cluster_cache_bytes(mut self, bytes: u64) -> Self {
        self.cluster_cache_bytes = bytes;
        self
    }

    /// Opens an image: reads its header and checks that it can be read.
    ///
    /// Tables and data are read as they are needed: damage there fails the reads that concern it and no
    /// others.
    pub fn open<S: ReadAt>(self, image: S) -> Result<Qcow2<S>> {
        let image = Measured::new(image, "image")?;
        let header = Header::read_measured(&image)?;
        header.require_supported()?;
        let backing = self.backing.of(&header)?;
        let data_file = DataFile::of(self.data_file, &header)?;
        Ok(Qcow2::new(image, header, backing, data_file, self.table_cache_bytes, self.cluster_cache_bytes))
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl Backing {
    /// The backing file of an image, if the image has one.
    fn of(self, header: &Header) -> Result<Option<Measured<DynSource>>> {
        let Some(name) = header.backing_name() else { return Ok(None) };
        match self {
            Self::Source(source) => Measured::new(source, "backing file").map(Some),
            Self::Deny => Err(Error::BackingFile {
                name: String::from_utf8_lossy(name).into_owned(),
                format: header.backing_format().map(str::to_owned),
            }),
        }
    }
}

impl DataFile {
    /// The data file of an image, if the image has one.
    fn of(supplied: Option<Self>, header: &Header) -> Result<Option<Measured<DynSource>>> {
        if !header.has_data_file() {
            return Ok(None);
        }
        match supplied {
            Some(Self(source)) => Measured::new(source, "data file").map(Some),
            None => Err(Error::DataFile {
                name: header.data_file_name().map(|name| String::from_utf8_lossy(name).into_owned()),
            }),
        }
    }
}

impl fmt::Debug for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deny => "Deny",
            Self::Source(_) => "Source(..)",
        })
    }
}

impl fmt::Debug for DataFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataFile(..)")
    }
}
