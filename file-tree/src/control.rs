use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// How a caller watches and stops bulk work. The default neither reports nor stops.
#[derive(Clone, Copy, Default)]
pub struct Control<'a> {
    /// Called from the working threads, often: it must be cheap.
    pub progress: Option<&'a (dyn Fn(Event<'_>) + Sync)>,
    /// Checked between steps; once `true`, the work stops with what it has and its report says so.
    pub cancel: Option<&'a AtomicBool>,
}

/// A step of bulk work.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Work on this path begins.
    Entry(&'a [u8]),
    /// This many bytes of content were copied since the last event. Holes do not count: they cost no time.
    Bytes(u64),
}

impl Control<'_> {
    pub(crate) fn tell(&self, event: Event<'_>) {
        if let Some(progress) = self.progress {
            progress(event);
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self.cancel {
            Some(cancel) if cancel.load(Ordering::Relaxed) => Err(Error::Cancelled),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Control<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}
