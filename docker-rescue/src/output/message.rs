//! Diagnostics on standard error: what went wrong, what to mind, what to try.

use std::error::Error;
use std::io::{Write, stderr};

use docker_rescue::disk::{Level, Note};
use docker_rescue::in_one_line;

/// An error and its causes in one line.
pub(crate) fn error(error: &dyn Error) {
    say("error", &in_one_line(error));
}

pub(crate) fn hint(text: &str) {
    say("hint", text);
}

pub(crate) fn warning(text: &str) {
    say("warning", text);
}

pub(crate) fn note(note: &Note) {
    let label = match note.level {
        Level::Warning => "warning",
        Level::Info => "note",
    };
    say(label, &note.message);
}

fn say(label: &str, text: &str) {
    // Where standard error is closed there is nobody to tell. What a disk holds must not control the terminal.
    let text: String =
        text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    let _ = writeln!(stderr(), "{label}: {text}");
}
