use std::sync::Arc;

use file_tree::{BoxNode, DataRange, DirEntry, Error, FileKind, FileTree, Metadata, Node, Result, Xattr};

/// A tree of one file of any kind, in a root that is made up.
pub(crate) struct OneFile {
    pub(crate) name: Vec<u8>,
    pub(crate) file: Arc<dyn Node>,
}

impl FileTree for OneFile {
    fn root(&self) -> Result<BoxNode> {
        // No file has the inode number 0 that this leaves, so the root is not taken for a further name of this one.
        let metadata = Metadata::new(FileKind::Directory);
        Ok(Box::new(Root { metadata, name: self.name.clone(), file: Arc::clone(&self.file) }))
    }
}

struct Root {
    metadata: Metadata,
    name: Vec<u8>,
    file: Arc<dyn Node>,
}

impl Node for Root {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn xattrs(&self) -> Result<Vec<Xattr>> {
        Ok(Vec::new())
    }

    fn read_dir(&self) -> Result<Box<dyn Iterator<Item = Result<DirEntry>> + '_>> {
        Ok(Box::new(std::iter::once(Ok(DirEntry { name: self.name.clone(), token: 0 }))))
    }

    fn lookup(&self, name: &[u8]) -> Result<BoxNode> {
        if name == self.name { Ok(Box::new(Arc::clone(&self.file))) } else { Err(Error::NotFound) }
    }

    fn read_link(&self) -> Result<Vec<u8>> {
        Err(Error::NotASymlink)
    }

    fn read_at(&self, _: &mut [u8], _: u64) -> Result<usize> {
        Err(Error::NotAFile)
    }

    fn data_ranges(&self) -> Result<Box<dyn Iterator<Item = Result<DataRange>> + '_>> {
        Err(Error::NotAFile)
    }
}
