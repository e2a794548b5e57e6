//! `volume`: what volumes there are, and copies of them.

use std::io::Write;

use docker_rescue::data_root::{Volume as FoundVolume, VolumeData};
use docker_rescue::file_tree::printable;
use docker_rescue::recover::describe_elsewhere;
use docker_rescue::{Error, LastLink, Source};
use serde_json::{Value, json};

use super::args::{General, Volume};
use super::{Outcome, conclude, copy, exit_for, fs, open};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{json, message, table, text};

pub(super) fn run(verb: &Volume, general: &General) -> Outcome {
    match verb {
        Volume::Ls { source } => list(&open(source, general)?, general),
        Volume::Inspect { source, volumes } => inspect(&open(source, general)?, volumes),
        Volume::Cp { source, volume, target } => {
            let source = open(source, general)?;
            let told = source.notes();
            let (name, path) = split(&text::parse_path(volume));
            let volume = docker_rescue::find_volume(&source, &name)?;
            if let VolumeData::Elsewhere(place) = &volume.data {
                let place = describe_elsewhere(place);
                return Err(Error::DataElsewhere { name, place }.into());
            }
            let tree = volume.tree().map_err(Error::from)?;
            let node = fs::find(&tree, &path, LastLink::Keep)?;
            let own_name = match fs::last_name(&path) {
                [] => name.as_bytes(),
                last => last,
            };
            let exit = copy::copy(node, own_name, target, general)?;
            Ok(conclude(&source, &told, exit))
        }
    }
}

/// `VOLUME` or `VOLUME:PATH`.
fn split(argument: &[u8]) -> (String, Vec<u8>) {
    let mut halves = argument.splitn(2, |&byte| byte == b':');
    let name = halves.next().unwrap_or_default();
    (String::from_utf8_lossy(name).into_owned(), halves.next().unwrap_or_default().to_vec())
}

fn list(source: &Source, general: &General) -> Outcome {
    let mut damaged = false;
    let mut volumes = Vec::new();
    for found in source.data_roots()? {
        let there = found.data_root.volumes();
        for finding in &there.findings {
            damaged = true;
            message::warning(&format!("{}: {} ({})", finding.path, finding.problem, finding.cost));
        }
        volumes.extend(there.list);
    }
    if general.json {
        for volume in &volumes {
            json::print_line(&describe(volume))?;
        }
    } else if volumes.is_empty() {
        writeln!(std::io::stdout(), "no volumes")?;
    } else {
        table::print(["DRIVER", "VOLUME NAME", "DATA", "USED BY"], &[], volumes.iter().map(row))?;
    }
    Ok(if damaged { Exit::Incomplete } else { exit_for(source) })
}

fn describe(volume: &FoundVolume) -> Value {
    json!({
        "name": volume.name,
        "driver": volume.driver,
        "labels": volume.labels,
        "options": volume.options,
        "mountpoint": volume.mountpoint,
        "is_anonymous": volume.is_anonymous(),
        "record": volume.record,
        "data": volume.data,
        "used_by": volume.used_by,
    })
}

fn row(volume: &FoundVolume) -> [String; 4] {
    let data = match &volume.data {
        VolumeData::Here => "here".to_owned(),
        VolumeData::Elsewhere(elsewhere) => format!("not here: {}", describe_elsewhere(elsewhere)),
        _ => "missing".to_owned(),
    };
    let users: Vec<_> = volume.used_by.iter().map(|usage| usage.container.as_str()).collect();
    [&volume.driver, &volume.name, &data, &users.join(", ")].map(|cell| printable(cell.as_bytes()))
}

/// Docker prints JSON whatever it is asked for, and so does this.
fn inspect(source: &Source, names: &[String]) -> Outcome {
    let volumes: Vec<_> = names
        .iter()
        .map(|name| docker_rescue::find_volume(source, name))
        .collect::<Result<_, _>>()
        .map_err(Failure::from)?;
    json::print(&volumes.iter().map(FoundVolume::inspect).collect::<Vec<_>>())?;
    Ok(exit_for(source))
}
