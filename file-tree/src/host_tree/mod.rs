//! A directory of this computer as a tree.

#[cfg(not(unix))]
mod portable;
#[cfg(unix)]
pub(crate) mod stat;
#[cfg(unix)]
mod unix;
#[cfg(target_os = "linux")]
pub(crate) mod xattr;

use std::fmt;
use std::path::Path;

use crate::{BoxNode, FileTree, Result};

#[cfg(not(unix))]
use portable as platform;
#[cfg(unix)]
use unix as platform;

pub(crate) use platform::node_in;

/// A directory of this computer as a tree. Nothing in it is ever written, not even times of access where the
/// system lets us avoid that.
///
/// On Unix every file is opened relative to its directory's handle, symbolic links are never followed, and
/// fifos and devices are never opened, so a directory that changes meanwhile can neither lead outside nor
/// block; a file that was replaced since it was found is an error. Elsewhere names are taken as UTF-8, modes
/// are 0755 and 0644, hard links appear as separate files, and nobody else may change the directory meanwhile.
pub struct HostTree(platform::Root);

impl HostTree {
    /// Opens the directory `path`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        platform::Root::open(path.as_ref()).map(Self)
    }
}

impl FileTree for HostTree {
    fn root(&self) -> Result<BoxNode> {
        self.0.node()
    }
}

impl fmt::Debug for HostTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostTree").field(&self.0.path()).finish()
    }
}
