//! A tree in memory, parts of which can be made unreadable.

use std::collections::BTreeMap;
use std::sync::Arc;

use file_tree::{
    BoxNode, DataRange, Device, DirEntry, Error, FileId, FileKind, FileTree, Metadata, Node, Result,
    Timestamp, Xattr,
};

/// A tree of directories, files and symbolic links.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    items: BTreeMap<Vec<u8>, Item>,
}

#[derive(Clone)]
struct Item {
    kind: FileKind,
    content: Vec<u8>,
    created: Timestamp,
    /// The first byte that cannot be read, if any.
    bad_from: Option<u64>,
}

impl Memory {
    pub(crate) fn file(self, path: impl AsRef<[u8]>, content: impl Into<Vec<u8>>) -> Self {
        self.with(path.as_ref(), FileKind::Regular, content.into())
    }

    pub(crate) fn directory(self, path: impl AsRef<[u8]>) -> Self {
        self.with(path.as_ref(), FileKind::Directory, Vec::new())
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.with(path.as_bytes(), FileKind::Symlink, target.into())
    }

    /// The same with another time of creation of what lies at `path`.
    pub(crate) fn created(mut self, path: &str, seconds: i64) -> Self {
        self.item(path).created.seconds = seconds;
        self
    }

    /// The same with a file that cannot be read from `offset` on, or at 0 not even opened.
    pub(crate) fn unreadable(mut self, path: &str, offset: u64) -> Self {
        self.item(path).bad_from = Some(offset);
        self
    }

    pub(crate) fn without(mut self, path: &str) -> Self {
        let below = format!("{path}/").into_bytes();
        self.items.retain(|name, _| name != path.as_bytes() && !name.starts_with(&below));
        self
    }

    pub(crate) fn into_tree(self) -> Arc<dyn FileTree> {
        Arc::new(Tree(Arc::new(self)))
    }

    fn item(&mut self, path: &str) -> &mut Item {
        self.items.get_mut(path.as_bytes()).expect("the tree has this path")
    }

    /// Adds an item, and the directories above it.
    fn with(mut self, path: &[u8], kind: FileKind, content: Vec<u8>) -> Self {
        let item = |kind, content| Item { kind, content, created: Timestamp::default(), bad_from: None };
        for (end, _) in path.iter().enumerate().filter(|&(_, &byte)| byte == b'/') {
            self.items.entry(path[..end].to_vec()).or_insert_with(|| item(FileKind::Directory, Vec::new()));
        }
        self.items.insert(path.to_vec(), item(kind, content));
        self
    }
}

struct Tree(Arc<Memory>);

struct Opened {
    memory: Arc<Memory>,
    path: Vec<u8>,
    item: Item,
    metadata: Metadata,
}

impl FileTree for Tree {
    fn root(&self) -> Result<BoxNode> {
        let root = Item {
            kind: FileKind::Directory,
            content: Vec::new(),
            created: Timestamp::default(),
            bad_from: None,
        };
        let item = self.0.items.get(b"".as_slice()).unwrap_or(&root);
        open(&self.0, Vec::new(), item)
    }
}

fn open(memory: &Arc<Memory>, path: Vec<u8>, item: &Item) -> Result<BoxNode> {
    if item.bad_from == Some(0) {
        return Err(bad_sector());
    }
    let (size, time) = (item.content.len() as u64, item.created);
    let metadata = Metadata {
        kind: item.kind,
        mode: 0o755,
        uid: 0,
        gid: 0,
        size: if item.kind == FileKind::Directory { 0 } else { size },
        allocated_bytes: size,
        links: 1,
        id: FileId { device: 0, inode: 0 },
        rdev: Device::default(),
        accessed: time,
        modified: time,
        changed: time,
        created: Some(time),
    };
    Ok(Box::new(Opened { memory: Arc::clone(memory), path, item: item.clone(), metadata }))
}

fn bad_sector() -> Error {
    let source = std::io::Error::other("bad sector").into();
    Error::Source { structure: "inode".to_owned(), offset: Some(4096), source }
}

impl Opened {
    fn child(&self, name: &[u8]) -> Vec<u8> {
        if self.path.is_empty() { name.to_vec() } else { [&self.path, b"/".as_slice(), name].concat() }
    }
}

impl Node for Opened {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn xattrs(&self) -> Result<Vec<Xattr>> {
        Ok(Vec::new())
    }

    fn read_dir(&self) -> Result<Box<dyn Iterator<Item = Result<DirEntry>> + '_>> {
        if self.item.kind != FileKind::Directory {
            return Err(Error::NotADirectory);
        }
        let prefix = self.child(b"");
        let names = self.memory.items.keys().filter_map(move |path| path.strip_prefix(prefix.as_slice()));
        let children = names.filter(|name| !name.is_empty() && !name.contains(&b'/'));
        Ok(Box::new(children.map(|name| Ok(DirEntry { name: name.to_vec(), token: 0 }))))
    }

    fn lookup(&self, name: &[u8]) -> Result<BoxNode> {
        if self.item.kind != FileKind::Directory {
            return Err(Error::NotADirectory);
        }
        let path = self.child(name);
        let item = self.memory.items.get(&path).ok_or(Error::NotFound)?;
        open(&self.memory, path.clone(), item)
    }

    fn read_link(&self) -> Result<Vec<u8>> {
        if self.item.kind == FileKind::Symlink {
            Ok(self.item.content.clone())
        } else {
            Err(Error::NotASymlink)
        }
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        if self.item.kind != FileKind::Regular {
            return Err(Error::NotAFile);
        }
        let start = usize::try_from(offset).expect("small").min(self.item.content.len());
        let rest = &self.item.content[start..];
        let len = rest.len().min(buf.len());
        if self.item.bad_from.is_some_and(|bad| bad < offset + len as u64) {
            return Err(bad_sector());
        }
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn data_ranges(&self) -> Result<Box<dyn Iterator<Item = Result<DataRange>> + '_>> {
        let len = self.metadata.size;
        Ok(Box::new((len > 0).then_some(Ok(DataRange { offset: 0, len })).into_iter()))
    }
}
