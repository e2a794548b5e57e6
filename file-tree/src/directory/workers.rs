//! Threads that fill files which the writer created: each reads a file's content from the tree and writes it through the
//! open handle. Names are the writer's alone.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

use super::attributes::Rights;
use super::writer::NewFile;
use crate::content::{ContentReader, Piece, each_range};
use crate::sidecar::Lost;
use crate::{Attributes, Control, Node, Report, Result, Xattr};

/// A file that was created, and what it is to be filled with.
pub(super) struct Job {
    pub(super) new: NewFile,
    pub(super) path: Vec<u8>,
    pub(super) node: Arc<dyn Node>,
}

/// A file that was filled, or was not.
pub(super) struct Filled {
    pub(super) new: NewFile,
    /// What of the file could not be read.
    pub(super) report: Report,
    /// What the destination did not keep; an error if the file is not to stay.
    pub(super) result: Result<Lost>,
}

/// The threads. They end when this is dropped.
pub(super) struct Workers {
    jobs: SyncSender<(Job, SyncSender<Filled>)>,
    most_waiting: usize,
}

/// How many files may be open for each thread: enough that a large one does not keep the others waiting.
const FILES_PER_THREAD: usize = 8;

impl Workers {
    /// `None` for one thread: the caller's own.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        threads: usize,
        rights: Rights,
        control: &'scope Control<'_>,
    ) -> Option<Self> {
        if threads <= 1 {
            return None;
        }
        let most_waiting = threads.saturating_mul(FILES_PER_THREAD);
        let (sender, receiver) = mpsc::sync_channel::<(Job, SyncSender<Filled>)>(most_waiting);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..threads {
            let receiver = Arc::clone(&receiver);
            scope.spawn(move || {
                let mut content = ContentReader::new(control);
                let next = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok((job, done)) = next() {
                    // Nobody waits for it only if the work has ended in a panic.
                    let _ = done.send(fill(job, &mut content, rights));
                }
            });
        }
        Some(Self { jobs: sender, most_waiting })
    }

    /// How many files may be on their way before the caller has to wait.
    pub(super) fn most_waiting(&self) -> usize {
        self.most_waiting
    }

    pub(super) fn hand_over(&self, job: Job) -> Receiver<Filled> {
        let (done, filled) = mpsc::sync_channel(1);
        // Should all threads be gone, the receiver says so.
        let _ = self.jobs.send((job, done));
        filled
    }
}

/// Copies a file's content and gives it its attributes.
pub(super) fn fill(job: Job, content: &mut ContentReader<'_>, rights: Rights) -> Filled {
    let Job { mut new, path, node } = job;
    let mut report = Report::default();
    let xattrs = read_xattrs(&*node, &path, &mut report);
    let copied = each_range(&*node, &path, &mut report, |range, report| {
        content.read_range(&*node, &path, range, report, &mut |offset, piece| match piece {
            Piece::Data(data) => new.write_at(data, offset),
            Piece::Lost(_) => Ok(()),
        })
    });
    let attributes = Attributes { metadata: node.metadata(), xattrs: &xattrs };
    let result = copied.and_then(|()| new.complete(&attributes, rights));
    Filled { new, report, result }
}

/// The attributes of a file; where they cannot be read, none.
pub(super) fn read_xattrs(node: &dyn Node, path: &[u8], report: &mut Report) -> Vec<Xattr> {
    node.xattrs().unwrap_or_else(|error| {
        report.damage(path, 0, 0, &error);
        Vec::new()
    })
}
