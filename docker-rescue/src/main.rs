//! The command `docker-rescue`.
#![forbid(unsafe_code)]

mod command;
mod exit;
mod failure;
mod interrupt;
mod output;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = command::Cli::parse();
    interrupt::catch();
    let code = command::run(&cli).unwrap_or_else(failure::Failure::report);
    code.into()
}
