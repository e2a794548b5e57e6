use std::path::{Path, PathBuf};
use std::sync::Arc;

use qcow2_reader::{Backing, Header, Qcow2};

use super::beside::{NamedFile, open_beside, open_named};
use super::bytes::read_vec;
use super::opened::Opened;
use super::{Bytes, Error, Note, Result};

/// How many images may stand on each other.
const MAX_DEPTH: usize = 64;
/// Memory for the tables of all images of a chain together.
const TABLE_CACHE_BYTES: u64 = 32 << 20;

/// One qcow2 image of a chain, before it is opened.
struct Layer {
    file: Bytes,
    header: Header,
    /// The file, unless it is the image the caller gave.
    named: Option<NamedFile>,
    data_file: Option<Bytes>,
}

/// Opens the qcow2 image `file` with the images it stands on. `backing` is read in place of the backing file that the
/// image names.
pub(super) fn open(
    image: &Path,
    file: Bytes,
    backing: Option<&PathBuf>,
    opened: &mut Opened,
) -> Result<Qcow2<Bytes>> {
    let top = Layer::read(image, file, None, opened)?;
    let mut lower = Vec::new();
    let mut next = find_backing(image, &top, backing, opened)?;
    let mut base = None;
    let mut above = vec![canonical(image)];
    while let Some((file, named, format)) = next {
        let path = named.path.clone();
        if above.contains(&canonical(&path)) {
            return Err(Error::Refused {
                image: named.image,
                name: path.display().to_string(),
                reason: "leads back to an image that stands on it",
            });
        }
        above.push(canonical(&path));
        if format == Format::Raw {
            base = Some(file);
            break;
        }
        if lower.len() >= MAX_DEPTH {
            let needed = lower.len().saturating_add(1) as u64;
            return Err(Error::Limit { what: "backing files", needed, allowed: MAX_DEPTH as u64 });
        }
        let layer = Layer::read(&path, file, Some(named), opened)?;
        next = find_backing(&path, &layer, None, opened)?;
        lower.push(layer);
    }
    let cache_bytes =
        TABLE_CACHE_BYTES.checked_div(lower.len().saturating_add(1) as u64).unwrap_or(TABLE_CACHE_BYTES);
    for layer in lower.into_iter().rev() {
        base = Some(Arc::new(layer.open(base, cache_bytes)?));
    }
    top.open(base, cache_bytes)
}

impl Layer {
    fn read(image: &Path, file: Bytes, named: Option<NamedFile>, opened: &mut Opened) -> Result<Self> {
        let header = Header::read(&file).map_err(|error| explain(named.as_ref(), error.into()))?;
        let name = image.file_name().unwrap_or_default().to_string_lossy();
        if header.is_dirty() {
            opened.notes.push(Note::info(format!(
                "{name} was not closed, as when its machine crashes; its reference counts are out of date, \
                 which reading does not need"
            )));
        }
        if header.is_marked_corrupt() {
            opened.notes.push(Note::warning(format!(
                "{name} is marked as corrupt by the program that last wrote it"
            )));
        }
        if header.snapshot_count() > 0 {
            opened.notes.push(Note::info(format!(
                "{name} has {} internal snapshots; the current state of the disk is read",
                header.snapshot_count()
            )));
        }
        let data_file = header.has_data_file().then(|| {
            let name = String::from_utf8_lossy(header.data_file_name().unwrap_or_default()).into_owned();
            open_beside(image, &name, opened).map(|(file, _)| file)
        });
        Ok(Self { file, header, named, data_file: data_file.transpose()? })
    }

    fn open(self, base: Option<Bytes>, cache_bytes: u64) -> Result<Qcow2<Bytes>> {
        let mut options = qcow2_reader::OpenOptions::new().table_cache_bytes(cache_bytes);
        if let Some(base) = base {
            options = options.backing(Backing::Source(Box::new(base)));
        }
        if let Some(data_file) = self.data_file {
            options = options.data_file(data_file);
        }
        options.open(self.file).map_err(|error| explain(self.named.as_ref(), error.into()))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Raw,
    Qcow2,
}

/// Opens the backing file of `layer`, if it has one.
fn find_backing(
    image: &Path,
    layer: &Layer,
    given: Option<&PathBuf>,
    opened: &mut Opened,
) -> Result<Option<(Bytes, NamedFile, Format)>> {
    let Some(name) = layer.header.backing_name() else {
        return if given.is_some() { Err(Error::NoBacking { image: image.into() }) } else { Ok(None) };
    };
    let name = String::from_utf8_lossy(name);
    let (file, named) = match given {
        Some(path) => open_named(image, path.clone(), opened)?,
        None => open_beside(image, &name, opened)?,
    };
    let format = match layer.header.backing_format() {
        Some("raw") => Format::Raw,
        Some("qcow2") => Format::Qcow2,
        Some(other) => {
            return Err(Error::Unsupported {
                feature: format!("a backing file of the format {other:?}"),
                advice: "convert the image with `qemu-img convert -O raw`, which reads its backing file too",
            });
        }
        None => {
            let is_qcow2 = read_vec(&file, "backing file", 0, 4).is_ok_and(|magic| magic == b"QFI\xfb");
            let (format, format_name) =
                if is_qcow2 { (Format::Qcow2, "qcow2") } else { (Format::Raw, "raw") };
            opened.notes.push(Note::info(format!(
                "the format of the backing file {name:?} is not recorded; it is read as {format_name}"
            )));
            format
        }
    };
    Ok(Some((file, named, format)))
}

/// One name for a file, whichever links lead to it.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.into())
}

fn explain(named: Option<&NamedFile>, error: Error) -> Error {
    match named {
        Some(named) => named.explain(error),
        None => error,
    }
}
