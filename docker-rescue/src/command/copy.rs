//! `cp`, of the file system and of volumes.

use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;

use docker_rescue::file_tree::{BoxNode, FileKind, Report};
use docker_rescue::{Overwrite, copy_out, copy_out_as_tar};

use super::args::{General, Target};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt;
use crate::output::progress::Progress;
use crate::output::{json, message, text};

/// Copies a file or directory, whose own name is `name`, to where the user wants it.
pub(super) fn copy(node: BoxNode, name: &[u8], target: &Target, general: &General) -> Result<Exit, Failure> {
    let size = if node.metadata().kind == FileKind::Regular { node.metadata().size } else { 0 };
    let progress = Progress::new(size, general.quiet);
    if target.dest.as_os_str() == "-" {
        let mut out = BufWriter::new(stdout().lock());
        let report = progress.watch(|control| copy_out_as_tar(node, name, &mut out, control))?;
        out.flush()?;
        return Ok(conclude(&report));
    }
    let overwrite = if target.force { Overwrite::Files } else { Overwrite::No };
    let dest = destination(target, name, node.metadata().kind);
    let report = progress.watch(|control| copy_out(node, &dest, overwrite, control))?;
    drop(progress);
    if general.json {
        json::print(&report)?;
    } else {
        let files = report.written.files
            + report.written.symlinks
            + report.written.special
            + report.written.hard_links;
        writeln!(
            stdout(),
            "{}: {}, {}",
            dest.display(),
            text::count(files, "file"),
            text::size(report.written.bytes)
        )?;
    }
    Ok(conclude(&report))
}

/// As `cp` has it: into a directory that is there, else to the path itself. An empty directory takes a directory's
/// entries.
fn destination(target: &Target, name: &[u8], kind: FileKind) -> PathBuf {
    let dest = &target.dest;
    let is_empty = || std::fs::read_dir(dest).is_ok_and(|mut entries| entries.next().is_none());
    if dest.is_dir() && !name.is_empty() && !(kind == FileKind::Directory && is_empty()) {
        dest.join(text::file_name(name))
    } else {
        dest.clone()
    }
}

/// Says what was not copied as it was.
fn conclude(report: &Report) -> Exit {
    const LISTED: usize = 20;
    for failure in report.failed.iter().take(LISTED) {
        message::warning(&format!("not copied: {}: {}", text::path(&failure.path), failure.reason));
    }
    for damage in report.damaged.iter().take(LISTED) {
        message::warning(&text::damage(damage));
    }
    let unlisted = report.failed_count.saturating_sub(LISTED as u64)
        + report.damaged_count.saturating_sub(LISTED as u64);
    if unlisted > 0 {
        message::warning(&format!("and {unlisted} more; --json lists them"));
    }
    if let Some(line) = text::not_kept(&report.not_kept) {
        message::warning(&format!("{line}; the file ending in .not-kept.jsonl records it"));
    }
    if let Some(reason) = &report.stopped {
        message::error(&std::io::Error::other(format!(
            "stopped: {reason}; what was copied is in the .partial directory"
        )));
        return Exit::Failed;
    }
    match () {
        () if report.cancelled || interrupt::happened() => Exit::Interrupted,
        () if report.is_complete() => Exit::Done,
        () => Exit::Incomplete,
    }
}
