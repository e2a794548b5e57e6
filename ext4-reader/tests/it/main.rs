//! Tests against what the kernel shows of images that mke2fs made, against committed images, and against damage.

#[path = "../../../testdata/support.rs"]
mod support;

mod allocation;
mod check;
mod checksums;
mod damage;
mod exercise;
mod failing_reads;
mod fixtures;
mod manifest;
mod partial_damage;
mod refusals;

// What follows asks the kernel or e2fsprogs.
#[cfg(target_os = "linux")]
mod backups;
#[cfg(target_os = "linux")]
mod bombs;
#[cfg(target_os = "linux")]
mod check_corpus;
#[cfg(target_os = "linux")]
mod corpus;
#[cfg(target_os = "linux")]
mod crash;
#[cfg(target_os = "linux")]
mod deleted;
#[cfg(target_os = "linux")]
mod feature_matrix;
#[cfg(target_os = "linux")]
mod file_contents;
#[cfg(target_os = "linux")]
mod image;
#[cfg(target_os = "linux")]
mod inode_fields;
#[cfg(target_os = "linux")]
mod journal_damage;
#[cfg(target_os = "linux")]
mod journal_forms;
#[cfg(target_os = "linux")]
mod journal_state;
#[cfg(target_os = "linux")]
mod lost;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod paths;
