use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use qcow2_reader::{Qcow2, ReadAt};

use super::format::{DiskFormat, recognise};
use super::host_file::HostFile;
use super::opened::Opened;
use super::partitions::{self, PartitionTable};
use super::vhdx::Vhdx;
use super::vmdk::Vmdk;
use super::{Bytes, Error, Note, Result, Slice, chain};

/// The disk of a guest: what the guest saw as `/dev/vda`, out of an image of any format that is read.
///
/// It is a [`ReadAt`], cheap to clone, and all clones and threads read it side by side. The file is opened
/// read-only.
#[derive(Clone)]
pub struct Disk {
    image: Image,
    size: u64,
    file_bytes: u64,
    path: Arc<Path>,
    opened: Arc<Opened>,
}

#[derive(Clone)]
enum Image {
    Raw(Bytes),
    Qcow2(Arc<Qcow2<Bytes>>),
    Vhdx(Arc<Vhdx>),
    Vmdk(Arc<Vmdk>),
}

/// How to open a disk.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    backing: Option<PathBuf>,
}

impl OpenOptions {
    /// Reads what the image holds, and the files it names if they lie in its folder or below.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads this file in place of the backing file that a qcow2 image names, wherever it lies. Opening an image
    /// without backing file then fails with [`Error::NoBacking`](super::Error::NoBacking).
    #[must_use]
    pub fn backing(mut self, file: impl Into<PathBuf>) -> Self {
        self.backing = Some(file.into());
        self
    }

    /// Opens the disk in the file or block device at `path`.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Disk> {
        Disk::open_with(path.as_ref(), self)
    }
}

impl Disk {
    /// Opens the disk in the file or block device at `path`, in whichever format it is.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().open(path)
    }

    fn open_with(path: &Path, options: &OpenOptions) -> Result<Self> {
        let file = HostFile::open(path)?;
        let file_bytes = file.size().map_err(|source| Error::Open { path: path.into(), source })?;
        let file: Bytes = Arc::new(file);
        let format = recognise(&file)?;
        if options.backing.is_some() && format != DiskFormat::Qcow2 {
            return Err(Error::NoBacking { image: path.into() });
        }
        let mut opened = Opened::default();
        let image = match format {
            DiskFormat::Raw => Image::Raw(file),
            DiskFormat::Qcow2 => {
                Image::Qcow2(Arc::new(chain::open(path, file, options.backing.as_ref(), &mut opened)?))
            }
            DiskFormat::Vhdx => Image::Vhdx(Arc::new(Vhdx::open(file, &mut opened.notes)?)),
            DiskFormat::Vmdk => Image::Vmdk(Arc::new(Vmdk::open(path, file, &mut opened)?)),
        };
        let size = image.bytes().size().map_err(|source| Error::Open { path: path.into(), source })?;
        Ok(Self { image, size, file_bytes, path: path.into(), opened: Arc::new(opened) })
    }

    /// The format of the image.
    #[must_use]
    pub fn format(&self) -> DiskFormat {
        match &self.image {
            Image::Raw(_) => DiskFormat::Raw,
            Image::Qcow2(_) => DiskFormat::Qcow2,
            Image::Vhdx(_) => DiskFormat::Vhdx,
            Image::Vmdk(_) => DiskFormat::Vmdk,
        }
    }

    /// How large the guest saw the disk, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size
    }

    /// The length of the file or device, in bytes.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The other files that are read because the image names them: backing files, extents.
    #[must_use]
    pub fn also_read(&self) -> &[PathBuf] {
        &self.opened.also_read
    }

    /// What was noticed when the image was opened.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.opened.notes
    }

    /// The image itself where it is a qcow2 image: the topmost of its chain.
    #[must_use]
    pub fn qcow2(&self) -> Option<&Qcow2<Bytes>> {
        match &self.image {
            Image::Qcow2(image) => Some(image),
            _ => None,
        }
    }

    /// Whether the files hold all of the guest disk that the tables of a VHDX or VMDK say they do. This reads all
    /// of the tables. Of the other formats nothing is said; qcow2 images have a check of their own.
    pub fn check(&self) -> Result<Vec<Note>> {
        let missing = match &self.image {
            Image::Raw(_) | Image::Qcow2(_) => 0,
            Image::Vhdx(image) => image.missing_bytes()?,
            Image::Vmdk(image) => image.missing_bytes()?,
        };
        let note = || {
            Note::warning(format!(
                "{missing} bytes of the disk should be in the {} but are not: the file was cut off or its tables are \
                 damaged",
                self.format()
            ))
        };
        Ok((missing > 0).then(note).into_iter().collect())
    }

    /// The partitions of the disk.
    pub fn partitions(&self) -> Result<PartitionTable> {
        let sector_bytes = match &self.image {
            Image::Vhdx(image) => Some(image.sector_bytes()),
            _ => None,
        };
        partitions::read(&self.image.bytes(), self.size, sector_bytes)
    }

    /// The range of `len` bytes from `offset` on as bytes of their own, such as a partition; cut where the disk ends.
    #[must_use]
    pub fn slice(&self, offset: u64, len: u64) -> Slice {
        Slice::new(self.image.bytes(), self.size, offset, len)
    }
}

impl Image {
    fn bytes(&self) -> Bytes {
        match self {
            Self::Raw(file) => Arc::clone(file),
            Self::Qcow2(image) => Arc::clone(image) as Bytes,
            Self::Vhdx(image) => Arc::clone(image) as Bytes,
            Self::Vmdk(image) => Arc::clone(image) as Bytes,
        }
    }
}

impl ReadAt for Disk {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        match &self.image {
            Image::Raw(file) => file.read_exact_at(buf, offset),
            Image::Qcow2(image) => image.read_exact_at(buf, offset),
            Image::Vhdx(image) => image.read_exact_at(buf, offset),
            Image::Vmdk(image) => image.read_exact_at(buf, offset),
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

/// So that a file system can be opened on it.
impl ext4_reader::ReadAt for Disk {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        ReadAt::read_exact_at(self, buf, offset)
    }

    fn size(&self) -> io::Result<u64> {
        ReadAt::size(self)
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("path", &self.path)
            .field("format", &self.format())
            .field("size_bytes", &self.size)
            .finish_non_exhaustive()
    }
}
