//! Times as decimal numbers of seconds since 1970, the form PAX archives, `touch -d @` and the sidecar use.

use std::time::Duration;

use crate::Timestamp;

const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// Writes a time as a decimal number, without trailing zeros. Times before 1970 are negative as a whole:
/// -0.25 is 250 ms before.
pub(crate) fn decimal(time: Timestamp) -> String {
    let nanoseconds = time.nanoseconds.min(NANOSECONDS_PER_SECOND - 1);
    let (sign, whole, fraction) = match (time.seconds, nanoseconds) {
        (0.., _) => ("", time.seconds.unsigned_abs(), nanoseconds),
        (_, 0) => ("-", time.seconds.unsigned_abs(), 0),
        (_, _) => (
            "-",
            time.seconds.unsigned_abs().saturating_sub(1),
            NANOSECONDS_PER_SECOND.saturating_sub(nanoseconds),
        ),
    };
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:09}");
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

/// Reads such a number; digits beyond nanoseconds are dropped towards the past. Python's `tarfile` writes numbers
/// near 0 with an exponent, `-1e-09`.
pub(crate) fn parse(text: &[u8]) -> Option<Timestamp> {
    if text.contains(&b'e') {
        return from_float(std::str::from_utf8(text).ok()?.parse().ok()?);
    }
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        other => (false, other),
    };
    let mut parts = text.splitn(2, |&byte| byte == b'.');
    let (whole, fraction) = (parts.next()?, parts.next().unwrap_or_default());
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let seconds = whole
        .iter()
        .try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_add(i64::from(decimal_digit(*digit)?)))?;
    let mut nanoseconds = 0_u32;
    let mut unit = 100_000_000_u32;
    let mut remainder = false;
    for digit in fraction {
        let digit = decimal_digit(*digit)?;
        remainder |= unit == 0 && digit != 0;
        nanoseconds = nanoseconds.checked_add(digit.checked_mul(unit)?)?;
        unit /= 10;
    }
    if !negative {
        return Some(Timestamp { seconds, nanoseconds });
    }
    let nanoseconds = nanoseconds.checked_add(u32::from(remainder))?;
    let seconds = seconds.checked_neg()?;
    match nanoseconds {
        0 => Some(Timestamp { seconds, nanoseconds }),
        _ => Some(Timestamp {
            seconds: seconds.checked_sub(1)?,
            nanoseconds: NANOSECONDS_PER_SECOND.checked_sub(nanoseconds)?,
        }),
    }
}

fn from_float(seconds: f64) -> Option<Timestamp> {
    let magnitude = Duration::try_from_secs_f64(seconds.abs()).ok()?;
    let sign = if seconds < 0.0 { "-" } else { "" };
    parse(format!("{sign}{}.{:09}", magnitude.as_secs(), magnitude.subsec_nanos()).as_bytes())
}

fn decimal_digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(10)
}
