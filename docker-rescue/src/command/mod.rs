//! The verbs of the command.

mod args;
mod check;
mod copy;
mod fs;
mod info;
mod recover;
mod volume;

use std::path::Path;

use docker_rescue::disk::{Level, Note};
use docker_rescue::{Source, SourceOptions};

pub(crate) use args::Cli;
use args::{General, Verb};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::message;

type Outcome = Result<Exit, Failure>;

/// Does what the command line says.
pub(crate) fn run(cli: &Cli) -> Outcome {
    let general = &cli.general;
    match &cli.verb {
        Verb::Info { source: Some(source) } => info::of_source(source, general),
        Verb::Info { source: None } => info::of_computer(general),
        Verb::Check { source } => check::run(source, general),
        Verb::Recover(args) => recover::run(args, general),
        Verb::Volume(verb) => volume::run(verb, general),
        Verb::Fs(verb) => fs::run(verb, general),
    }
}

/// Opens a source and says on standard error what its user has to know.
fn open(path: &Path, general: &General) -> Result<Source, Failure> {
    let source = open_quietly(path, general)?;
    for file in source.disk().iter().flat_map(|disk| disk.also_read()) {
        message::note(&Note {
            level: Level::Info,
            message: format!("also reads {}, which {} names", file.display(), path.display()),
        });
    }
    for note in source.notes() {
        message::note(&note);
    }
    Ok(source)
}

fn open_quietly(path: &Path, general: &General) -> Result<Source, Failure> {
    let options = SourceOptions {
        backing: general.backing.clone(),
        partition: general.partition,
        data_root: general.data_root.clone(),
    };
    Ok(Source::open_with(path, &options)?)
}

/// Says what was found since `told`, while files were read, and how the command ends that would have ended with `exit`.
fn conclude(source: &Source, told: &[Note], exit: Exit) -> Exit {
    let mut is_damaged = false;
    for note in source.notes().iter().filter(|note| !told.contains(note)) {
        is_damaged |= note.level == Level::Warning;
        message::note(note);
    }
    match exit {
        Exit::Done if is_damaged => Exit::Incomplete,
        Exit::Done => exit_for(source),
        other => other,
    }
}

/// How the command ends if all that it was told is done, but what it was done to may be out of date.
fn exit_for(source: &Source) -> Exit {
    if source.parts().iter().any(docker_rescue::Part::is_out_of_date) { Exit::Incomplete } else { Exit::Done }
}
