//! CRC-16 (ARC), as group descriptors have it under the feature `uninit_bg`: a running value, not inverted.

const POLYNOMIAL: u16 = 0xa001;

/// The value after `bytes`, from the one before them.
pub(crate) fn crc16(seed: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(seed, |crc, &byte| {
        (0..u8::BITS).fold(
            crc ^ u16::from(byte),
            |crc, _| {
                if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ POLYNOMIAL }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_catalogued_check_value() {
        assert_eq!(super::crc16(0, b"123456789"), 0xbb3d);
    }
}
