//! Tar archives, as POSIX's pax and GNU tar write them.

mod acl;
mod encode;
mod extended;
mod header;
mod limits;
mod member;
mod number;
mod options;
mod pax;
mod reader;
mod sparse;
mod unpack;
mod write;

pub use limits::TarLimits;
pub use member::{MemberKind, TarMember};
pub use options::TarOptions;
pub use reader::TarReader;
pub use unpack::{UnpackOptions, unpack_tar};
pub use write::write_tar;

/// Everything in an archive is a multiple of this.
const BLOCK_BYTES: usize = 512;
