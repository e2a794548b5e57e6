#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod control;
mod error;
mod metadata;
mod report;
mod tree;

pub use control::{Control, Event};
pub use error::{Error, Result};
pub use metadata::{Device, FileId, FileKind, Metadata, Timestamp, Xattr};
pub use report::{Counts, Damage, Failure, NotKept, Report};
pub use tree::{BoxNode, DataRange, DirEntry, FileTree, Node};
