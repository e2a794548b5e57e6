//! What no path leads to: inodes by number, files whose directory is gone, and deleted ones.

pub(crate) mod bitmap;
mod deleted;
mod inode_set;
mod lost;
mod scan;

pub use deleted::Remains;
pub(crate) use deleted::remains;
pub(crate) use lost::{is_hidden, lost_files};
pub use scan::Scan;
