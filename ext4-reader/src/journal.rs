//! The journal: whether it holds changes that have not reached their places yet.

use crate::features::{COMPAT_HAS_JOURNAL, INCOMPAT_RECOVER};
use crate::{Ext4, InodeNumber, ReadAt, Result};

/// What the journal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalState {
    /// There is no journal, as on ext2. Whether the file system was unmounted in order only
    /// [`Superblock::is_marked_clean`](crate::Superblock::is_marked_clean) tells.
    Absent,
    /// Nothing: the file system was unmounted in order.
    Clean,
    /// Changes that the kernel would apply at the next mount. **They are not applied to what this crate shows**: files
    /// may be missing, out of date, or of mixed age.
    NeedsReplay,
}

/// The start of the log, in the journal's own superblock (big-endian):
///
/// ```text
/// 0x00 magic 0xc03b3998   0x04 kind of block   0x1c first block of the log, or 0 if it is empty
/// ```
const MAGIC: u32 = 0xc03b_3998;
const START_OF_LOG: usize = 0x1c;
const HEAD_LEN: usize = 0x20;

pub(crate) fn state<S: ReadAt>(filesystem: &Ext4<S>) -> JournalState {
    let superblock = filesystem.superblock();
    if superblock.features().has_incompat(INCOMPAT_RECOVER) {
        // The feature is set while the file system is mounted; the log may be empty all the same. Where that cannot be
        // read, the worse is true.
        match log_is_empty(filesystem) {
            Ok(true) => JournalState::Clean,
            Ok(false) | Err(_) => JournalState::NeedsReplay,
        }
    } else if superblock.features().has_compat(COMPAT_HAS_JOURNAL) {
        JournalState::Clean
    } else {
        JournalState::Absent
    }
}

fn log_is_empty<S: ReadAt>(filesystem: &Ext4<S>) -> Result<bool> {
    let journal = filesystem.inode(InodeNumber(filesystem.superblock().journal_inode))?;
    let mut head = [0; HEAD_LEN];
    filesystem.read_content(&journal, &mut head, 0)?;
    let field = |offset: usize| {
        let bytes = head.get(offset..).and_then(|rest| rest.first_chunk::<4>());
        bytes.map(|bytes| u32::from_be_bytes(*bytes))
    };
    Ok(field(0) == Some(MAGIC) && field(START_OF_LOG) == Some(0))
}
