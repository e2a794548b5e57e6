use std::collections::HashMap;
use std::path::Path;

use super::placement::Existing;
use super::{DirectoryOptions, DirectoryWriter};
use crate::content::{ContentReader, Piece, each_range};
use crate::{
    Attributes, Control, Error, Event, FileId, FileKind, FileTree, Node, Report, Result, Step, Walk, walk,
};

/// Writes a tree into a directory, which is created or must be empty.
///
/// The work does not stop at damage: the report tells what could not be read, and where. It ends early when it is
/// cancelled, when the disk is full, over its quota or read-only; then, too, the report tells truly what was
/// written ([`Report::cancelled`], [`Report::stopped`]). What the destination cannot keep goes into the sidecar
/// manifest ([`DirectoryOptions::sidecar`]).
///
/// Fails only before anything is written: with [`Error::NotEmpty`] if the destination is not empty, with the
/// tree's error if its root cannot be opened.
pub fn write_directory(
    tree: &dyn FileTree,
    destination: &Path,
    options: &DirectoryOptions,
    control: &Control<'_>,
) -> Result<Report> {
    if tree.root()?.metadata().kind != FileKind::Directory {
        return Err(Error::NotADirectory);
    }
    let writer = DirectoryWriter::with_existing(destination, options, Existing::KeepBoth)?;
    let mut copy = Copy { writer, content: ContentReader::new(control), first_names: HashMap::new() };
    let outcome = copy.all(walk(tree), control);
    Ok(copy.writer.finish_after(outcome))
}

struct Copy<'a> {
    writer: DirectoryWriter,
    content: ContentReader<'a>,
    /// The path of each file that has further names, unless it is one that could not be written.
    first_names: HashMap<FileId, Vec<u8>>,
}

impl Copy<'_> {
    /// An error ends the work.
    fn all(&mut self, mut steps: Walk<'_>, control: &Control<'_>) -> Result<()> {
        while let Some(step) = steps.next() {
            control.check()?;
            let (path, result) = match step {
                Step::Entry { path, node } => {
                    control.tell(Event::Entry(&path));
                    let result = self.entry(&path, &*node);
                    if result.is_err() {
                        steps.skip_directory();
                    }
                    (path, result)
                }
                Step::Leave { path, .. } => {
                    let result = self.writer.close_directory(&path);
                    (path, result)
                }
                Step::Unreadable { path, error } => (path, Err(error)),
            };
            match result {
                Err(error) if error.ends_work() => return Err(error),
                Err(error) => self.writer.report.fail(&path, &error),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &[u8], node: &dyn Node) -> Result<()> {
        let metadata = node.metadata();
        let may_have_names = metadata.links > 1 && metadata.kind != FileKind::Directory;
        if may_have_names && let Some(first) = self.first_names.get(&metadata.id) {
            return self.writer.hard_link(path, first);
        }
        let xattrs = node.xattrs().unwrap_or_else(|error| {
            self.writer.report.damage(path, 0, 0, &error);
            Vec::new()
        });
        let attributes = Attributes { metadata, xattrs: &xattrs };
        let created = self.writer.report.written;
        match metadata.kind {
            FileKind::Directory => self.writer.create_directory(path, &attributes)?,
            FileKind::Regular => self.file(path, node, &attributes)?,
            FileKind::Symlink => self.writer.create_symlink(path, &node.read_link()?, &attributes)?,
            FileKind::Fifo | FileKind::CharDevice | FileKind::BlockDevice | FileKind::Socket => {
                self.writer.create_special(path, &attributes)?;
            }
        }
        if may_have_names && self.writer.report.written != created {
            self.first_names.insert(metadata.id, path.to_vec());
        }
        Ok(())
    }

    fn file(&mut self, path: &[u8], node: &dyn Node, attributes: &Attributes<'_>) -> Result<()> {
        let mut new = self.writer.create_file(path)?;
        let copied = each_range(node, path, &mut self.writer.report, |range, report| {
            self.content.read_range(node, path, range, report, &mut |offset, piece| match piece {
                Piece::Data(data) => new.write_at(data, offset),
                Piece::Lost(_) => Ok(()),
            })
        });
        match copied {
            Ok(()) => self.writer.finish_file(new, attributes),
            Err(error) => {
                self.writer.abandon_file(new);
                Err(error)
            }
        }
    }
}
