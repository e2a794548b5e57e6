//! Real archives with random changes: whatever comes of it, no panic, no endless work, nothing outside.

use std::fs;
use std::path::Path;

use file_tree::{Control, DirectoryOptions, HostTree, TarLimits, TarOptions, TarReader, UnpackOptions};
use file_tree::{unpack_tar, write_tar};

use crate::rich::{Canary, rich, scratch};
use crate::support::{Numbers, needs};

/// Reads all members with small limits; an archive may not make the reader give out more than it holds.
fn read(archive: &[u8]) {
    let mut limits = TarLimits::default();
    limits.extended_header_bytes = 1 << 16;
    limits.sparse_ranges = 1 << 12;
    let mut reader = TarReader::new(archive, limits);
    let mut buffer = [0; 4096];
    let mut given = 0;
    while let Ok(Some(_)) = reader.next_member() {
        while let Ok(Some(piece)) = reader.read_content(&mut buffer) {
            given += piece.len;
        }
    }
    assert!(given <= archive.len() as u64);
}

fn small_archive() -> Vec<u8> {
    let scratch = scratch();
    let root = scratch.path();
    fs::create_dir_all(root.join("folder/deeper")).expect("created");
    fs::write(root.join("folder/a file with a name"), [7; 700]).expect("written");
    fs::hard_link(root.join("folder/a file with a name"), root.join("link")).expect("linked");
    std::os::unix::fs::symlink("../somewhere", root.join("folder/symlink")).expect("linked");
    let sparse = fs::File::create(root.join("sparse")).expect("created");
    sparse.set_len(1 << 20).expect("grown");
    std::os::unix::fs::FileExt::write_all_at(&sparse, &[1; 5000], 65_536).expect("written");
    fs::write(root.join("n".repeat(200)), "long").expect("written");
    let tree = HostTree::open(root).expect("opens");
    let mut archive = Vec::new();
    let report = write_tar(&tree, &mut archive, &TarOptions::default(), &Control::default()).expect("writes");
    assert!(report.is_complete());
    archive
}

/// Changes some bytes, mostly within headers, and mends the checksums so that the change is looked at.
fn mutated(original: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut archive = original.to_vec();
    let pick =
        |numbers: &mut Numbers, bound: usize| usize::try_from(numbers.below(bound as u64)).expect("small");
    for _ in 0..=numbers.below(4) {
        let at = pick(numbers, archive.len());
        match numbers.below(6) {
            0 => archive[at] = 0,
            1 => archive[at] = 0xff,
            2 => archive[at] ^= 1 << numbers.below(8),
            3 => archive[at] = b"0179 =\n\x80xgLKS"[pick(numbers, 13)],
            4 => archive.truncate(at.max(512)),
            _ => {
                let (from, to) = (at / 512 * 512, pick(numbers, archive.len()) / 512 * 512);
                let len = 512.min(archive.len() - from.max(to));
                archive.copy_within(from..from + len, to);
            }
        }
    }
    for block in archive.chunks_exact_mut(512) {
        if &block[257..262] == b"ustar" {
            let sum: u32 = block
                .iter()
                .enumerate()
                .map(|(at, &byte)| if (148..156).contains(&at) { 32 } else { u32::from(byte) })
                .sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    archive
}

#[test]
fn mutated_archives_do_no_harm() {
    needs!("python3");
    let scratch = scratch();
    let canary = Canary::new(scratch.path().join("canary"));
    let original = small_archive();
    let mut numbers = Numbers::new(1);
    for round in 0..4000 {
        let archive = mutated(&original, &mut numbers);
        read(&archive);
        if round % 20 == 0 {
            unpack(&archive, &scratch.path().join("out"));
        }
    }
    canary.assert_untouched();
}

fn unpack(archive: &[u8], destination: &Path) {
    let directory = DirectoryOptions::default().sync(false).devices(false);
    let options = UnpackOptions { directory, ..UnpackOptions::default() };
    let report = unpack_tar(archive, destination, &options, &Control::default()).expect("reports");
    let found = crate::support::run("find", [destination]).split(|&byte| byte == b'\n').count() as u64 - 1;
    let written = report.written;
    let counted =
        written.files + written.directories + written.symlinks + written.hard_links + written.special;
    assert!(found <= counted + 1, "{found} entries, {counted} counted");
    fs::remove_dir_all(destination).expect("removed");
}

#[test]
fn an_archive_read_byte_by_byte_is_the_same() {
    struct Trickle<'a>(&'a [u8]);

    impl std::io::Read for Trickle<'_> {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            if self.0.len() % 7 == 3 && !buf.is_empty() {
                self.0.len().checked_sub(1).map_or(Ok(0), |_| std::io::Read::read(&mut self.0, &mut buf[..1]))
            } else {
                let len = buf.len().min(5);
                std::io::Read::read(&mut self.0, &mut buf[..len])
            }
        }
    }

    let archive = small_archive();
    let mut whole = TarReader::new(archive.as_slice(), TarLimits::default());
    let mut trickled = TarReader::new(Trickle(&archive), TarLimits::default());
    let (mut one, mut other) = ([0; 333], [0; 333]);
    loop {
        let members = (whole.next_member().expect("reads"), trickled.next_member().expect("reads"));
        assert_eq!(format!("{:?}", members.0), format!("{:?}", members.1));
        if members.0.is_none() {
            break;
        }
        loop {
            let pieces = (
                whole.read_content(&mut one).expect("reads"),
                trickled.read_content(&mut other).expect("reads"),
            );
            assert_eq!(pieces.0, pieces.1);
            assert_eq!(one, other);
            if pieces.0.is_none() {
                break;
            }
        }
    }
}

#[test]
fn mutations_of_an_archive_with_everything_do_not_panic() {
    needs!("root", "python3", "setfacl", "setcap");
    let rich = rich();
    let tree = HostTree::open(rich.path()).expect("opens");
    let mut archive = Vec::new();
    let report = write_tar(&tree, &mut archive, &TarOptions::default(), &Control::default()).expect("writes");
    assert!(report.is_complete());
    archive.truncate(1 << 20);
    let mut numbers = Numbers::new(2);
    for _ in 0..60 {
        read(&mutated(&archive, &mut numbers));
    }
}
