#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

pub mod bolt;
mod containers;
mod driver;
mod error;
mod finding;
mod inspect;
mod local_options;
mod place;
mod records;
mod root;
mod search;
mod volume;
mod volumes;

pub use driver::StorageDriver;
pub use error::{Corrupt, Error, Result};
pub use finding::Finding;
pub use inspect::Inspect;
pub use root::DataRoot;
pub use search::{Reach, Search};
pub use volume::{Elsewhere, RecordState, Usage, Volume, VolumeData};
pub use volumes::Volumes;
