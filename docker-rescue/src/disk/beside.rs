//! Files that an image names: its backing file, its extents. A name is data of a stranger, who must not make us read
//! other files of this computer, so it may only lead to a file in the image's own folder or below.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::host_file::HostFile;
use super::opened::Opened;
use super::{Bytes, Error, Note, Result};

/// A file that an image names.
#[derive(Debug, Clone)]
pub(super) struct NamedFile {
    pub(super) path: PathBuf,
    /// The image that names it.
    pub(super) image: PathBuf,
}

impl NamedFile {
    /// Says of an error which file it concerns.
    pub(super) fn explain(&self, error: Error) -> Error {
        Error::Named { path: self.path.clone(), image: self.image.clone(), source: Box::new(error) }
    }
}

/// Opens the file `name` of `image`, and records that it is read.
pub(super) fn open_beside(image: &Path, name: &str, opened: &mut Opened) -> Result<(Bytes, NamedFile)> {
    let path = resolve(image, name, &mut opened.notes)?;
    open_named(image, path, opened)
}

/// Opens a file in its role as a part of `image`, and records that it is read.
pub(super) fn open_named(image: &Path, path: PathBuf, opened: &mut Opened) -> Result<(Bytes, NamedFile)> {
    let named = NamedFile { path, image: image.into() };
    let file = HostFile::open(&named.path).map_err(|error| named.explain(error))?;
    opened.also_read.push(named.path.clone());
    Ok((Arc::new(file), named))
}

fn resolve(image: &Path, name: &str, notes: &mut Vec<Note>) -> Result<PathBuf> {
    let refused = |reason| Error::Refused { image: image.into(), name: name.into(), reason };
    if name.is_empty() {
        return Err(refused("is no name at all"));
    }
    if is_protocol(name) {
        return Err(refused("is not the name of a file"));
    }
    let canonical = |path: &Path| {
        path.canonicalize().map_err(|source| {
            let named = NamedFile { path: path.into(), image: image.into() };
            named.explain(Error::Open { path: path.into(), source })
        })
    };
    let image = image.canonicalize().map_err(|source| Error::Open { path: image.into(), source })?;
    let folder = image.parent().ok_or_else(|| refused("has no folder to be looked for in"))?;
    let there = folder.join(name);
    let absolute = Path::new(name).is_absolute() || is_windows_absolute(name);
    if absolute && !there.exists() {
        // An image moved from another computer or folder still has the old path inside.
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let path = canonical(&folder.join(last))?;
        if !path.starts_with(folder) {
            return Err(refused("leads out of the image's folder"));
        }
        notes
            .push(Note::warning(format!("{name:?} is gone; {last:?} beside the image is read in its place")));
        return Ok(path);
    }
    let path = canonical(&there)?;
    if path.starts_with(folder) { Ok(path) } else { Err(refused("leads out of the image's folder")) }
}

/// `json:{...}`, `nbd://...`, but not `C:\...`.
fn is_protocol(name: &str) -> bool {
    let scheme = name.split(['/', '\\']).next().unwrap_or_default();
    scheme.find(':').is_some_and(|at| at > 1)
}

fn is_windows_absolute(name: &str) -> bool {
    name.starts_with(r"\\")
        || (name.get(1..2) == Some(":") && name.starts_with(|c: char| c.is_ascii_alphabetic()))
}
