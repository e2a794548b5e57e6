//! The numbers in the fields of a tar header: octal digits (POSIX), or, with the first bit set, a big-endian
//! two's complement number (GNU, "base-256").

/// Writes a number as octal digits and a NUL, or in base-256 if it has too many digits.
pub(super) fn put(field: &mut [u8], value: u64) {
    let digits = field.len().saturating_sub(1);
    let octal = format!("{value:0digits$o}");
    if octal.len() <= digits {
        field.fill(0);
        for (to, from) in field.iter_mut().zip(octal.bytes()) {
            *to = from;
        }
        return;
    }
    field.fill(0);
    for (to, from) in field.iter_mut().rev().zip(value.to_be_bytes().iter().rev()) {
        *to = *from;
    }
    if let Some(first) = field.first_mut() {
        *first |= 0x80;
    }
}

/// Whether a number fits a field as octal digits and a NUL.
pub(super) fn fits_octal(value: u64, field_len: u32) -> bool {
    let bits = field_len.saturating_sub(1).saturating_mul(3);
    value.checked_shr(bits).unwrap_or_default() == 0
}

/// Reads a number that may be negative. An empty field is 0; `None` if it is malformed or too large.
pub(super) fn signed(field: &[u8]) -> Option<i64> {
    match field {
        [first, rest @ ..] if first & 0x80 != 0 => {
            // The first bit is the mark, the second the sign.
            let negative = first & 0x40 != 0;
            let top = if negative { i64::from(first.cast_signed()) } else { i64::from(first & 0x3f) };
            rest.iter().try_fold(top, |sum, &byte| sum.checked_mul(256)?.checked_add(i64::from(byte)))
        }
        _ => {
            let text = field.split(|&byte| byte == 0).next().unwrap_or_default().trim_ascii();
            text.iter().try_fold(0_i64, |sum, &byte| match byte {
                b'0'..=b'7' => sum.checked_mul(8)?.checked_add(i64::from(byte & 7)),
                _ => None,
            })
        }
    }
}

/// Reads a number that cannot be negative.
pub(super) fn unsigned(field: &[u8]) -> Option<u64> {
    signed(field)?.try_into().ok()
}

/// Reads the decimal digits of a PAX record.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, &byte| match byte {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(byte & 15)),
        _ => None,
    })
}
