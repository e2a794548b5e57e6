use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A file or directory that gets its name only when it is complete. Until then it is called `<name>.partial`, so that
/// what a crash or Ctrl-C leaves behind is never taken for the whole.
#[derive(Debug)]
pub(crate) struct Landing {
    target: PathBuf,
    partial: PathBuf,
}

impl Landing {
    pub(crate) fn new(target: &Path) -> Self {
        let mut partial = target.as_os_str().to_owned();
        partial.push(".partial");
        Self { target: target.to_owned(), partial: partial.into() }
    }

    /// Where to write to.
    pub(crate) fn partial(&self) -> &Path {
        &self.partial
    }

    /// Gives it its name.
    pub(crate) fn complete(self) -> Result<()> {
        fs::rename(&self.partial, &self.target).map_err(|source| Error::Write {
            action: "rename to",
            path: self.target,
            source,
        })
    }
}
