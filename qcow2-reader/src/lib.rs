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

mod cache;
mod codec;
mod compressed;
mod error;
mod extension;
mod extent;
mod features;
mod fields;
mod geometry;
mod guest_map;
mod header;
mod image;
mod l1;
mod l2;
mod options;
mod recent;
mod run;
mod source;
mod tables;
mod units;

pub use error::{Corrupt, Error, Result};
pub use extent::{Extent, ExtentKind};
pub use header::{Compression, Encryption, Header};
pub use image::Qcow2;
pub use options::{Backing, OpenOptions};
pub use source::{DynSource, FromFn, ReadAt, from_fn};
