//! CRC-32 with the most significant bit first, as transactions of journals without CRC-32C use it.

/// The value after `bytes`, from the one before them; neither inverted before nor after.
pub(crate) fn crc32(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |crc, &byte| {
        let [high, ..] = crc.to_be_bytes();
        entry(high ^ byte) ^ (crc << 8)
    })
}

const POLYNOMIAL: u32 = 0x04c1_1db7;

static TABLE: [u32; 256] = table();

#[expect(clippy::indexing_slicing, reason = "no byte is above 255")]
fn entry(byte: u8) -> u32 {
    TABLE[byte as usize]
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, which would refuse"
)]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc >> 31 == 0 { crc << 1 } else { crc << 1 ^ POLYNOMIAL };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::crc32;

    /// "CRC-32/MPEG-2" of the catalogue of parametrised CRC algorithms.
    #[test]
    fn the_check_value_of_the_catalogue() {
        assert_eq!(crc32(!0, b"123456789"), 0x0376_e6e7);
        assert_eq!(crc32(crc32(!0, b"1234"), b"56789"), 0x0376_e6e7);
    }
}
