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

mod amendments;
mod block_group;
mod bytes;
mod cache;
mod check;
mod checksum;
mod device;
mod directory;
mod error;
mod features;
mod file;
mod filesystem;
mod finding;
mod inode;
mod journal;
mod mapping;
mod options;
mod orphans;
mod path;
mod read_ahead;
mod salvage;
mod scrutiny;
mod source;
mod superblock;
mod superblock_search;
mod timestamp;
mod units;
mod walk;
mod xattr;

pub use check::{Check, CheckProgress, CheckStep};
pub use checksum::Checksums;
pub use directory::{DirEntry, ReadDir};
pub use error::{Corrupt, Error, Result};
pub use features::Features;
pub use file::File;
pub use filesystem::Ext4;
pub use finding::{Cost, Finding};
pub use inode::{Device, FileKind, Inode};
pub use journal::{Journal, JournalDamage, JournalLoss, JournalState, NotReplayed, Replay};
pub use mapping::{ExtentKind, FileExtent, FileExtents};
pub use options::{OpenOptions, Tolerance};
pub use orphans::{Orphan, OrphanFate};
pub use salvage::{Remains, Scan};
pub use source::{FromFn, ReadAt, from_fn};
pub use superblock::{HashSigns, Superblock};
pub use timestamp::Timestamp;
pub use units::InodeNumber;
pub use walk::{Walk, WalkEntry};
pub use xattr::Xattr;
