//! Copies one volume out of a dead Docker disk into a directory.
//!
//! ```sh
//! cargo run --example recover_volume -- Docker.qcow2 my-volume rescued
//! ```

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;

use docker_rescue::file_tree::{Control, DirectoryOptions, write_directory};
use docker_rescue::{Source, find_volume};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [source, volume, target] = args.as_slice() else {
        return Err("usage: recover_volume SOURCE VOLUME TARGET".into());
    };

    let mut out = stdout().lock();
    let source = Source::open(source)?;
    for note in source.notes() {
        writeln!(out, "{:?}: {}", note.level, note.message)?;
    }

    let tree = find_volume(&source, volume)?.tree()?;
    let options = DirectoryOptions::default().sidecar(format!("{target}.not-kept.jsonl"));
    let report = write_directory(&tree, Path::new(target), &options, &Control::default())?;

    writeln!(out, "{} files, {} bytes of data", report.written.files, report.written.data_bytes)?;
    for failure in &report.failed {
        writeln!(out, "not copied: {}: {}", failure.path, failure.reason)?;
    }
    for damage in &report.damaged {
        let at = damage.offset;
        writeln!(out, "unreadable: {} bytes from {at} of {}: {}", damage.len, damage.path, damage.reason)?;
    }
    if report.is_complete() { Ok(()) } else { Err("some of it could not be read".into()) }
}
