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

mod content;
mod control;
mod directory;
mod error;
mod host_tree;
mod metadata;
mod name;
mod printable;
mod report;
mod sidecar;
mod sub_tree;
mod tar;
mod timestamp;
mod tree;
mod walk;

pub use control::{Control, Event};
pub use directory::{DirectoryOptions, DirectoryWriter, NewFile, write_directory};
pub use error::{Error, Result};
pub use host_tree::HostTree;
pub use metadata::{Attributes, Device, FileId, FileKind, Metadata, Timestamp, Xattr};
pub use printable::printable;
pub use report::{Counts, Damage, Failure, NotKept, Report};
pub use sub_tree::SubTree;
pub use tar::{
    MemberKind, TarLimits, TarMember, TarOptions, TarReader, UnpackOptions, unpack_tar, write_tar,
};
pub use tree::{BoxNode, DataRange, DirEntry, FileTree, Node};
pub use walk::{Step, Walk, walk};
