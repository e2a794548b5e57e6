//! Which single byte a wrong CRC-32C comes from.

use super::crc32c::TABLES;

/// Where the one byte stands, among `len`, that makes the CRC-32C of a block differ from what it was by `difference`, and
/// by which bits. `None` if no single byte does.
///
/// A CRC is linear: the difference depends only on what was changed and on how many bytes follow. So it is taken back by
/// one byte after the other, until it is what a single byte leaves.
pub(crate) fn damaged_byte(difference: u32, len: usize) -> Option<(usize, u8)> {
    if difference == 0 {
        return None;
    }
    let mut state = difference;
    for position in (0..len).rev() {
        let [.., high] = state.to_le_bytes();
        let (byte, value) = undone(high);
        if value == state {
            return Some((position, byte));
        }
        state = (state ^ value) << 8 | u32::from(byte);
    }
    None
}

/// The byte whose entry in the table has this high byte, and that entry: no two have the same.
fn undone(high: u8) -> (u8, u32) {
    let [table, ..] = &TABLES;
    let found = (0..=u8::MAX).zip(table).find(|(_, entry)| entry.to_le_bytes()[3] == high);
    found.map_or((0, 0), |(byte, entry)| (byte, *entry))
}
