use std::ops::Range;

use super::block_set::BlockSet;

/// Which blocks files have, and which of them several have.
#[derive(Debug)]
pub(super) struct Claims {
    once: BlockSet,
    shared: BlockSet,
    /// Blocks of attributes, which files with the same attributes share by right.
    attributes: BlockSet,
    /// How many blocks are still looked at. Maps that repeat their blocks would keep us here for long.
    left: u64,
}

/// No file system has more blocks in use than there are; this many times over is enough to find out who shares them.
const TIMES: u64 = 4;

impl Claims {
    pub(super) fn new(blocks: u64) -> Self {
        Self {
            once: BlockSet::default(),
            shared: BlockSet::default(),
            attributes: BlockSet::default(),
            left: blocks.saturating_mul(TIMES),
        }
    }

    pub(super) fn add(&mut self, blocks: &Range<u64>) {
        let len = super::len(blocks);
        let left = self.left.checked_sub(len);
        self.left = left.unwrap_or(0);
        if left.is_none() {
            return;
        }
        match self.once.count(blocks) {
            0 => self.once.insert(blocks),
            count if count == len => self.shared.insert(blocks),
            _ => {
                for block in blocks.clone() {
                    let block = block..block.saturating_add(1);
                    let of = if self.once.count(&block) > 0 { &mut self.shared } else { &mut self.once };
                    of.insert(&block);
                }
            }
        }
    }

    pub(super) fn add_attributes(&mut self, block: u64) {
        if !self.attributes.contains(block) {
            let block = block..block.saturating_add(1);
            self.attributes.insert(&block);
            self.add(&block);
        }
    }

    /// Whether more blocks were claimed than could be looked at.
    pub(super) fn is_exhausted(&self) -> bool {
        self.left == 0
    }

    pub(super) fn has_shared(&self) -> bool {
        !self.shared.is_empty()
    }

    /// How many of these blocks several files have.
    pub(super) fn shared(&self, blocks: &Range<u64>) -> u64 {
        self.shared.count(blocks)
    }
}
