use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use file_tree::{
    BoxNode, Control, DirectoryOptions, FileKind, Node, Report, SubTree, TarOptions, write_directory,
    write_tar,
};

use crate::landing::Landing;
use crate::one_file::OneFile;
use crate::{Error, Result};

/// What becomes of a file that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// It stays, and the copy fails with [`Error::Exists`].
    No,
    /// A file is replaced once the copy is complete. Directories are never replaced.
    Files,
}

/// Copies a file of any kind, or a directory with all below it, to `target`, which gets its name once the copy is
/// complete; a directory may be there if it is empty.
///
/// What the place cannot keep is recorded beside it, in `<target>.not-kept.jsonl`. Unreadable parts are told in the
/// report; the copy has zeros there.
pub fn copy_out(node: BoxNode, target: &Path, overwrite: Overwrite, control: &Control<'_>) -> Result<Report> {
    let is_directory = node.metadata().kind == FileKind::Directory;
    if let Ok(there) = fs::symlink_metadata(target) {
        let is_empty = || fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_none());
        match (is_directory, there.is_dir()) {
            (true, true) if is_empty() => {}
            (true, true) => return Err(Error::NotEmpty { path: target.to_owned() }),
            (false, false) if overwrite == Overwrite::Files => {}
            _ => return Err(Error::Exists { path: target.to_owned() }),
        }
    }

    let record = beside(target, ".not-kept.jsonl");
    if overwrite == Overwrite::No && record.exists() {
        return Err(Error::Exists { path: record });
    }
    let landing = Landing::new(target);
    let new_record = beside(landing.partial(), ".not-kept.jsonl");
    let options = DirectoryOptions::default().sidecar(&new_record);
    let node: Arc<dyn Node> = Arc::from(node);
    let report = if is_directory {
        write_directory(&SubTree::at(node)?, landing.partial(), &options, control)?
    } else {
        // The writer fills directories: a single file is written into one of its own, and moved out of it.
        let tree = OneFile { name: b"file".to_vec(), file: node };
        let mut report = write_directory(&tree, landing.partial(), &options, control)?;
        report.written.directories = 0;
        report
    };
    if !report.is_finished() || (!is_directory && report.failed_count > 0) {
        return Ok(report);
    }

    if is_directory {
        landing.complete()?;
    } else {
        // A kind of file that cannot be created here is in the record alone.
        if report.not_kept.kinds == 0 {
            rename(&landing.partial().join("file"), target)?;
        }
        fs::remove_dir(landing.partial())
            .map_err(|source| write_error("remove", landing.partial(), source))?;
    }
    if new_record.exists() {
        rename(&new_record, &record)?;
    } else if record.exists() {
        // It told of the file that was replaced.
        fs::remove_file(&record).map_err(|source| write_error("remove", &record, source))?;
    }
    Ok(report)
}

/// Writes a file of any kind, or a directory with all below it, as a tar archive whose paths begin with `name`.
pub fn copy_out_as_tar(node: BoxNode, name: &[u8], out: impl Write, control: &Control<'_>) -> Result<Report> {
    let node: Arc<dyn Node> = Arc::from(node);
    if node.metadata().kind == FileKind::Directory {
        let options = TarOptions::default().prefix([name, b"/"].concat());
        return Ok(write_tar(&SubTree::at(node)?, out, &options, control)?);
    }
    let tree = OneFile { name: name.to_vec(), file: node };
    let mut report = write_tar(&tree, out, &TarOptions::default().prefix(""), control)?;
    report.written.directories = 0;
    Ok(report)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|source| write_error("rename to", to, source))
}

fn write_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Write { action, path: path.to_owned(), source }
}
