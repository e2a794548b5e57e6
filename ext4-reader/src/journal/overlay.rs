//! Which blocks have newer copies in the journal than in their own places.

use std::collections::BTreeMap;

use super::header::MAGIC;
use crate::units::BlockIndex;

/// From blocks of the file system to their newest committed copies. It holds where these lie, not what they hold.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    copies: BTreeMap<u64, LoggedCopy>,
}

/// Where a copy lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoggedCopy {
    /// On the file system or, if the journal has a device of its own, on that.
    pub(crate) place: BlockIndex,
    /// The block begins with the journal's magic number, in place of which the copy has zeros.
    pub(crate) is_escaped: bool,
}

impl Overlay {
    pub(super) fn insert(&mut self, block: u64, copy: LoggedCopy) {
        self.copies.insert(block, copy);
    }

    pub(crate) fn len(&self) -> usize {
        self.copies.len()
    }

    pub(crate) fn find(&self, block: BlockIndex) -> Option<LoggedCopy> {
        self.copies.get(&block.0).copied()
    }

    /// How many blocks from this one on lie either all in their own places or all in the journal, at most `blocks`.
    pub(crate) fn alike(&self, first: BlockIndex, blocks: u64) -> u64 {
        let end = first.0.saturating_add(blocks);
        let mut copied = self.copies.range(first.0..end).map(|(&block, _)| block);
        match copied.next() {
            Some(block) if block == first.0 => {
                let mut count = 1;
                while copied.next() == first.0.checked_add(count) {
                    count = count.saturating_add(1);
                }
                count
            }
            Some(block) => block.saturating_sub(first.0),
            None => blocks,
        }
    }
}

impl LoggedCopy {
    /// Puts back what the log must not hold. `bytes` begin `offset` bytes into the block.
    pub(crate) fn unescape(self, bytes: &mut [u8], offset: u64) {
        if self.is_escaped {
            let magic = MAGIC.to_be_bytes();
            let hidden = magic.get(crate::bytes::to_usize(offset)..).unwrap_or_default();
            bytes.iter_mut().zip(hidden).for_each(|(to, from)| *to = *from);
        }
    }
}
