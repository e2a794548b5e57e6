//! Damaged images cost no panic, no endless work and no memory to speak of.

use std::cell::Cell;
use std::io;

use ext4_reader::{Ext4, OpenOptions, ReadAt, Tolerance};

use crate::support::Numbers;
use crate::{allocation, exercise::exercise, fixtures};

/// No structure of ext4 is larger than a block or a value of 64 KiB; a cache is a few times that.
const MOST_BYTES_AT_ONCE: usize = 64 << 20;

/// More reads than any damage of so small a file system may cost.
const MOST_READS: u64 = 2_000_000;

#[test]
fn flipped_bytes_are_survived() {
    for (name, seed) in fixtures::ALL.into_iter().zip(1..) {
        let whole = fixtures::image(name);
        let used: Vec<usize> =
            (0..whole.len()).filter(|&at| whole[at & !255..][..256].iter().any(|&b| b != 0)).collect();
        let mut numbers = Numbers::new(seed);
        for _ in 0..700 {
            let mut image = whole.clone();
            for _ in 0..=numbers.below(4) {
                flip(&mut image, &used, &mut numbers);
            }
            survive(&image);
        }
    }
}

/// Changes one place among those `used` as media and attackers do.
fn flip(image: &mut [u8], used: &[usize], numbers: &mut Numbers) {
    let mut below = |bound: usize| usize::try_from(numbers.below(bound as u64)).expect("small");
    let at = used[below(used.len())];
    let word = at & !3;
    match below(6) {
        0 => image[at] = 0,
        1 => image[at] = 0xff,
        2 => image[at] ^= 1 << below(8),
        3 => image[word..word + 4].fill(0xff),
        4 => image[word..word + 4].copy_from_slice(&numbers.bytes(4)),
        // What another place holds: a plausible number where it does not belong.
        _ => {
            let from = used[below(used.len())] & !3;
            image.copy_within(from..from + 4, word);
        }
    }
}

#[test]
fn every_byte_of_the_superblock_and_of_the_first_inodes_is_survived() {
    for name in fixtures::ALL {
        let whole = fixtures::image(name);
        let inode_table = inode_table(&whole);
        for at in (1024..1024 + 0x180).chain(inode_table..inode_table + 0x400) {
            for value in [0, 1, 0x80, 0xff] {
                let mut image = whole.clone();
                image[at] = value;
                survive(&image);
            }
        }
    }
}

/// Where the inodes of the first group begin.
pub(crate) fn inode_table(image: &[u8]) -> usize {
    let field =
        |offset: usize| u32::from_le_bytes(image[offset..][..4].try_into().expect("four bytes")) as usize;
    let block_size = 1024 << field(1024 + 0x18);
    let descriptors = (1024 / block_size + 1) * block_size;
    field(descriptors + 0x8) * block_size
}

#[test]
fn truncated_images_are_survived() {
    for name in fixtures::ALL {
        let whole = fixtures::image(name);
        for len in (0..whole.len()).step_by(512).chain([1023, 1025, 2047, 2049, 4097, whole.len() - 1]) {
            survive(&whole[..len]);
        }
    }
}

fn survive(image: &[u8]) {
    for (cache_bytes, tolerance) in [(0, Tolerance::Strict), (1 << 20, Tolerance::Recover)] {
        let source = Counted { image, reads: Cell::new(0) };
        let largest = allocation::largest_in(|| {
            if let Ok(fs) = OpenOptions::new().cache_bytes(cache_bytes).tolerance(tolerance).open(&source) {
                exercise(&fs);
            }
        });
        assert!(largest <= MOST_BYTES_AT_ONCE, "{largest} bytes at once");
        assert!(source.reads.get() <= MOST_READS, "{} reads", source.reads.get());
    }
}

struct Counted<'a> {
    image: &'a [u8],
    reads: Cell<u64>,
}

impl ReadAt for Counted<'_> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.reads.set(self.reads.get() + 1);
        // Ends what else would never end; the count then fails the test.
        if self.reads.get() > MOST_READS {
            return Err(io::Error::other("too many reads"));
        }
        self.image.read_exact_at(buf, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.image.size()
    }
}

/// Otherwise the tests above would survive by reading nothing.
#[test]
fn the_exercise_reaches_a_whole_image() {
    for name in fixtures::ALL {
        assert!(exercise(&Ext4::open(fixtures::image(name)).expect("a file system")) > 10_000, "{name}");
    }
}
