use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{
    BoxNode, DataRange, Device, DirEntry, Error, FileId, FileKind, Metadata, Node, Result, Timestamp, Xattr,
    name,
};

/// The directory a tree begins at.
pub(super) struct Root(PathBuf);

impl Root {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let path = fs::canonicalize(path).map_err(|error| io_error("open", path, error))?;
        if path.is_dir() { Ok(Self(path)) } else { Err(Error::NotADirectory) }
    }

    pub(super) fn node(&self) -> Result<BoxNode> {
        Ok(Box::new(HostNode::new(self.0.clone())?))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

struct HostNode {
    path: PathBuf,
    metadata: Metadata,
}

impl HostNode {
    fn new(path: PathBuf) -> Result<Self> {
        match fs::symlink_metadata(&path) {
            Ok(found) => Ok(Self { metadata: metadata(&found), path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::NotFound),
            Err(error) => Err(io_error("read", &path, error)),
        }
    }

    fn regular(&self) -> Result<()> {
        match self.metadata.kind {
            FileKind::Regular => Ok(()),
            _ => Err(Error::NotAFile),
        }
    }
}

/// The entry of a directory that has this name, which is a safe one.
pub(crate) fn node_in(directory: &Path, name: &str) -> Result<BoxNode> {
    Ok(Box::new(HostNode::new(directory.join(name))?))
}

fn metadata(found: &fs::Metadata) -> Metadata {
    /// The standard library does not tell which file this is; no two are taken for one.
    static NEXT_ID: AtomicU64 = AtomicU64::new(1);

    let (kind, mode) = if found.is_symlink() {
        (FileKind::Symlink, 0o777)
    } else if found.is_dir() {
        (FileKind::Directory, 0o755)
    } else {
        (FileKind::Regular, if found.permissions().readonly() { 0o444 } else { 0o644 })
    };
    let modified = timestamp(found.modified().ok());
    Metadata {
        kind,
        mode,
        uid: 0,
        gid: 0,
        size: if kind == FileKind::Regular { found.len() } else { 0 },
        allocated_bytes: 0,
        links: 1,
        id: FileId { device: 0, inode: NEXT_ID.fetch_add(1, Ordering::Relaxed) },
        rdev: Device::default(),
        accessed: timestamp(found.accessed().ok()),
        modified,
        changed: modified,
        created: found.created().ok().map(|time| timestamp(Some(time))),
    }
}

fn timestamp(time: Option<SystemTime>) -> Timestamp {
    let Some(time) = time else { return Timestamp::default() };
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => Timestamp { seconds: seconds(after), nanoseconds: after.subsec_nanos() },
        Err(error) => {
            let before = error.duration();
            let whole = 0_i64.saturating_sub(seconds(before));
            match before.subsec_nanos() {
                0 => Timestamp { seconds: whole, nanoseconds: 0 },
                nanoseconds => Timestamp {
                    seconds: whole.saturating_sub(1),
                    nanoseconds: 1_000_000_000_u32.saturating_sub(nanoseconds),
                },
            }
        }
    }
}

impl Node for HostNode {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn xattrs(&self) -> Result<Vec<Xattr>> {
        Ok(Vec::new())
    }

    fn read_dir(&self) -> Result<Box<dyn Iterator<Item = Result<DirEntry>> + '_>> {
        if self.metadata.kind != FileKind::Directory {
            return Err(Error::NotADirectory);
        }
        let entries = fs::read_dir(&self.path).map_err(|error| io_error("list", &self.path, error))?;
        Ok(Box::new(entries.map(|entry| {
            let entry = entry.map_err(|error| io_error("list", &self.path, error))?;
            match entry.file_name().into_string() {
                Ok(name) => Ok(DirEntry { name: name.into_bytes(), token: 0 }),
                Err(name) => {
                    Err(Error::Unsupported(format!("the name {}, which is not Unicode,", name.display())))
                }
            }
        })))
    }

    fn lookup(&self, name: &[u8]) -> Result<BoxNode> {
        if self.metadata.kind != FileKind::Directory {
            return Err(Error::NotADirectory);
        }
        let name = std::str::from_utf8(name).map_err(|_| Error::NotFound)?;
        if !name::is_safe(name.as_bytes()) || name.contains(['\\', ':']) {
            return Err(Error::NotFound);
        }
        node_in(&self.path, name)
    }

    fn read_link(&self) -> Result<Vec<u8>> {
        if self.metadata.kind != FileKind::Symlink {
            return Err(Error::NotASymlink);
        }
        let target =
            fs::read_link(&self.path).map_err(|error| io_error("read the link", &self.path, error))?;
        match target.into_os_string().into_string() {
            Ok(target) => Ok(target.into_bytes()),
            Err(target) => Err(Error::Unsupported(format!(
                "the link target {}, which is not Unicode,",
                target.display()
            ))),
        }
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.regular()?;
        read_file_at(&self.path, buf, offset).map_err(|error| io_error("read", &self.path, error))
    }

    fn data_ranges(&self) -> Result<Box<dyn Iterator<Item = Result<DataRange>> + '_>> {
        self.regular()?;
        let whole = (self.metadata.size > 0).then_some(Ok(DataRange { offset: 0, len: self.metadata.size }));
        Ok(Box::new(whole.into_iter()))
    }
}

fn read_file_at(path: &Path, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut filled = 0_usize;
    while let Some(free) = buf.get_mut(filled..).filter(|free| !free.is_empty()) {
        match file.read(free)? {
            0 => break,
            len => filled = filled.saturating_add(len),
        }
    }
    Ok(filled)
}

fn io_error(action: &'static str, path: &Path, error: io::Error) -> Error {
    Error::io(action, path.to_string_lossy().as_bytes(), error)
}
