//! The data root of a real dockerd, whole and damaged.

#[path = "../../../testdata/support.rs"]
mod support;

mod bolt;
mod damage;
mod disk;
mod find;
mod memory;
mod recorded;
mod volumes;
