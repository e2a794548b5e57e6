//! Where is written to: a new or empty directory that does not lie in the source.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::write_error;
use crate::{Error, Result};

/// Creates the directory, or makes sure that it is empty.
pub(super) fn prepare(output: &Path, source: &Path) -> Result<()> {
    if lies_inside(output, source) {
        return Err(Error::InsideSource { path: output.to_owned() });
    }
    match fs::read_dir(output) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::NotEmpty { path: output.to_owned() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(output).map_err(|source| write_error("create", output, source))
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(Error::Exists { path: output.to_owned() })
        }
        Err(source) => Err(write_error("read", output, source)),
    }
}

/// Whether the place lies in a source that is a directory, or on a file system of a source that is a device.
fn lies_inside(output: &Path, source: &Path) -> bool {
    let (Some(output), Ok(source)) = (nearest_existing(output), source.canonicalize()) else { return false };
    if source.is_dir() { output.starts_with(source) } else { lies_on_device(&output, &source) }
}

/// What of a path is there already, without symbolic links.
fn nearest_existing(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    absolute.ancestors().find_map(|ancestor| ancestor.canonicalize().ok())
}

#[cfg(target_os = "linux")]
fn lies_on_device(output: &Path, device: &Path) -> bool {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};

    let (Ok(output), Ok(device)) = (output.metadata(), device.metadata()) else { return false };
    if !device.file_type().is_block_device() {
        return false;
    }
    // In sysfs a partition lies in its disk's folder.
    let folder = |number: u64| {
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        Path::new(&format!("/sys/dev/block/{major}:{minor}")).canonicalize().ok()
    };
    match (folder(output.dev()), folder(device.rdev())) {
        (Some(output), Some(device)) => output.starts_with(device),
        _ => output.dev() == device.rdev(),
    }
}

#[cfg(not(target_os = "linux"))]
fn lies_on_device(_: &Path, _: &Path) -> bool {
    false
}
