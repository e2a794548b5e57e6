//! The one place that creates files under a destination.

#[cfg(unix)]
mod attributes;
#[cfg(unix)]
mod beneath;
mod from_tree;
mod name_rules;
mod options;
mod placement;
#[cfg(not(unix))]
mod portable;
mod workers;
mod writer;

#[cfg(not(unix))]
use portable::{attributes, beneath};

pub use from_tree::write_directory;
pub use options::DirectoryOptions;
pub use writer::{DirectoryWriter, NewFile};
