//! The crate against the kernel, GNU tar and what hostile input may try.
#![cfg(unix)]

#[path = "../../../testdata/support.rs"]
mod support;

mod damage;
mod directory;
mod hostile_tar;
mod jobs;
mod memory_tree;
mod ordinary_user;
mod other_file_systems;
mod rich;
mod tar_mutations;
mod tar_reading;
mod tar_writing;
mod walking;
