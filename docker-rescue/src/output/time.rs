//! Moments as text, in UTC.

use docker_rescue::file_tree::Timestamp;

/// RFC 3339 to the nanosecond; for years that it cannot express, seconds since 1970.
pub(crate) fn exact(time: Timestamp) -> String {
    to_jiff(time).map_or_else(|| fallback(time), |time| format!("{time:.9}"))
}

/// To the second, as `ls --time-style=long-iso` has it, and longer.
pub(crate) fn short(time: Timestamp) -> String {
    to_jiff(time).map_or_else(|| fallback(time), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn to_jiff(time: Timestamp) -> Option<jiff::Timestamp> {
    // jiff counts nanoseconds away from 1970 on both sides of it.
    let nanoseconds = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds);
    jiff::Timestamp::from_nanosecond(nanoseconds).ok()
}

fn fallback(time: Timestamp) -> String {
    format!("{}.{:09}", time.seconds, time.nanoseconds)
}
