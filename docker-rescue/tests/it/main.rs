//! Tests of the whole: the library's facade and the command.

#[path = "../../../testdata/support.rs"]
mod support;

mod arrows;
mod bad_input;
mod check;
mod command;
mod disk;
mod engine;
mod fs;
mod kernel_view;
mod known_places;
mod memory;
mod recover;
mod restore;
mod volume;
