//! Lists the volumes on a dead disk, or in a directory that holds a data root, without Docker:
//!
//! ```sh
//! cargo run -p docker-rescue-examples --example list_volumes -- Docker.qcow2
//! ```

use std::error::Error;
use std::io::{Write, stdout};

use docker_rescue::Source;
use docker_rescue::data_root::{Elsewhere, Volume, VolumeData};

fn main() -> Result<(), Box<dyn Error>> {
    let disk = std::env::args_os().nth(1).ok_or("usage: list_volumes DISK-OR-DIRECTORY")?;
    let source = Source::open(disk)?;
    let mut out = stdout().lock();
    for note in source.notes() {
        writeln!(out, "note: {}", note.message)?;
    }
    for found in source.data_roots()? {
        writeln!(out, "data root {} on {}", found.data_root.display_path(), found.part)?;
        let volumes = found.data_root.volumes();
        for volume in &volumes.list {
            writeln!(out, "  {}: {}", volume.name, describe(volume))?;
        }
        for finding in &volumes.findings {
            writeln!(out, "  damage: {}: {} (cost: {})", finding.path, finding.problem, finding.cost)?;
        }
    }
    Ok(())
}

fn describe(volume: &Volume) -> String {
    let place = match &volume.data {
        VolumeData::Here => "its data is here".to_owned(),
        VolumeData::Elsewhere(Elsewhere::Bind { path }) => format!("its data was in {path} of the machine"),
        VolumeData::Elsewhere(elsewhere) => format!("its data is elsewhere, {elsewhere:?}"),
        _ => "its data is missing".to_owned(),
    };
    let users: Vec<&str> = volume.used_by.iter().map(|usage| usage.container.as_str()).collect();
    if users.is_empty() { place } else { format!("{place}, used by {}", users.join(", ")) }
}
