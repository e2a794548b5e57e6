use std::collections::HashMap;

use crate::InodeNumber;

/// A set of inodes, a bit for each. It takes memory only around those that are in it, whatever number they claim.
#[derive(Debug, Default)]
pub(super) struct InodeSet(HashMap<u32, u128>);

impl InodeSet {
    /// Whether it was not there yet.
    pub(super) fn insert(&mut self, number: InodeNumber) -> bool {
        let bits = self.0.entry(number.0 / u128::BITS).or_default();
        let bit = 1_u128.wrapping_shl(number.0 % u128::BITS);
        let is_new = *bits & bit == 0;
        *bits |= bit;
        is_new
    }

    pub(super) fn contains(&self, number: InodeNumber) -> bool {
        let bits = self.0.get(&(number.0 / u128::BITS)).copied().unwrap_or_default();
        bits & 1_u128.wrapping_shl(number.0 % u128::BITS) != 0
    }
}
