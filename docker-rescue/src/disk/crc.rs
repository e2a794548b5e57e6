//! The two checksums of disk formats: CRC-32 (GPT) and CRC-32C (VHDX), both reflected, as in RFC 3720, B.4.

/// CRC-32 with the polynomial of IEEE 802.3.
pub(super) fn crc32(parts: &[&[u8]]) -> u32 {
    const TABLE: [u32; 256] = table(0xedb8_8320);
    checksum(&TABLE, parts)
}

/// CRC-32C, with the polynomial of Castagnoli.
pub(super) fn crc32c(parts: &[&[u8]]) -> u32 {
    const TABLE: [u32; 256] = table(0x82f6_3b78);
    checksum(&TABLE, parts)
}

/// The checksum of a structure that holds it in the four bytes at `at`, which count as zeros.
pub(super) fn without_field(bytes: &[u8], at: usize, checksum: fn(&[&[u8]]) -> u32) -> Option<u32> {
    let head = bytes.get(..at)?;
    let tail = bytes.get(at.checked_add(4)?..)?;
    Some(checksum(&[head, &[0; 4], tail]))
}

fn checksum(table: &[u32; 256], parts: &[&[u8]]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let index = usize::from(crc.to_le_bytes()[0] ^ byte);
        (crc >> 8) ^ table.get(index).copied().unwrap_or_default()
    };
    !parts.iter().copied().flatten().fold(!0, step)
}

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn table(polynomial: u32) -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte: u8 = 0;
    loop {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { polynomial } else { 0 };
            bit += 1;
        }
        table[byte as usize] = crc;
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{crc32, crc32c, without_field};

    #[test]
    fn checksums_agree_with_the_published_check_values() {
        assert_eq!(crc32(&[b"1234", b"56789"]), 0xcbf4_3926);
        assert_eq!(crc32c(&[b"123456789"]), 0xe306_9283);
        assert_eq!(without_field(b"12\0\0\0\x007", 2, crc32), Some(crc32(&[b"12\0\0\0\x007"])));
    }
}
