use std::path::PathBuf;

/// How a tar archive is written. The default keeps everything an archive can hold.
#[derive(Debug, Clone)]
pub struct TarOptions {
    pub(super) prefix: Vec<u8>,
    pub(super) sparse: bool,
    pub(super) access_times: bool,
    pub(super) symlink_xattrs: bool,
    pub(super) sidecar: Option<PathBuf>,
}

impl Default for TarOptions {
    fn default() -> Self {
        Self {
            prefix: b"./".to_vec(),
            sparse: true,
            access_times: false,
            symlink_xattrs: true,
            sidecar: None,
        }
    }
}

impl TarOptions {
    /// The directory the tree becomes in the archive, such as `volume`; the default is `.`. It is an entry itself,
    /// so that owner, mode and times of the root are kept; an empty prefix leaves it out.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Vec<u8>>) -> Self {
        self.prefix = prefix.into();
        if !matches!(self.prefix.last(), None | Some(b'/')) {
            self.prefix.push(b'/');
        }
        self
    }

    /// Whether holes are left out, in the form GNU tar calls sparse format 1.0; the default is `true`. Otherwise
    /// they are written as zeros, which every reader understands.
    #[must_use]
    pub fn sparse(mut self, sparse: bool) -> Self {
        self.sparse = sparse;
        self
    }

    /// Whether to keep the times of last access and of the last change of metadata; the default is `false`.
    #[must_use]
    pub fn access_times(mut self, keep: bool) -> Self {
        self.access_times = keep;
        self
    }

    /// Whether to keep extended attributes of symbolic links; the default is `true`. Docker 29 refuses an archive
    /// that has such. Left out, they count as not kept and go into the sidecar.
    #[must_use]
    pub fn symlink_xattrs(mut self, keep: bool) -> Self {
        self.symlink_xattrs = keep;
        self
    }

    /// Where to record what an archive cannot hold: sockets. As [`DirectoryOptions::sidecar`] has it.
    ///
    /// [`DirectoryOptions::sidecar`]: crate::DirectoryOptions::sidecar
    #[must_use]
    pub fn sidecar(mut self, path: impl Into<PathBuf>) -> Self {
        self.sidecar = Some(path.into());
        self
    }
}
