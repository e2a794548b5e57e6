//! How the command ends.

use std::process::ExitCode;

/// The exit codes; 2, wrong usage, is the argument parser's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Finished, but some things could not be read, or may be out of date.
    Incomplete = 3,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
