use std::sync::Arc;

use ext4_reader::{Ext4, ExtentKind, Inode, InodeNumber, ReadAt};
use file_tree::{
    BoxNode, DataRange, Device, DirEntry, Error, FileId, FileKind, FileTree, Metadata, Node, Result,
    Timestamp, Xattr,
};

/// An ext2, ext3 or ext4 file system as a tree of files.
#[derive(Debug)]
pub struct Ext4Tree<S>(Arc<Ext4<S>>);

impl<S> Ext4Tree<S> {
    /// The tree below the root directory.
    #[must_use]
    pub fn new(filesystem: Arc<Ext4<S>>) -> Self {
        Self(filesystem)
    }
}

impl<S: ReadAt + Send + Sync + 'static> FileTree for Ext4Tree<S> {
    fn root(&self) -> Result<BoxNode> {
        Ok(Ext4Node::boxed(Arc::clone(&self.0), self.0.root().map_err(from_ext4)?))
    }
}

struct Ext4Node<S> {
    filesystem: Arc<Ext4<S>>,
    inode: Inode,
    metadata: Metadata,
}

impl<S: ReadAt + Send + Sync + 'static> Ext4Node<S> {
    fn boxed(filesystem: Arc<Ext4<S>>, inode: Inode) -> BoxNode {
        let metadata = metadata(&inode);
        Box::new(Self { filesystem, inode, metadata })
    }
}

impl<S: ReadAt + Send + Sync + 'static> Node for Ext4Node<S> {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn xattrs(&self) -> Result<Vec<Xattr>> {
        let found = self.filesystem.xattrs(&self.inode).map_err(from_ext4)?;
        Ok(found.into_iter().map(|xattr| Xattr { name: xattr.name, value: xattr.value }).collect())
    }

    fn read_dir(&self) -> Result<Box<dyn Iterator<Item = Result<DirEntry>> + '_>> {
        let entries = self.filesystem.read_dir(&self.inode).map_err(from_ext4)?;
        Ok(Box::new(entries.map(|entry| {
            let entry = entry.map_err(from_ext4)?;
            Ok(DirEntry { name: entry.name, token: entry.inode.0.into() })
        })))
    }

    fn lookup(&self, name: &[u8]) -> Result<BoxNode> {
        let inode = self.filesystem.lookup_in(&self.inode, name).map_err(from_ext4)?;
        Ok(Self::boxed(Arc::clone(&self.filesystem), inode))
    }

    fn open(&self, entry: &DirEntry) -> Result<BoxNode> {
        let number = u32::try_from(entry.token).map_err(|_| Error::NotFound)?;
        let inode = self.filesystem.inode(InodeNumber(number)).map_err(from_ext4)?;
        Ok(Self::boxed(Arc::clone(&self.filesystem), inode))
    }

    fn read_link(&self) -> Result<Vec<u8>> {
        self.filesystem.read_link(&self.inode).map_err(from_ext4)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.filesystem.read_at(&self.inode, buf, offset).map_err(from_ext4)
    }

    fn data_ranges(&self) -> Result<Box<dyn Iterator<Item = Result<DataRange>> + '_>> {
        let extents = self.filesystem.extents(&self.inode).map_err(from_ext4)?;
        Ok(Box::new(extents.filter_map(|extent| match extent {
            Ok(extent) if extent.kind == ExtentKind::Unwritten => None,
            Ok(extent) => Some(Ok(DataRange { offset: extent.offset, len: extent.len })),
            Err(error) => Some(Err(from_ext4(error))),
        })))
    }
}

fn metadata(inode: &Inode) -> Metadata {
    let kind = match inode.kind() {
        ext4_reader::FileKind::Regular => FileKind::Regular,
        ext4_reader::FileKind::Directory => FileKind::Directory,
        ext4_reader::FileKind::Symlink => FileKind::Symlink,
        ext4_reader::FileKind::Fifo => FileKind::Fifo,
        ext4_reader::FileKind::CharDevice => FileKind::CharDevice,
        ext4_reader::FileKind::BlockDevice => FileKind::BlockDevice,
        ext4_reader::FileKind::Socket => FileKind::Socket,
    };
    let has_size = matches!(kind, FileKind::Regular | FileKind::Symlink);
    let rdev = inode.rdev();
    Metadata {
        kind,
        mode: inode.mode(),
        uid: inode.uid(),
        gid: inode.gid(),
        size: if has_size { inode.size() } else { 0 },
        allocated_bytes: inode.allocated_bytes(),
        links: inode.links().into(),
        id: FileId { device: 0, inode: inode.number().0.into() },
        rdev: Device { major: rdev.major, minor: rdev.minor },
        accessed: timestamp(inode.accessed()),
        modified: timestamp(inode.modified()),
        changed: timestamp(inode.changed()),
        created: inode.created().map(timestamp),
    }
}

fn timestamp(time: ext4_reader::Timestamp) -> Timestamp {
    Timestamp { seconds: time.seconds, nanoseconds: time.nanoseconds.min(999_999_999) }
}

fn from_ext4(error: ext4_reader::Error) -> Error {
    match error {
        ext4_reader::Error::Io { structure, offset, source } => {
            Error::Source { structure: structure.to_owned(), offset: Some(offset), source: source.into() }
        }
        ext4_reader::Error::Corrupt(corrupt) => {
            let detail = match corrupt.inode() {
                Some(inode) => format!("{} (inode {inode})", corrupt.detail()),
                None => corrupt.detail().to_owned(),
            };
            let offset = Some(corrupt.offset());
            Error::Source { structure: corrupt.structure().to_owned(), offset, source: detail.into() }
        }
        ext4_reader::Error::Unsupported(feature) => Error::Unsupported(feature),
        ext4_reader::Error::Limit { what, needed, allowed } => Error::Limit { what, needed, allowed },
        ext4_reader::Error::NotFound => Error::NotFound,
        ext4_reader::Error::NotADirectory => Error::NotADirectory,
        ext4_reader::Error::NotAFile => Error::NotAFile,
        ext4_reader::Error::NotASymlink => Error::NotASymlink,
        other => Error::Source { structure: "file system".to_owned(), offset: None, source: other.into() },
    }
}
