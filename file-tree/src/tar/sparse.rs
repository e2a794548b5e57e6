//! The maps of files with holes.

use super::{BLOCK_BYTES, number};
use crate::DataRange;

/// Checks that ranges ascend within a file of this size and are just what the archive stores of it: each but the
/// last fills whole blocks, as all versions of GNU tar write it.
pub(super) fn check(ranges: &[DataRange], size: u64, stored: u64) -> Result<(), &'static str> {
    let mut end = 0_u64;
    let mut sum = 0_u64;
    for range in ranges {
        if range.offset < end {
            return Err("the ranges of a sparse file overlap");
        }
        if sum.checked_next_multiple_of(BLOCK_BYTES as u64) != Some(sum) {
            return Err("a range of a sparse file is not of whole blocks");
        }
        end = range.offset.checked_add(range.len).ok_or("a range of a sparse file is too large")?;
        sum = sum.saturating_add(range.len);
    }
    if end > size {
        return Err("a range of a sparse file ends behind the file");
    }
    if sum != stored {
        return Err("the map of a sparse file does not fit its content");
    }
    Ok(())
}

/// Reads the map of sparse format 1.0: decimal numbers, each with a newline: how many ranges, then offset and
/// length of each.
#[derive(Default)]
pub(super) struct MapReader {
    numbers: Vec<u64>,
    digits: Vec<u8>,
    announced: Option<u64>,
}

impl MapReader {
    pub(super) fn add(&mut self, block: &[u8; BLOCK_BYTES]) -> Result<(), &'static str> {
        for &byte in block {
            if self.is_complete() {
                break;
            }
            if byte != b'\n' {
                self.digits.push(byte);
                if self.digits.len() > MAX_DIGITS {
                    return Err("the map of a sparse file is malformed");
                }
                continue;
            }
            let value = number::decimal(&self.digits).ok_or("the map of a sparse file is malformed")?;
            self.digits.clear();
            match self.announced {
                None => self.announced = Some(value),
                Some(_) => self.numbers.push(value),
            }
        }
        Ok(())
    }

    pub(super) fn announced(&self) -> u64 {
        self.announced.unwrap_or(0)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.announced.is_some_and(|count| self.numbers.len() as u64 >= count.saturating_mul(2))
    }

    pub(super) fn into_ranges(self) -> Vec<DataRange> {
        self.numbers.as_chunks::<2>().0.iter().map(|&[offset, len]| DataRange { offset, len }).collect()
    }
}

/// Of the largest number of 64 bits.
const MAX_DIGITS: usize = 20;
