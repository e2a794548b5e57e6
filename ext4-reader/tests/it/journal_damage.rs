//! A damaged journal costs what the damage hit, and says so.

use std::cell::Cell;
use std::io;

use ext4_reader::{Error, Ext4, Journal, JournalLoss, JournalState, OpenOptions, ReadAt, Replay};

use crate::crash::crashed;
use crate::exercise::exercise;
use crate::image::Image;
use crate::support::{Numbers, needs};
use crate::{allocation, manifest};

/// An image in memory of which some bytes read differently.
struct Patched<'a> {
    image: &'a [u8],
    patches: Vec<(usize, u8)>,
    reads: Cell<u32>,
    /// The read that fails, once.
    fails_at: Option<u32>,
}

impl<'a> Patched<'a> {
    fn new(image: &'a [u8], patches: Vec<(usize, u8)>) -> Self {
        Self { image, patches, reads: Cell::new(0), fails_at: None }
    }
}

impl ReadAt for Patched<'_> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let turn = self.reads.replace(self.reads.get() + 1);
        if self.fails_at == Some(turn) || turn > 4_000_000 {
            return Err(io::Error::other("bad sector"));
        }
        self.image.read_exact_at(buf, offset)?;
        let start = usize::try_from(offset).expect("small");
        for &(at, value) in &self.patches {
            if let Some(byte) = at.checked_sub(start).and_then(|at| buf.get_mut(at)) {
                *byte = value;
            }
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        self.image.size()
    }
}

/// How much of a commit block is used.
const COMMIT_LEN: u64 = 64;

/// A block of the log.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Descriptor,
    Commit,
    Revoke,
    Copy,
}

/// Where the blocks of the log lie in the image that belong to transactions in the middle of what is replayed.
fn log_blocks(image: &Image, disk: &[u8], block_len: usize) -> Vec<(Kind, usize)> {
    let listed = image.debugfs("blocks <8>");
    let offsets =
        listed.split_whitespace().map(|block| block_len * block.parse::<usize>().expect("a number"));
    let blocks: Vec<usize> = offsets.collect();
    let word = |at: usize| u32::from_be_bytes(disk[at..at + 4].try_into().expect("four bytes"));
    let superblock = blocks[0];
    let (mut position, mut sequence) = (word(superblock + 0x1c) as usize, word(superblock + 0x18));
    let mut found = Vec::new();
    loop {
        let at = blocks[position];
        let is_record = word(at) == 0xc03b_3998;
        if is_record && word(at + 8) != sequence {
            return found;
        }
        let kind = match word(at + 4) {
            _ if !is_record => Kind::Copy,
            1 => Kind::Descriptor,
            2 => Kind::Commit,
            _ => Kind::Revoke,
        };
        found.push((kind, at));
        sequence += u32::from(kind == Kind::Commit);
        position += 1;
        if position == blocks.len() {
            position = 1;
        }
    }
}

fn replay<S: ReadAt>(fs: &Ext4<S>) -> &Replay {
    match fs.journal_state() {
        JournalState::Replayed(replay) => replay,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_wrong_byte_costs_no_more_than_what_is_named() {
    needs!("mke2fs", "loop", "python3", "debugfs");
    for (mke2fs, block_len) in [("-t ext4 -b 4096 -J size=16", 4096), ("-t ext4 -b 1024 -J size=16", 1024)] {
        let image = crashed(mke2fs, "", 3, "cut", 300);
        let disk = std::fs::read(image.path()).expect("image");
        let whole = manifest::of(&Ext4::open(&disk).expect("a file system"));
        let blocks = log_blocks(&image, &disk, block_len);
        let blocks = &blocks[..blocks.len() - 5];
        let mut numbers = Numbers::new(9);
        for kind in [Kind::Descriptor, Kind::Commit, Kind::Revoke, Kind::Copy] {
            let of_kind: Vec<_> =
                blocks.iter().filter(|block| block.0 == kind).map(|block| block.1).collect();
            assert!(!of_kind.is_empty(), "{mke2fs}: no blocks of {kind:?}");
            for turn in 0..12 {
                let block = of_kind[usize::try_from(numbers.below(of_kind.len() as u64)).expect("small")];
                // The header and the fields behind it in turn, then any byte.
                let within = if turn < 6 { 3 * turn + 2 } else { numbers.below(block_len as u64) };
                let at = block + usize::try_from(within).expect("small");
                let what = format!("{mke2fs}, {kind:?}, byte {within} of the block at {block}");
                let source = Patched::new(&disk, vec![(at, disk[at] ^ 0x41)]);
                let fs = Ext4::open(&source).expect("a file system");
                let damage = &replay(&fs).damage;
                if kind == Kind::Commit && within >= COMMIT_LEN {
                    // Nor does the kernel look at what is behind the fields.
                    assert_eq!(*damage, [], "{what}");
                    continue;
                }
                if kind == Kind::Copy {
                    lost_copies_are_all_that_is_missing(&what, &disk, &source, &whole);
                    continue;
                }
                assert!(replay(&fs).is_complete(), "{what}: {damage:?}");
                assert_eq!(damage.len(), 1, "{what}");
                assert_eq!(
                    (damage[0].loss, damage[0].offset),
                    (JournalLoss::Nothing, block as u64),
                    "{what}"
                );
                manifest::assert_same(&what, &manifest::of(&fs), &whole);
            }
        }
    }
}

/// If the block had no newer copy, it is named, and nothing but what it holds is older.
fn lost_copies_are_all_that_is_missing(what: &str, disk: &[u8], source: &Patched<'_>, whole: &[String]) {
    let fs = Ext4::open(source).expect("a file system");
    let strict = OpenOptions::new().journal(Journal::Require).open(source);
    match replay(&fs).damage[..] {
        [] => {
            assert!(strict.is_ok(), "{what}");
            manifest::assert_same(what, &manifest::of(&fs), whole);
        }
        [ref damage] => {
            assert!(matches!(damage.loss, JournalLoss::Copy(_)), "{what}: {damage:?}");
            assert!(fs.journal_state().is_out_of_date(), "{what}");
            assert!(matches!(strict, Err(Error::Corrupt(_))), "{what}");
            let undamaged = Ext4::open(disk).expect("a file system");
            assert_eq!(replay(&fs).transactions, replay(&undamaged).transactions, "{what}");
            let shown = fs.walk(&fs.root().expect("root")).flatten().count();
            assert!(shown * 10 > whole.len() * 8, "{what}: {shown} of {} entries", whole.len());
        }
        ref other => panic!("{what}: {other:?}"),
    }
}

/// Blocks that are gone altogether: the log goes on behind them.
#[test]
fn a_lost_block_does_not_end_the_log() {
    needs!("mke2fs", "loop", "python3", "debugfs");
    for mke2fs in ["-t ext4 -b 4096 -J size=16", "-t ext4 -b 4096 -J size=16 -O ^metadata_csum"] {
        let image = crashed(mke2fs, "", 5, "cut", 200);
        let disk = std::fs::read(image.path()).expect("image");
        let whole = Ext4::open(&disk).expect("a file system");
        let entries = whole.walk(&whole.root().expect("root")).flatten().count();
        let blocks = log_blocks(&image, &disk, 4096);
        for kind in [Kind::Descriptor, Kind::Commit] {
            let of_kind: Vec<_> = blocks.iter().filter(|block| block.0 == kind).collect();
            let block = of_kind[of_kind.len() / 2].1;
            let fs = Ext4::open(Patched::new(&disk, (block..block + 4096).map(|at| (at, 0)).collect()))
                .expect("a file system");
            let what = format!("{mke2fs}, {kind:?}");
            assert_eq!(replay(&fs).transactions, replay(&whole).transactions, "{what}");
            let damage: Vec<_> = replay(&fs).damage.iter().map(|d| (d.offset, d.loss)).collect();
            assert_eq!(damage, [(block as u64, JournalLoss::Unknown)], "{what}");
            let shown = fs.walk(&fs.root().expect("root")).flatten().count();
            assert!(shown * 10 > entries * 8, "{what}: {shown} of {entries} entries");
        }
    }
}

/// The superblock of the journal is found through its copy, and mended.
#[test]
fn the_journal_is_found_without_its_inode() {
    needs!("mke2fs", "loop", "python3", "debugfs");
    for mke2fs in ["-t ext4 -b 4096", "-t ext3 -b 1024"] {
        let image = crashed(mke2fs, "", 4, "cut", 60);
        let mut disk = std::fs::read(image.path()).expect("image");
        let whole = manifest::of(&Ext4::open(&disk).expect("a file system"));
        let place = image.debugfs("imap <8>");
        let number = |after: &str| {
            let digits = place.split_once(after).expect("a place").1.trim_start_matches("0x");
            let digits: String = digits.chars().take_while(char::is_ascii_hexdigit).collect();
            digits
        };
        let block: usize = number("located at block ").parse().expect("a number");
        let offset = usize::from_str_radix(&number("offset "), 16).expect("a number");
        let block_len = 1024 << disk[1024 + 0x18];
        disk[block * block_len + offset..][..128].fill(0);
        let fs = Ext4::open(&disk).expect("a file system");
        assert!(replay(&fs).transactions > 0, "{mke2fs}");
        manifest::assert_same(mke2fs, &manifest::of(&fs), &whole);
    }
}

#[test]
fn mutated_journals_are_survived() {
    needs!("mke2fs", "loop", "python3", "debugfs");
    for (mke2fs, seed) in
        [("-t ext4 -b 1024", 1), ("-t ext4 -b 1024 -O ^metadata_csum", 2), ("-t ext3 -b 1024", 3)]
    {
        let image = crashed(mke2fs, "", seed, "cut", 40);
        let disk = std::fs::read(image.path()).expect("image");
        let blocks = log_blocks(&image, &disk, 1024);
        let superblock = image.debugfs("bmap <8> 0").trim().parse::<usize>().expect("a number") * 1024;
        let mut numbers = Numbers::new(seed.into());
        for _ in 0..150 {
            let mut below = |bound: usize| usize::try_from(numbers.below(bound as u64)).expect("small");
            let patches = (0..=below(3)).map(|_| {
                let block = if below(3) == 0 { superblock } else { blocks[below(blocks.len())].1 };
                let within = if below(2) == 0 { below(64) } else { below(1024) };
                (block + within, [0, 0xff, 1, 0x80][below(4)])
            });
            let source = Patched::new(&disk, patches.collect());
            let largest = allocation::largest_in(|| {
                if let Ok(fs) = Ext4::open(&source) {
                    exercise(&fs);
                    let _ = fs.orphans();
                }
            });
            assert!(largest < 64 << 20, "{largest} bytes at once: {:?}", source.patches);
            assert!(source.reads.get() < 4_000_000, "{:?}", source.patches);
        }
    }
}

/// A sector that fails while the journal is read is an error, costs nothing, or is told.
#[test]
fn a_failed_read_during_the_replay_is_told() {
    needs!("mke2fs", "loop", "python3");
    let image = crashed("-t ext4 -b 4096", "", 6, "cut", 60);
    let disk = std::fs::read(image.path()).expect("image");
    let source = Patched::new(&disk, Vec::new());
    let whole = paths(&Ext4::open(&source).expect("a file system"));
    let reads_to_open = {
        source.reads.set(0);
        Ext4::open(&source).expect("a file system");
        source.reads.get()
    };
    assert!(reads_to_open > 100, "{reads_to_open} reads");
    for turn in 0..reads_to_open {
        let source = Patched { fails_at: Some(turn), ..Patched::new(&disk, Vec::new()) };
        match Ext4::open(&source) {
            Ok(fs) => assert!(
                fs.journal_state().is_out_of_date() || paths(&fs) == whole,
                "read {turn}: {:?}",
                fs.journal_state()
            ),
            Err(error) => assert!(matches!(error, Error::Io { .. }), "read {turn}: {error}"),
        }
    }
}

fn paths<S: ReadAt>(fs: &Ext4<S>) -> Vec<Result<Vec<u8>, String>> {
    let root = fs.root().expect("root");
    fs.walk(&root).map(|entry| entry.map(|entry| entry.path).map_err(|error| error.to_string())).collect()
}
