//! The disk side: from a file of any format, or a block device, to the bytes of the guest's disk, its partitions and
//! the file systems on them.
//!
//! ```text
//! file --host_file--> qcow2 chain | VHDX | VMDK | raw --Disk--> partitions --Slice--> file system
//! ```
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

mod beside;
mod bytes;
mod chain;
mod crc;
mod error;
mod filesystem;
mod format;
mod guest_disk;
mod guid;
mod host_file;
mod note;
mod opened;
mod partitions;
mod slice;
mod vhdx;
mod vmdk;

use std::sync::Arc;

use qcow2_reader::ReadAt;

pub use error::{Error, Result};
pub use filesystem::FileSystem;
pub use format::DiskFormat;
pub use guest_disk::{Disk, OpenOptions};
pub use guid::Guid;
pub use note::{Level, Note};
pub use partitions::{Partition, PartitionKind, PartitionTable, Scheme};
pub use slice::Slice;

/// Bytes of any origin, to be read at any offset and shared between threads.
pub type Bytes = Arc<dyn ReadAt + Send + Sync>;
