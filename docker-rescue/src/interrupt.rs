//! Ctrl-C: the first lets the work stop where it can say truthfully what it did, the second ends the program.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::Exit;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Takes over Ctrl-C (and SIGTERM).
pub(crate) fn catch() {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            process::exit(Exit::Interrupted as i32);
        }
    };
    // Without a handler Ctrl-C still ends the program; only the report would be missing.
    let _ = ctrlc::set_handler(handler);
}

/// The flag that bulk work looks at.
pub(crate) fn flag() -> &'static AtomicBool {
    &INTERRUPTED
}

/// Whether Ctrl-C was pressed.
pub(crate) fn happened() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
