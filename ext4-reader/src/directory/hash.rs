//! The hashes of names by which directories are indexed.

use crate::HashSigns;

/// A hash, and how it takes bytes above 127.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash {
    kind: Kind,
    signs: HashSigns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Legacy,
    HalfMd4,
    Tea,
}

/// The hash that marks the end of a directory to those who list it by hash, and is therefore no name's.
const END_OF_DIRECTORY: u32 = 0x7fff_ffff << 1;

/// MD4's initial state, used unless the file system has a seed of its own.
const DEFAULT_SEED: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

impl Hash {
    /// Versions 0 to 2 take bytes as the file system's maker did, 3 to 5 as unsigned. `None` for others; 6 is `SipHash`, of
    /// which only encrypted directories make use.
    pub(super) fn from_version(version: u8, default_signs: HashSigns) -> Option<Self> {
        let (kind, signs) = match version {
            0 => (Kind::Legacy, default_signs),
            1 => (Kind::HalfMd4, default_signs),
            2 => (Kind::Tea, default_signs),
            3 => (Kind::Legacy, HashSigns::Unsigned),
            4 => (Kind::HalfMd4, HashSigns::Unsigned),
            5 => (Kind::Tea, HashSigns::Unsigned),
            _ => return None,
        };
        Some(Self { kind, signs })
    }

    /// The hash of a name; its lowest bit is 0.
    pub(super) fn of(self, name: &[u8], seed: &[u32; 4]) -> u32 {
        let mut state = if *seed == [0; 4] { DEFAULT_SEED } else { *seed };
        let hash = match self.kind {
            Kind::Legacy => self.legacy(name),
            Kind::HalfMd4 => {
                for start in (0..name.len()).step_by(32) {
                    half_md4(&mut state, &self.words::<8>(name.get(start..).unwrap_or_default()));
                }
                state[1]
            }
            Kind::Tea => {
                for start in (0..name.len()).step_by(16) {
                    tea(&mut state, &self.words::<4>(name.get(start..).unwrap_or_default()));
                }
                state[0]
            }
        };
        match hash & !1 {
            END_OF_DIRECTORY => END_OF_DIRECTORY.wrapping_sub(2),
            hash => hash,
        }
    }

    fn value(self, byte: u8) -> u32 {
        match self.signs {
            HashSigns::Signed => i32::from(byte.cast_signed()).cast_unsigned(),
            HashSigns::Unsigned => byte.into(),
        }
    }

    fn legacy(self, name: &[u8]) -> u32 {
        let (mut before, mut last) = (0x37ab_e8f9_u32, 0x12a3_fe2d_u32);
        for &byte in name {
            let mut hash = before.wrapping_add(last ^ self.value(byte).wrapping_mul(7_152_373));
            if hash & 0x8000_0000 != 0 {
                hash = hash.wrapping_sub(0x7fff_ffff);
            }
            (before, last) = (last, hash);
        }
        last << 1
    }

    /// The first `4 * N` bytes of what is left of a name, as words; missing bytes are filled with the length.
    fn words<const N: usize>(self, name: &[u8]) -> [u32; N] {
        let len = u32::try_from(name.len()).unwrap_or(u32::MAX);
        let padding = (len | len << 8) & 0xffff;
        let padding = padding | padding << 16;
        let mut words = [padding; N];
        for (word, bytes) in words.iter_mut().zip(name.chunks(4)) {
            *word = bytes.iter().fold(padding, |word, &byte| self.value(byte).wrapping_add(word << 8));
        }
        words
    }
}

fn tea(state: &mut [u32; 4], &[key0, key1, key2, key3]: &[u32; 4]) {
    const DELTA: u32 = 0x9e37_79b9;
    let [mut x, mut y, ..] = *state;
    let mut sum = 0_u32;
    for _ in 0..16 {
        sum = sum.wrapping_add(DELTA);
        let mix = |v: u32, k: u32, l: u32| {
            (v << 4).wrapping_add(k) ^ v.wrapping_add(sum) ^ (v >> 5).wrapping_add(l)
        };
        x = x.wrapping_add(mix(y, key0, key1));
        y = y.wrapping_add(mix(x, key2, key3));
    }
    state[0] = state[0].wrapping_add(x);
    state[1] = state[1].wrapping_add(y);
}

/// MD4 with three rounds of eight steps.
fn half_md4(state: &mut [u32; 4], input: &[u32; 8]) {
    let select = |x: u32, y: u32, z: u32| z ^ (x & (y ^ z));
    let majority = |x: u32, y: u32, z: u32| (x & y).wrapping_add((x ^ y) & z);
    let parity = |x: u32, y: u32, z: u32| x ^ y ^ z;

    let mut mixed = *state;
    round(&mut mixed, input, select, 0, [0, 1, 2, 3, 4, 5, 6, 7], [3, 7, 11, 19]);
    round(&mut mixed, input, majority, 0x5a82_7999, [1, 3, 5, 7, 0, 2, 4, 6], [3, 5, 9, 13]);
    round(&mut mixed, input, parity, 0x6ed9_eba1, [3, 7, 2, 6, 1, 5, 0, 4], [3, 9, 11, 15]);
    for (word, mixed) in state.iter_mut().zip(mixed) {
        *word = word.wrapping_add(mixed);
    }
}

fn round(
    state: &mut [u32; 4],
    input: &[u32; 8],
    mix: impl Fn(u32, u32, u32) -> u32,
    constant: u32,
    order: [usize; 8],
    rotations: [u32; 4],
) {
    for (position, rotation) in order.into_iter().zip(rotations.into_iter().cycle()) {
        let [a, b, c, d] = *state;
        let word = input.get(position).copied().unwrap_or(0);
        let a = a.wrapping_add(mix(b, c, d)).wrapping_add(word).wrapping_add(constant).rotate_left(rotation);
        *state = [d, a, b, c];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `debugfs -R "dx_hash -h KIND NAME"` of e2fsprogs 1.47 prints, without a seed.
    #[test]
    fn hashes_are_those_of_e2fsprogs() {
        let rows = [
            (0, "a", 0xe74b_53e2),
            (0, "lost+found", 0x5e2a_ba24),
            (0, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0x382d_277e),
            (0, "grüße-aus-dem-verzeichnis", 0xbe23_d734),
            (1, "a", 0xd5fa_7d7a),
            (1, "lost+found", 0x591d_e422),
            (1, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0xa583_68b6),
            (1, "grüße-aus-dem-verzeichnis", 0x7c90_1540),
            (2, "a", 0x6d0e_a4c0),
            (2, "lost+found", 0x2dbf_9e80),
            (2, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0xb3f4_bbfc),
            (2, "grüße-aus-dem-verzeichnis", 0x52bd_5258),
        ];
        for (version, name, expected) in rows {
            let hash = Hash::from_version(version, HashSigns::Signed).unwrap().of(name.as_bytes(), &[0; 4]);
            assert_eq!(hash, expected, "version {version}, {name:?}");
        }
    }
}
