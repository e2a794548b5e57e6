use std::path::PathBuf;

/// How a directory is written. The default keeps everything the destination and our rights allow, and writes no
/// sidecar manifest.
#[derive(Debug, Clone)]
pub struct DirectoryOptions {
    pub(super) sidecar: Option<PathBuf>,
    pub(super) devices: bool,
    pub(super) sync: bool,
    pub(super) component_walk: bool,
    pub(super) jobs: usize,
}

/// More would rather wait for the disk than for each other.
const MAX_JOBS: usize = 16;

impl Default for DirectoryOptions {
    fn default() -> Self {
        Self { sidecar: None, devices: true, sync: true, component_walk: false, jobs: 1 }
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

    /// How many threads [`write_directory`](crate::write_directory) fills files with, at most 16; the default is 1. Each
    /// takes about 1 MiB of memory, and up to 8 files for each are open at once. Names, order and report do not
    /// depend on it.
    #[must_use]
    pub fn jobs(mut self, threads: usize) -> Self {
        self.jobs = threads.clamp(1, MAX_JOBS);
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
