//! A CRC tells not only that a block is damaged: where only one byte is, it tells which one, and what it was.

use crate::bytes::Fields;
use crate::checksum::{crc32c, damaged_byte};

const CHECKSUM_LEN: usize = 4;

/// The CRC-32C of a block, its own checksum at `field` taken for zeros.
pub(super) fn checksum_without(seed: u32, bytes: &[u8], field: usize) -> u32 {
    let (before, rest) = bytes.split_at_checked(field).unwrap_or((bytes, &[]));
    let after = rest.get(CHECKSUM_LEN..).unwrap_or_default();
    crc32c(crc32c(crc32c(seed, before), &[0; CHECKSUM_LEN]), after)
}

/// The block as it was before one of its bytes was damaged. `None` if it is not one byte, or none.
pub(super) fn block(seed: u32, bytes: &[u8], field: usize) -> Option<Vec<u8>> {
    let stored = Fields(bytes).u32_be(field);
    let difference = checksum_without(seed, bytes, field) ^ stored;
    let mut mended = bytes.to_vec();
    if difference.to_be_bytes().iter().filter(|&&byte| byte != 0).count() == 1 {
        // The damaged byte is one of the checksum's own; what it guards is whole.
        return Some(mended);
    }
    let (position, change) = damaged_byte(difference, bytes.len())?;
    let end_of_field = field.saturating_add(CHECKSUM_LEN);
    if (field..end_of_field).contains(&position) {
        return None;
    }
    *mended.get_mut(position)? ^= change;
    Some(mended)
}

/// The same for the journal's superblock, whose checksum has a seed of its own.
pub(super) fn superblock(bytes: &[u8], field: usize) -> Option<Vec<u8>> {
    block(!0, bytes, field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_one_byte_is_mended_and_two_are_not() {
        let mut whole: Vec<u8> = (0..=u8::MAX).cycle().take(1024).map(|at| at.wrapping_mul(at)).collect();
        let field = 0xfc;
        let checksum = checksum_without(7, &whole, field);
        whole[field..field + 4].copy_from_slice(&checksum.to_be_bytes());
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= [1, 0x80, 0xff, 0x5a][position % 4];
            let mended = block(7, &damaged, field).expect("mended");
            let differs = |at: &usize| mended[*at] != whole[*at];
            let wrong: Vec<_> = (0..whole.len()).filter(differs).collect();
            let in_field = (field..field + 4).contains(&position);
            assert_eq!(wrong, if in_field { vec![position] } else { vec![] });
            damaged[(position + 300) % 1024] ^= 0x10;
            assert!(block(7, &damaged, field).is_none_or(|mended| mended != whole));
        }
    }
}
