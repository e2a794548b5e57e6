//! What no path leads to: inodes by number, files whose directory is gone, and deleted ones.

mod inode_set;
mod lost;
mod scan;

pub(crate) use lost::lost_files;
pub use scan::Scan;
