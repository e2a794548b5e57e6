use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;

use super::placement::Existing;
use super::workers::{Filled, Job, Workers, fill, read_xattrs};
use super::{DirectoryOptions, DirectoryWriter};
use crate::content::ContentReader;
use crate::{
    Attributes, Control, Error, Event, FileId, FileKind, FileTree, Metadata, Node, Report, Result, Step,
    Walk, walk,
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
    Ok(thread::scope(|scope| {
        let mut copy = Copy {
            workers: Workers::start(scope, options.jobs, writer.rights(), control),
            writer,
            waiting: VecDeque::new(),
            content: ContentReader::new(control),
            first_names: HashMap::new(),
        };
        let outcome = copy.all(walk(tree), control);
        copy.abandon_waiting();
        copy.writer.finish_after(outcome)
    }))
}

/// What is created, recorded and reported, is so in the order of the walk, whoever fills the files.
struct Copy<'a> {
    writer: DirectoryWriter,
    workers: Option<Workers>,
    waiting: VecDeque<Waiting>,
    content: ContentReader<'a>,
    /// The path of each file that has further names, unless it is one that could not be written.
    first_names: HashMap<FileId, Vec<u8>>,
}

/// What comes after files that are still being filled.
enum Waiting {
    File { path: Vec<u8>, metadata: Metadata, filled: Receiver<Filled> },
    Leave { path: Vec<u8> },
}

impl Copy<'_> {
    /// An error ends the work.
    fn all(&mut self, mut steps: Walk<'_>, control: &Control<'_>) -> Result<()> {
        while let Some(step) = steps.next() {
            control.check()?;
            let (path, result) = match step {
                Step::Entry { path, node } => {
                    control.tell(Event::Entry(&path));
                    let result = self.entry(&path, node);
                    if result.is_err() {
                        steps.skip_directory();
                    }
                    (path, result)
                }
                Step::Leave { path, .. } => {
                    self.waiting.push_back(Waiting::Leave { path });
                    self.settle(self.most_waiting())?;
                    continue;
                }
                Step::Unreadable { path, error } => (path, Err(error)),
            };
            if result.is_err() {
                self.settle(0)?;
            }
            self.report(&path, result)?;
        }
        self.settle(0)
    }

    fn most_waiting(&self) -> usize {
        self.workers.as_ref().map_or(0, Workers::most_waiting)
    }

    /// Completes what waits, in order, until no more than `most` are left.
    fn settle(&mut self, most: usize) -> Result<()> {
        while self.waiting.len() > most
            && let Some(first) = self.waiting.pop_front()
        {
            let (path, result) = match first {
                Waiting::Leave { path } => {
                    let result = self.writer.close_directory(&path);
                    (path, result)
                }
                Waiting::File { path, metadata, filled } => {
                    // A worker that panicked takes the whole work with it.
                    let filled = filled.recv().map_err(|_| Error::Cancelled)?;
                    let result = self.writer.finish_filled(filled, &metadata);
                    (path, result)
                }
            };
            self.report(&path, result)?;
        }
        Ok(())
    }

    fn report(&mut self, path: &[u8], result: Result<()>) -> Result<()> {
        match result {
            Err(error) if error.ends_work() => Err(error),
            Err(error) => {
                self.writer.report.fail(path, &error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Removes the files that were not completed because the work ended.
    fn abandon_waiting(&mut self) {
        for waiting in self.waiting.drain(..) {
            if let Waiting::File { filled, .. } = waiting
                && let Ok(filled) = filled.recv()
            {
                self.writer.abandon_file(filled.new);
            }
        }
    }

    fn entry(&mut self, path: &[u8], node: Arc<dyn Node>) -> Result<()> {
        let metadata = node.metadata();
        if metadata.kind == FileKind::Directory {
            return self.directory(path, &*node);
        }
        if metadata.kind == FileKind::Regular && metadata.links <= 1 {
            return self.file(path, node);
        }
        // What is recorded of these comes behind what is recorded of the files before.
        self.settle(0)?;
        let has_names = metadata.links > 1;
        if has_names && let Some(first) = self.first_names.get(&metadata.id) {
            return self.writer.hard_link(path, first);
        }
        let created = self.writer.report.written;
        match metadata.kind {
            FileKind::Regular => {
                let job =
                    Job { new: self.writer.create_file(path)?, path: path.to_vec(), node: Arc::clone(&node) };
                let filled = fill(job, &mut self.content, self.writer.rights());
                self.writer.finish_filled(filled, metadata)?;
            }
            FileKind::Symlink => {
                let xattrs = read_xattrs(&*node, path, &mut self.writer.report);
                let attributes = Attributes { metadata, xattrs: &xattrs };
                self.writer.create_symlink(path, &node.read_link()?, &attributes)?;
            }
            _ => {
                let xattrs = read_xattrs(&*node, path, &mut self.writer.report);
                self.writer.create_special(path, &Attributes { metadata, xattrs: &xattrs })?;
            }
        }
        if has_names && self.writer.report.written != created {
            self.first_names.insert(metadata.id, path.to_vec());
        }
        Ok(())
    }

    fn directory(&mut self, path: &[u8], node: &dyn Node) -> Result<()> {
        let mut damage = Report::default();
        let xattrs = read_xattrs(node, path, &mut damage);
        if !damage.is_complete() {
            self.settle(0)?;
            self.writer.report.add_damage(damage);
        }
        self.writer.create_directory(path, &Attributes { metadata: node.metadata(), xattrs: &xattrs })
    }

    fn file(&mut self, path: &[u8], node: Arc<dyn Node>) -> Result<()> {
        let metadata = node.metadata().clone();
        let job = Job { new: self.writer.create_file(path)?, path: path.to_vec(), node };
        let Some(workers) = &self.workers else {
            let filled = fill(job, &mut self.content, self.writer.rights());
            return self.writer.finish_filled(filled, &metadata);
        };
        let filled = workers.hand_over(job);
        self.waiting.push_back(Waiting::File { path: path.to_vec(), metadata, filled });
        self.settle(self.most_waiting())
    }
}
