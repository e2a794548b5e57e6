use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::AddAssign;
use std::path::Path;

use super::DirectoryOptions;
use super::attributes::{self, Rights};
use super::beneath::Folder;
use super::placement::{Existing, Placement, Spot, check_path, forget_below, split};
use super::workers::Filled;
use crate::content::{ContentReader, Piece, each_range};
use crate::sidecar::{Lost, Sidecar};
use crate::{Attributes, Control, Error, FileKind, Metadata, Report, Result, Xattr};

/// Creates files beneath a directory, one at a time and in any order.
///
/// Paths are relative to the directory, their components separated by `/`; a path with an empty component, with
/// `.`, `..` or a NUL is refused. Directories missing on the way to an entry are created, and an entry replaces
/// one that has its path, except that a directory stays with what is in it. No path is ever resolved through a
/// symbolic link, and nothing that exists is ever opened for writing, so neither what was written before nor
/// what somebody else puts into the directory meanwhile makes a path lead outside.
///
/// What an entry's attributes ask for and the destination cannot hold is no error: it is counted in the report
/// and recorded in the sidecar manifest.
///
/// ```
/// use file_tree::{Attributes, DirectoryOptions, DirectoryWriter, FileKind, Metadata};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let scratch = tempfile::tempdir()?;
/// # let destination = scratch.path().join("out");
/// let mut writer = DirectoryWriter::create(&destination, &DirectoryOptions::default())?;
/// let mut file = writer.create_file(b"etc/motd")?;
/// file.write_at(b"hello\n", 0)?;
/// let metadata = Metadata { size: 6, ..Metadata::new(FileKind::Regular) };
/// writer.finish_file(file, &Attributes { metadata: &metadata, xattrs: &[] })?;
/// let report = writer.finish();
/// assert!(report.is_complete());
/// assert_eq!(std::fs::read(destination.join("etc/motd"))?, b"hello\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DirectoryWriter {
    placement: Placement,
    rights: Rights,
    devices: bool,
    sync: bool,
    /// What the directories get once nothing more is created in them; `None` for those only met on the way.
    pending: BTreeMap<Vec<u8>, Option<Pending>>,
    sidecar: Sidecar,
    pub(crate) report: Report,
}

#[derive(Debug)]
struct Pending {
    metadata: Metadata,
    xattrs: Vec<Xattr>,
}

impl DirectoryWriter {
    /// Begins to write into `destination`, which is created or must be an empty directory; otherwise fails with
    /// [`Error::NotEmpty`].
    pub fn create(destination: impl AsRef<Path>, options: &DirectoryOptions) -> Result<Self> {
        Self::with_existing(destination.as_ref(), options, Existing::Replace)
    }

    pub(super) fn with_existing(
        destination: &Path,
        options: &DirectoryOptions,
        existing: Existing,
    ) -> Result<Self> {
        let shown = || destination.display().to_string();
        let sidecar = Sidecar::new(options.sidecar.clone())?;
        if fs::metadata(destination).is_err() {
            fs::create_dir_all(destination).map_err(|source| Error::Io {
                action: "create",
                path: shown(),
                source,
            })?;
        }
        let placement =
            Placement::open(destination, options.component_walk, existing).map_err(|source| match source
                .kind()
            {
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => Error::NotEmpty(shown()),
                _ => Error::Io { action: "write into", path: shown(), source },
            })?;
        attributes::forget_default_acl(placement.root());
        Ok(Self {
            placement,
            rights: Rights::of_this_process(),
            devices: options.devices,
            sync: options.sync,
            pending: BTreeMap::new(),
            sidecar,
            report: Report::default(),
        })
    }

    /// Creates a directory, or gives one that exists other attributes. They are applied by
    /// [`finish`](Self::finish); until then only we may use it. The empty path is the destination itself.
    pub fn create_directory(&mut self, path: &[u8], attributes: &Attributes<'_>) -> Result<()> {
        if !path.is_empty() && !self.pending.contains_key(path) {
            check_path(path)?;
            self.create_parents(path)?;
            self.placement.create(path, |folder, name| folder.create_folder(name, 0o700))?;
        }
        let pending = Pending { metadata: attributes.metadata.clone(), xattrs: attributes.xattrs.to_vec() };
        if self.pending.insert(path.to_vec(), Some(pending)).is_none() {
            self.report.written.add(FileKind::Directory);
        }
        Ok(())
    }

    /// Creates a regular file to be written. It counts once [`finish_file`](Self::finish_file) was called.
    pub fn create_file(&mut self, path: &[u8]) -> Result<NewFile> {
        let (file, spot) = self.create_entry(path, Folder::create_file)?;
        Ok(NewFile { file, path: path.to_vec(), spot, data_bytes: 0, end: 0 })
    }

    /// Gives a file its size and its attributes. On failure the file is removed.
    pub fn finish_file(&mut self, new: NewFile, attributes: &Attributes<'_>) -> Result<()> {
        self.finish_content(new, attributes, Lost::default())
    }

    /// Removes a file that was not finished.
    pub fn abandon_file(&mut self, new: NewFile) {
        drop(new.file);
        // It is ours and half written. Should even this fail, the report does not count it.
        let _ = new.spot.folder.remove_file(&new.spot.name);
    }

    /// Creates a symbolic link. Its target is kept byte for byte and never looked at.
    pub fn create_symlink(&mut self, path: &[u8], target: &[u8], attributes: &Attributes<'_>) -> Result<()> {
        let made = self.create_entry(path, |folder, name| folder.create_symlink(name, target));
        self.finish_entry(path, made, attributes, Some(target))
    }

    /// Creates a fifo, socket or device, as the attributes say.
    pub fn create_special(&mut self, path: &[u8], attributes: &Attributes<'_>) -> Result<()> {
        let (kind, rdev) = (attributes.metadata.kind, attributes.metadata.rdev);
        let is_device = matches!(kind, FileKind::CharDevice | FileKind::BlockDevice);
        let made = if is_device && !self.devices {
            Err(Error::io("create", path, io::ErrorKind::Unsupported.into()))
        } else {
            self.create_entry(path, |folder, name| folder.create_special(name, kind, rdev))
        };
        self.finish_entry(path, made, attributes, None)
    }

    /// Gives the file at `existing` another name. Where the destination has no hard links it becomes a copy.
    /// Fails with [`Error::NotFound`] if there is no such file.
    pub fn hard_link(&mut self, path: &[u8], existing: &[u8]) -> Result<()> {
        check_path(existing)?;
        let (source, kind) = self.placement.find(existing)?;
        if kind == FileKind::Directory {
            return Err(Error::Unsupported("a hard link to a directory".to_owned()));
        }
        if path == existing {
            return Ok(());
        }
        match self.create_entry(path, |folder, name| folder.hard_link(name, &source.folder, &source.name)) {
            Ok(_) => {
                self.report.written.add_hard_link();
                if self.placement.stored_elsewhere(path).is_none() {
                    return Ok(());
                }
                let node = source.folder.node(&source.name)?;
                self.record(path, Lost::default(), node.metadata(), None)
            }
            Err(error @ Error::Io { .. }) if !error.ends_work() && kind == FileKind::Regular => {
                self.copy_instead(path, existing, &source)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes an entry, a directory with everything in it. Fails with [`Error::NotFound`] if there is none.
    /// What was counted stays counted.
    pub fn remove(&mut self, path: &[u8]) -> Result<()> {
        check_path(path)?;
        self.placement.remove(path)?;
        forget_below(&mut self.pending, path);
        Ok(())
    }

    /// What was done so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Gives the directories their attributes, waits for the disk, and tells what was done. What fails here is
    /// in the report, too.
    pub fn finish(self) -> Report {
        self.finish_after(Ok(()))
    }

    /// Like [`finish`](Self::finish), for work that may have ended early.
    pub(crate) fn finish_after(mut self, outcome: Result<()>) -> Report {
        if let Err(error) = outcome {
            self.report.stop(&error);
        }
        // Backwards, so that a directory comes after those in it: its own mode may make them inaccessible.
        for (path, pending) in std::mem::take(&mut self.pending).into_iter().rev() {
            if let Some(pending) = pending
                && let Err(error) = self.close(&path, &pending)
            {
                self.report.fail(&path, &error);
            }
        }
        if self.sync
            && let Err(error) = self.placement.root().sync()
        {
            self.report.stop(&Error::io("sync", b"", error));
        }
        if let Err(error) = self.sidecar.finish() {
            self.report.stop(&error);
        }
        self.report
    }

    pub(super) fn rights(&self) -> Rights {
        self.rights
    }

    /// Applies a directory's attributes now. One that we could then not enter again waits for the end.
    pub(super) fn close_directory(&mut self, path: &[u8]) -> Result<()> {
        let can_close = |pending: &Pending| self.rights.can_use_directory(pending.metadata.mode);
        if !matches!(self.pending.get(path), Some(Some(pending)) if can_close(pending)) {
            return Ok(());
        }
        match self.pending.remove(path).flatten() {
            Some(pending) => self.close(path, &pending),
            None => Ok(()),
        }
    }

    fn close(&mut self, path: &[u8], pending: &Pending) -> Result<()> {
        let folder = self.placement.folder(path)?;
        let attributes = Attributes { metadata: &pending.metadata, xattrs: &pending.xattrs };
        let lost = attributes::apply_to_folder(&folder, &attributes, self.rights);
        self.record(path, lost, &pending.metadata, None)
    }

    fn create_entry<T>(
        &mut self,
        path: &[u8],
        make: impl Fn(&Folder, &[u8]) -> io::Result<T>,
    ) -> Result<(T, Spot)> {
        check_path(path)?;
        self.create_parents(path)?;
        forget_below(&mut self.pending, path);
        self.placement.create(path, make)
    }

    /// Creates the directories that lead to an entry, where they are missing; what is in their place goes.
    fn create_parents(&mut self, path: &[u8]) -> Result<()> {
        let (parent, _) = split(path);
        if parent.is_empty() || self.pending.contains_key(parent) {
            return Ok(());
        }
        let slashes = parent.iter().enumerate().filter_map(|(at, &byte)| (byte == b'/').then_some(at));
        for end in slashes.chain([parent.len()]) {
            let folder = parent.get(..end).unwrap_or_default();
            if !self.pending.contains_key(folder) {
                self.placement.create(folder, |into, name| into.create_folder(name, 0o755))?;
                self.pending.insert(folder.to_vec(), None);
                self.report.written.add(FileKind::Directory);
            }
        }
        Ok(())
    }

    fn finish_content(&mut self, new: NewFile, attributes: &Attributes<'_>, lost: Lost) -> Result<()> {
        let hard_link_to = lost.hard_link_to;
        let result = new.complete(attributes, self.rights).map(|lost| Lost { hard_link_to, ..lost });
        self.finish_filled(Filled { new, report: Report::default(), result }, attributes.metadata)
    }

    /// Records a file that was filled, or removes it if it could not be.
    pub(super) fn finish_filled(&mut self, filled: Filled, metadata: &Metadata) -> Result<()> {
        let Filled { new, report, result } = filled;
        self.report.add_damage(report);
        match result {
            Ok(lost) => {
                self.report.written.add(FileKind::Regular);
                self.report.written.add_content(metadata.size, new.data_bytes);
                self.record(&new.path, lost, metadata, None)
            }
            Err(error) => {
                self.abandon_file(new);
                Err(error)
            }
        }
    }

    /// Completes an entry that has no content, or records that there is none.
    fn finish_entry(
        &mut self,
        path: &[u8],
        made: Result<((), Spot)>,
        attributes: &Attributes<'_>,
        target: Option<&[u8]>,
    ) -> Result<()> {
        let lost = match made {
            Ok(((), spot)) => {
                self.report.written.add(attributes.metadata.kind);
                attributes::apply_to_name(&spot.folder, &spot.name, attributes, self.rights)
                    .map_err(|error| Error::io("set the attributes of", path, error))?
            }
            Err(error @ Error::Io { .. }) if !error.ends_work() => {
                Lost { kind: true, xattrs: attributes.xattrs.to_vec(), ..Lost::default() }
            }
            Err(error) => return Err(error),
        };
        self.record(path, lost, attributes.metadata, target)
    }

    fn copy_instead(&mut self, path: &[u8], existing: &[u8], source: &Spot) -> Result<()> {
        let node = source.folder.node(&source.name)?;
        let xattrs = node.xattrs()?;
        let mut new = self.create_file(path)?;
        let control = Control::default();
        let mut content = ContentReader::new(&control);
        let copied = each_range(&*node, path, &mut self.report, |range, report| {
            content.read_range(&*node, path, range, report, &mut |offset, piece| match piece {
                Piece::Data(data) => new.write_at(data, offset),
                Piece::Lost(_) => Ok(()),
            })
        });
        if let Err(error) = copied {
            self.abandon_file(new);
            return Err(error);
        }
        let lost = Lost { hard_link_to: Some(existing.to_vec()), ..Lost::default() };
        self.finish_content(new, &Attributes { metadata: node.metadata(), xattrs: &xattrs }, lost)
    }

    fn record(
        &mut self,
        path: &[u8],
        mut lost: Lost,
        metadata: &Metadata,
        target: Option<&[u8]>,
    ) -> Result<()> {
        lost.stored_as = self.placement.stored_elsewhere(path);
        if lost.is_nothing() {
            return Ok(());
        }
        self.report.not_kept.add_assign(lost.count());
        self.sidecar.record(path, &lost, metadata, target)
    }
}

/// A regular file that is being written; see [`DirectoryWriter::create_file`].
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: Vec<u8>,
    spot: Spot,
    data_bytes: u64,
    /// Where the last write ended.
    end: u64,
}

impl NewFile {
    /// Gives it its size and its attributes; tells what was lost.
    pub(super) fn complete(&self, attributes: &Attributes<'_>, rights: Rights) -> Result<Lost> {
        let set = self.file.set_len(attributes.metadata.size);
        set.map_err(|error| Error::io("write", &self.path, error))?;
        Ok(attributes::apply_to_file(&self.file, attributes, rights))
    }

    /// Writes content at an offset in bytes. What is not written stays a hole where the destination has holes.
    pub fn write_at(&mut self, data: &[u8], offset: u64) -> Result<()> {
        self.write(data, offset).map_err(|error| Error::io("write", &self.path, error))
    }

    fn write(&mut self, data: &[u8], offset: u64) -> io::Result<()> {
        if self.end != offset {
            self.file.seek(SeekFrom::Start(offset))?;
        }
        self.file.write_all(data)?;
        let len = data.len() as u64;
        self.data_bytes = self.data_bytes.saturating_add(len);
        self.end = offset.saturating_add(len);
        Ok(())
    }
}
