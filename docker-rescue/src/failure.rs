//! What the command says when it fails.

use std::io;

use docker_rescue::{Error, file_tree};

use crate::exit::Exit;
use crate::interrupt;
use crate::output::message;

/// Why the command could not do what it was told.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The work failed.
    Work(Box<Error>),
    /// Standard output cannot be written to.
    Output(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Work(Box::new(error))
    }
}

impl From<file_tree::Error> for Failure {
    fn from(error: file_tree::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    /// Says on standard error what went wrong and what to try.
    pub(crate) fn report(self) -> Exit {
        match self {
            Self::Work(_) if interrupt::happened() => Exit::Interrupted,
            Self::Work(error) => {
                message::error(&*error);
                if let Some(hint) = error.hint() {
                    message::hint(&hint);
                }
                Exit::Failed
            }
            // Whoever reads has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(error) => {
                message::error(&error);
                Exit::Failed
            }
        }
    }
}
