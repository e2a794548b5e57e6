use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use super::stat;
use crate::{BoxNode, DataRange, DirEntry, Error, FileKind, Metadata, Node, Result, Xattr, name};

/// The directory a tree begins at.
pub(super) struct Root {
    handle: Arc<OwnedFd>,
    path: PathBuf,
}

impl Root {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let handle = rustix::fs::openat(CWD, path, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty())
            .map_err(|error| Error::io("open", path.as_os_str().as_bytes(), error.into()))?;
        Ok(Self { handle: Arc::new(handle), path: path.to_owned() })
    }

    pub(super) fn node(&self) -> Result<BoxNode> {
        let name = self.path.as_os_str().as_bytes();
        let metadata =
            rustix::fs::fstat(&*self.handle).map_err(|error| Error::io("read", name, error.into()))?;
        Ok(Box::new(HostNode {
            parent: Arc::clone(&self.handle),
            name: name.to_vec(),
            metadata: stat::metadata(&metadata),
            handle: OnceLock::from(Arc::clone(&self.handle)),
        }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

struct HostNode {
    /// The directory it was found in; of the root, the root itself.
    parent: Arc<OwnedFd>,
    name: Vec<u8>,
    metadata: Metadata,
    /// Opened when first needed: a walk that only looks at metadata opens no files.
    handle: OnceLock<Arc<OwnedFd>>,
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

// A file may be replaced by a fifo or a terminal between the look and the opening: neither may block us.
const REGULAR: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl HostNode {
    fn handle(&self) -> Result<&Arc<OwnedFd>> {
        if let Some(handle) = self.handle.get() {
            return Ok(handle);
        }
        let opened = self.open_handle().map_err(|error| self.error("open", error))?;
        Ok(self.handle.get_or_init(|| Arc::new(opened)))
    }

    fn open_handle(&self) -> io::Result<OwnedFd> {
        let handle = match self.metadata.kind {
            FileKind::Directory => open_quietly(&self.parent, &self.name, DIRECTORY)?,
            FileKind::Regular => open_quietly(&self.parent, &self.name, REGULAR)?,
            _ => open_without_access(&self.parent, &self.name)?,
        };
        let now = rustix::fs::fstat(&handle)?;
        if stat::id(&now) != self.metadata.id || stat::kind(&now) != self.metadata.kind {
            return Err(io::Error::other("it was replaced by another file meanwhile"));
        }
        Ok(handle)
    }

    fn directory(&self) -> Result<&Arc<OwnedFd>> {
        match self.metadata.kind {
            FileKind::Directory => self.handle(),
            _ => Err(Error::NotADirectory),
        }
    }

    fn regular(&self) -> Result<&Arc<OwnedFd>> {
        match self.metadata.kind {
            FileKind::Regular => self.handle(),
            _ => Err(Error::NotAFile),
        }
    }

    fn error(&self, action: &'static str, error: impl Into<io::Error>) -> Error {
        Error::io(action, &self.name, error.into())
    }
}

/// The entry of an open directory that has this name.
pub(crate) fn node_in(directory: &Arc<OwnedFd>, name: &[u8]) -> Result<BoxNode> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Box::new(HostNode {
            parent: Arc::clone(directory),
            name: name.to_vec(),
            metadata: stat::metadata(&found),
            handle: OnceLock::new(),
        })),
        Err(Errno::NOENT) => Err(Error::NotFound),
        Err(error) => Err(Error::io("read", name, error.into())),
    }
}

/// Opens without leaving a time of access behind, where we may: only a file's owner and root may.
fn open_quietly(parent: &OwnedFd, name: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    match rustix::fs::openat(parent, name, flags.union(OFlags::NOATIME), Mode::empty()) {
        Err(Errno::PERM) => {}
        other => return other,
    }
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

#[cfg(target_os = "linux")]
fn open_without_access(parent: &OwnedFd, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
}

#[cfg(not(target_os = "linux"))]
fn open_without_access(_: &OwnedFd, _: &[u8]) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Node for HostNode {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    #[cfg(target_os = "linux")]
    fn xattrs(&self) -> Result<Vec<Xattr>> {
        use std::os::fd::AsFd;

        use super::xattr::Access;

        let handle = self.handle()?.as_fd();
        let access = match self.metadata.kind {
            FileKind::Regular | FileKind::Directory => Access::Handle(handle),
            _ => Access::Proc(handle),
        };
        access.read_all().map_err(|error| self.error("read the extended attributes of", error))
    }

    #[cfg(not(target_os = "linux"))]
    fn xattrs(&self) -> Result<Vec<Xattr>> {
        Ok(Vec::new())
    }

    fn read_dir(&self) -> Result<Box<dyn Iterator<Item = Result<DirEntry>> + '_>> {
        let entries = Dir::read_from(self.directory()?).map_err(|error| self.error("list", error))?;
        Ok(Box::new(entries.filter_map(|entry| match entry {
            Ok(entry) => {
                let name = entry.file_name().to_bytes();
                (!matches!(name, b"." | b".."))
                    .then(|| Ok(DirEntry { name: name.to_vec(), token: entry.ino() }))
            }
            Err(error) => Some(Err(self.error("list", error))),
        })))
    }

    fn lookup(&self, name: &[u8]) -> Result<BoxNode> {
        let directory = self.directory()?;
        if !name::is_safe(name) {
            return Err(Error::NotFound);
        }
        node_in(directory, name)
    }

    fn read_link(&self) -> Result<Vec<u8>> {
        if self.metadata.kind != FileKind::Symlink {
            return Err(Error::NotASymlink);
        }
        let target = rustix::fs::readlinkat(&*self.parent, self.name.as_slice(), Vec::new())
            .map_err(|error| self.error("read the link", error))?;
        Ok(target.into_bytes())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let handle = self.regular()?;
        let mut filled = 0_usize;
        while let Some(free) = buf.get_mut(filled..).filter(|free| !free.is_empty()) {
            match rustix::io::pread(handle, free, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(len) => filled = filled.saturating_add(len),
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.error("read", error)),
            }
        }
        Ok(filled)
    }

    fn data_ranges(&self) -> Result<Box<dyn Iterator<Item = Result<DataRange>> + '_>> {
        self.regular()?;
        Ok(Box::new(DataRanges { node: self, at: 0 }))
    }
}

/// Asks the file system for one range after the other.
struct DataRanges<'a> {
    node: &'a HostNode,
    at: u64,
}

impl DataRanges<'_> {
    fn next_range(&self) -> Result<Option<DataRange>> {
        let (handle, size) = (self.node.regular()?, self.node.metadata.size);
        if self.at >= size {
            return Ok(None);
        }
        let offset = match rustix::fs::seek(handle, SeekFrom::Data(self.at)) {
            Ok(offset) if offset >= size => return Ok(None),
            Ok(offset) => offset,
            Err(Errno::NXIO) => return Ok(None),
            // A file system that knows of no holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => {
                return Ok(Some(DataRange { offset: self.at, len: size.saturating_sub(self.at) }));
            }
            Err(error) => return Err(self.node.error("find the data of", error)),
        };
        match rustix::fs::seek(handle, SeekFrom::Hole(offset)) {
            Ok(end) if end > offset => {
                Ok(Some(DataRange { offset, len: end.min(size).saturating_sub(offset) }))
            }
            Ok(_) | Err(Errno::NXIO) => Ok(None),
            Err(error) => Err(self.node.error("find the data of", error)),
        }
    }
}

impl Iterator for DataRanges<'_> {
    type Item = Result<DataRange>;

    fn next(&mut self) -> Option<Self::Item> {
        let range = self.next_range().transpose()?;
        self.at = match &range {
            Ok(range) => range.offset.saturating_add(range.len),
            Err(_) => u64::MAX,
        };
        Some(range)
    }
}
