use std::path::PathBuf;

/// How a directory is written. The default keeps everything the destination and our rights allow, and writes no
/// sidecar manifest.
#[derive(Debug, Clone)]
pub struct DirectoryOptions {
    pub(super) sidecar: Option<PathBuf>,
    pub(super) devices: bool,
    pub(super) sync: bool,
    pub(super) component_walk: bool,
}

impl Default for DirectoryOptions {
    fn default() -> Self {
        Self { sidecar: None, devices: true, sync: true, component_walk: false }
    }
}

impl DirectoryOptions {
    /// Where to record what the destination cannot keep (see the crate's documentation for the format). The
    /// file is created only if there is something to record; until the work ends its name bears the suffix
    /// `.part`. It must not exist.
    #[must_use]
    pub fn sidecar(mut self, path: impl Into<PathBuf>) -> Self {
        self.sidecar = Some(path.into());
        self
    }

    /// Whether to create device nodes, which root alone can do; the default is `true`. A device node out of a
    /// disk one does not trust gives access to this computer's devices. Without them devices go into the
    /// sidecar manifest alone.
    #[must_use]
    pub fn devices(mut self, create: bool) -> Self {
        self.devices = create;
        self
    }

    /// Whether to wait until everything is on the disk before the work counts as done; the default is `true`.
    #[must_use]
    pub fn sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }

    /// Resolves paths one component at a time even where the kernel could do it in one step: for tests of what
    /// runs on other systems.
    #[doc(hidden)]
    #[must_use]
    pub fn component_walk(mut self) -> Self {
        self.component_walk = true;
        self
    }
}
