//! A tree made of values, to be as damaged or hostile as a test needs it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use file_tree::{
    BoxNode, DataRange, DirEntry, Error, FileId, FileKind, FileTree, Metadata, Node, Result, Xattr,
};

#[derive(Clone)]
pub(crate) struct Memory {
    pub(crate) metadata: Metadata,
    pub(crate) entries: Vec<(Vec<u8>, Arc<Memory>)>,
    pub(crate) content: Vec<u8>,
    pub(crate) target: Vec<u8>,
    /// Reads that touch these fail.
    pub(crate) bad: Vec<Range<u64>>,
    /// What the map of the content says, if it is not that all is data.
    pub(crate) map: Option<Vec<std::result::Result<DataRange, ()>>>,
    pub(crate) bad_xattrs: bool,
    pub(crate) bad_listing: bool,
}

impl Memory {
    pub(crate) fn new(kind: FileKind) -> Self {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);

        let inode = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self {
            metadata: Metadata { id: FileId { device: 0, inode }, ..Metadata::new(kind) },
            entries: Vec::new(),
            content: Vec::new(),
            target: Vec::new(),
            bad: Vec::new(),
            map: None,
            bad_xattrs: false,
            bad_listing: false,
        }
    }

    pub(crate) fn file(content: impl Into<Vec<u8>>) -> Self {
        let mut file = Self::new(FileKind::Regular);
        file.content = content.into();
        file.metadata.size = file.content.len() as u64;
        file
    }

    pub(crate) fn symlink(target: impl Into<Vec<u8>>) -> Self {
        Self { target: target.into(), ..Self::new(FileKind::Symlink) }
    }

    pub(crate) fn directory<const N: usize>(entries: [(&[u8], Memory); N]) -> Self {
        let entries = entries.into_iter().map(|(name, node)| (name.to_vec(), Arc::new(node))).collect();
        Self { entries, ..Self::new(FileKind::Directory) }
    }

    fn damage(offset: u64) -> Error {
        Error::Source { structure: "block".to_owned(), offset: Some(offset), source: "bad sector".into() }
    }
}

pub(crate) struct MemoryTree(pub(crate) Arc<Memory>);

impl MemoryTree {
    pub(crate) fn new(root: Memory) -> Self {
        Self(Arc::new(root))
    }
}

impl FileTree for MemoryTree {
    fn root(&self) -> Result<BoxNode> {
        Ok(Box::new(MemoryNode(Arc::clone(&self.0))))
    }
}

struct MemoryNode(Arc<Memory>);

impl Node for MemoryNode {
    fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    fn xattrs(&self) -> Result<Vec<Xattr>> {
        if self.0.bad_xattrs { Err(Memory::damage(7)) } else { Ok(Vec::new()) }
    }

    fn read_dir(&self) -> Result<Box<dyn Iterator<Item = Result<DirEntry>> + '_>> {
        let entries = self
            .0
            .entries
            .iter()
            .enumerate()
            .map(|(token, (name, _))| Ok(DirEntry { name: name.clone(), token: token as u64 }));
        let error = self.0.bad_listing.then(|| Err(Memory::damage(4096)));
        Ok(Box::new(entries.chain(error)))
    }

    fn lookup(&self, name: &[u8]) -> Result<BoxNode> {
        let known: BTreeMap<_, _> =
            self.0.entries.iter().map(|(name, node)| (name.as_slice(), node)).collect();
        known
            .get(name)
            .map_or(Err(Error::NotFound), |node| Ok(Box::new(MemoryNode(Arc::clone(node))) as BoxNode))
    }

    fn open(&self, entry: &DirEntry) -> Result<BoxNode> {
        let (_, node) = &self.0.entries[usize::try_from(entry.token).expect("our own")];
        Ok(Box::new(MemoryNode(Arc::clone(node))))
    }

    fn read_link(&self) -> Result<Vec<u8>> {
        Ok(self.0.target.clone())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let wanted = offset..offset + buf.len() as u64;
        if let Some(bad) = self.0.bad.iter().find(|bad| bad.start < wanted.end && wanted.start < bad.end) {
            return Err(Memory::damage(bad.start));
        }
        let content = &self.0.content[usize::try_from(offset).expect("small").min(self.0.content.len())..];
        let len = content.len().min(buf.len());
        buf[..len].copy_from_slice(&content[..len]);
        Ok(len)
    }

    fn data_ranges(&self) -> Result<Box<dyn Iterator<Item = Result<DataRange>> + '_>> {
        match &self.0.map {
            None => Ok(Box::new(std::iter::once(Ok(DataRange { offset: 0, len: self.0.metadata.size })))),
            Some(map) => Ok(Box::new(map.iter().map(|range| range.map_err(|()| Memory::damage(99))))),
        }
    }
}
