//! The manifest of what a destination could not hold: JSON Lines, one object for each entry concerned.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use serde_json::{Map, Value, json};

use crate::timestamp::decimal;
use crate::{Error, FileKind, Metadata, NotKept, Result, Xattr, printable};

/// What of an entry was not kept.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent losses")]
pub(crate) struct Lost {
    pub(crate) owner: bool,
    pub(crate) mode: bool,
    pub(crate) times: bool,
    pub(crate) kind: bool,
    /// The path it has instead of its own, if it was renamed.
    pub(crate) stored_as: Option<Vec<u8>>,
    /// The file it was to be a hard link to.
    pub(crate) hard_link_to: Option<Vec<u8>>,
    pub(crate) xattrs: Vec<Xattr>,
}

impl Lost {
    pub(crate) fn is_nothing(&self) -> bool {
        !(self.owner
            || self.mode
            || self.times
            || self.kind
            || self.stored_as.is_some()
            || self.hard_link_to.is_some()
            || !self.xattrs.is_empty())
    }

    pub(crate) fn count(&self) -> NotKept {
        NotKept {
            owners: self.owner.into(),
            modes: self.mode.into(),
            times: self.times.into(),
            xattrs: (!self.xattrs.is_empty()).into(),
            kinds: self.kind.into(),
            names: self.stored_as.is_some().into(),
            hard_links: self.hard_link_to.is_some().into(),
        }
    }

    fn names(&self) -> Vec<&'static str> {
        [
            (self.owner, "owner"),
            (self.mode, "mode"),
            (self.times, "times"),
            (!self.xattrs.is_empty(), "xattrs"),
            (self.kind, "kind"),
            (self.stored_as.is_some(), "name"),
            (self.hard_link_to.is_some(), "hard_link"),
        ]
        .into_iter()
        .filter_map(|(lost, name)| lost.then_some(name))
        .collect()
    }
}

/// The manifest, created with its first line.
#[derive(Debug)]
pub(crate) struct Sidecar {
    path: Option<PathBuf>,
    out: Option<BufWriter<File>>,
}

impl Sidecar {
    /// Fails with [`Error::NotEmpty`] if the file exists.
    pub(crate) fn new(path: Option<PathBuf>) -> Result<Self> {
        match &path {
            Some(path) if path.symlink_metadata().is_ok() => Err(Error::NotEmpty(path.display().to_string())),
            _ => Ok(Self { path, out: None }),
        }
    }

    pub(crate) fn record(
        &mut self,
        path: &[u8],
        lost: &Lost,
        metadata: &Metadata,
        target: Option<&[u8]>,
    ) -> Result<()> {
        let Some(file) = &self.path else { return Ok(()) };
        let error = |error| io_error("write", file, error);
        if self.out.is_none() {
            let file = File::options().write(true).create_new(true).open(part_path(file)).map_err(error)?;
            self.out = Some(BufWriter::new(file));
        }
        let Some(out) = &mut self.out else { return Ok(()) };
        serde_json::to_writer(&mut *out, &line(path, lost, metadata, target))
            .map_err(io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
            .map_err(error)
    }

    /// Gives the file its name.
    pub(crate) fn finish(self) -> Result<()> {
        let (Some(path), Some(out)) = (self.path, self.out) else { return Ok(()) };
        let put_in_place = || {
            out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            fs::rename(part_path(&path), &path)
        };
        put_in_place().map_err(|error| io_error("write", &path, error))
    }
}

fn part_path(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    PathBuf::from(part)
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io { action, path: path.display().to_string(), source }
}

/// A line of the manifest; the README documents it.
fn line(path: &[u8], lost: &Lost, metadata: &Metadata, target: Option<&[u8]>) -> Value {
    let mut line = Map::new();
    insert_bytes(&mut line, "path", path);
    line.insert("not_kept".into(), lost.names().into());
    line.insert("kind".into(), metadata.kind.name().into());
    line.insert("mode".into(), format!("{:04o}", metadata.mode).into());
    line.insert("uid".into(), metadata.uid.into());
    line.insert("gid".into(), metadata.gid.into());
    line.insert("size".into(), metadata.size.into());
    for (key, time) in [
        ("accessed", Some(metadata.accessed)),
        ("modified", Some(metadata.modified)),
        ("changed", Some(metadata.changed)),
        ("created", metadata.created),
    ] {
        line.extend(time.map(|time| (key.into(), decimal(time).into())));
    }
    if matches!(metadata.kind, FileKind::CharDevice | FileKind::BlockDevice) {
        line.insert("rdev".into(), json!([metadata.rdev.major, metadata.rdev.minor]));
    }
    for (key, bytes) in [
        ("target", target),
        ("stored_as", lost.stored_as.as_deref()),
        ("hard_link_to", lost.hard_link_to.as_deref()),
    ] {
        if let Some(bytes) = bytes {
            insert_bytes(&mut line, key, bytes);
        }
    }
    if !lost.xattrs.is_empty() {
        line.insert("xattrs".into(), lost.xattrs.iter().map(xattr).collect());
    }
    line.into()
}

fn xattr(xattr: &Xattr) -> Value {
    let mut object = Map::new();
    insert_bytes(&mut object, "name", &xattr.name);
    object.insert("value_base64".into(), BASE64.encode(&xattr.value).into());
    object.into()
}

/// Inserts bytes as text, and in base64 beside it if they are not UTF-8 and so the text does not say all.
fn insert_bytes(object: &mut Map<String, Value>, key: &str, bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        object.insert(key.into(), text.into());
    } else {
        object.insert(key.into(), printable(bytes).into());
        object.insert(format!("{key}_base64"), BASE64.encode(bytes).into());
    }
}
