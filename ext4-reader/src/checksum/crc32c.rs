//! CRC-32C (Castagnoli), as ext4 and its journal use it: a running value, neither inverted before nor after.

/// The value after `bytes`, from the one before them. The first `seed` of a structure is `!0`, or the file system's.
pub(crate) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<8>();
    let crc = words.iter().fold(seed, |crc, word| {
        let mixed = (u64::from_le_bytes(*word) ^ u64::from(crc)).to_le_bytes();
        (0..8).rev().zip(mixed).fold(0, |crc, (zeros, byte)| crc ^ entry(zeros, byte))
    });
    rest.iter().fold(crc, |crc, &byte| {
        let [low, ..] = crc.to_le_bytes();
        entry(0, low ^ byte) ^ (crc >> 8)
    })
}

const POLYNOMIAL: u32 = 0x82f6_3b78;

/// `TABLES[n][b]` is what the byte `b` becomes with `n` bytes of zeros behind it, so that eight bytes take one step.
pub(super) static TABLES: [[u32; 256]; 8] = tables();

#[expect(clippy::indexing_slicing, reason = "eight tables are asked for, and no byte is above 255")]
fn entry(table: usize, byte: u8) -> u32 {
    TABLES[table][byte as usize]
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, which would refuse"
)]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ POLYNOMIAL };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[zeros - 1][byte];
            tables[zeros][byte] = tables[0][(before & 0xff) as usize] ^ (before >> 8);
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    /// The vectors of RFC 3720, appendix B.4, which invert before and after.
    #[test]
    fn the_vectors_of_iscsi() {
        let ascending: Vec<u8> = (0..32).collect();
        for (bytes, expected) in [
            (&[0; 32][..], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
            (b"123456789", 0xe306_9283),
        ] {
            assert_eq!(!crc32c(!0, bytes), expected);
            // It does not matter where the bytes are cut.
            let (first, rest) = bytes.split_at(5);
            assert_eq!(!crc32c(crc32c(!0, first), rest), expected);
        }
    }
}
