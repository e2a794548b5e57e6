//! Disks cut off in the middle of work: what is shown is what the kernel shows once it has replayed the journal of a copy.

use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;

use ext4_reader::{Ext4, JournalState, OrphanFate, Replay};

use crate::image::{Image, kernel_manifest};
use crate::manifest;
use crate::support::{LoopMount, needs, run, testdata};

/// How file systems are made, and mounted.
const KINDS: [(&str, &str); 21] = [
    ("-t ext4 -b 4096", ""),
    ("-t ext4 -b 4096 -J size=16", ""),
    ("-t ext4 -b 1024", ""),
    ("-t ext4 -b 1024 -J size=1", ""),
    ("-t ext4 -b 4096 -O ^64bit", ""),
    ("-t ext4 -b 1024 -O ^64bit", ""),
    ("-t ext4 -b 4096 -O ^metadata_csum", ""),
    ("-t ext4 -b 4096 -O ^metadata_csum,^64bit", ""),
    ("-t ext4 -b 4096 -O ^metadata_csum", ",journal_checksum"),
    ("-t ext4 -b 1024 -O ^metadata_csum,^64bit", ",journal_checksum"),
    ("-t ext3 -b 4096", ""),
    ("-t ext3 -b 1024", ""),
    ("-t ext3 -b 4096 -J size=16", ",data=journal"),
    ("-t ext4 -b 4096 -J size=16", ",data=journal"),
    ("-t ext4 -b 1024 -J size=16", ",data=journal"),
    ("-t ext4 -b 4096", ",journal_async_commit,data=writeback"),
    ("-t ext4 -b 4096 -O ^metadata_csum", ",journal_async_commit,data=writeback"),
    ("-t ext4 -b 4096 -O metadata_csum_seed,orphan_file", ""),
    ("-t ext4 -b 1024 -O metadata_csum_seed,orphan_file", ""),
    ("-t ext4 -b 4096 -O inline_data", ""),
    ("-t ext4 -b 2048 -O inline_data,ea_inode,bigalloc", ""),
];

#[test]
fn what_is_shown_is_what_the_kernel_shows_after_its_replay() {
    needs!("mke2fs", "loop", "python3");
    let mut all = Replay::default();
    for ((mke2fs, options), seed) in KINDS.into_iter().zip(1..) {
        for (ending, seed) in [("cut", seed), ("flush", seed + 100)] {
            let what = format!("{mke2fs} {options} {ending}");
            let image = crashed(mke2fs, options, seed, ending, 300);
            let fs = image.open();
            let JournalState::Replayed(replay) = fs.journal_state() else {
                panic!("{what}: {:?}", fs.journal_state());
            };
            assert_eq!((&replay.damage[..], replay.is_complete()), (&[][..], true), "{what}");
            assert!(replay.transactions > 0 && replay.blocks > 0, "{what}: {replay:?}");
            all.transactions += replay.transactions;
            all.blocks += replay.blocks;
            all.revoked += replay.revoked;
            assert_same_as_kernel(&what, &fs, &image);
            crate::check::assert_healthy(&what, &fs);
        }
    }
    assert!(all.revoked > 100, "the work must revoke blocks: {all:?}");
}

/// Fast commits are about files, not blocks. What the kernel replays of them it does as at any other time, so that
/// directories get the time of the replay.
#[test]
fn fast_commits_are_applied_as_the_kernel_applies_them() {
    needs!("mke2fs", "loop", "python3");
    let mut applied = 0;
    for mke2fs in ["-b 4096 -O fast_commit", "-b 1024 -O fast_commit", "-b 4096 -O fast_commit,inline_data"] {
        for seed in 1..=4 {
            let what = format!("{mke2fs}, seed {seed}");
            let image = crashed(&format!("-t ext4 -J size=16 {mke2fs}"), "", seed, "fast", 150);
            let fs = image.open();
            let JournalState::Replayed(replay) = fs.journal_state() else {
                panic!("{what}: {:?}", fs.journal_state());
            };
            assert!(replay.is_complete(), "{what}: {replay:?}");
            // The kernel refuses to replay some of the fast commits that it writes.
            if is_replayed_by_kernel(&image) {
                applied += replay.fast_commits;
                assert_same_as_kernel(&what, &fs, &image);
                crate::check::assert_healthy(&what, &fs);
            }
        }
    }
    assert!(applied > 0, "no fast commits");
}

/// A file system that was cut off in the middle of work.
pub(crate) fn crashed(mke2fs: &str, options: &str, seed: u32, ending: &str, operations: u32) -> Image {
    let image = Image::new(mke2fs);
    let mount = image.mount(&format!("rw,noinit_itable,nobarrier{options}"));
    let script = testdata().join("crash_workload.py");
    let (seed, operations) = (seed.to_string(), operations.to_string());
    run(
        "python3",
        [script.as_os_str(), mount.path().as_os_str(), seed.as_ref(), operations.as_ref(), ending.as_ref()],
    );
    image
}

fn is_replayed_by_kernel(image: &Image) -> bool {
    let copy = copy_of(image);
    let folder = copy.with_extension("mnt");
    std::fs::create_dir_all(&folder).expect("mount point");
    let mount = std::process::Command::new("mount").args(["-o", "loop"]).args([&copy, &folder]).output();
    let is_mounted = mount.expect("mount runs").status.success();
    if is_mounted {
        run("umount", [&folder]);
    }
    is_mounted
}

fn copy_of(image: &Image) -> PathBuf {
    let copy = image.path().with_file_name("replayed.img");
    std::fs::copy(image.path(), &copy).expect("copy");
    copy
}

pub(crate) fn assert_same_as_kernel(what: &str, fs: &Ext4<File>, image: &Image) {
    let copy = copy_of(image);
    drop(LoopMount::new(&copy, "rw"));
    let truth = kernel_manifest(LoopMount::new(&copy, "ro").path());
    // What the kernel cuts short when it mounts gets the time of the mount.
    let touched: HashSet<_> = fs
        .orphans()
        .expect("orphans")
        .into_iter()
        .filter(|orphan| orphan.fate == OrphanFate::Truncated)
        .map(|orphan| orphan.inode)
        .collect();
    let touched: HashSet<_> = manifest::tree(fs)
        .into_iter()
        .filter(|(_, inode)| touched.contains(&inode.number()))
        .map(|(path, _)| format!(r#""path":"{}""#, manifest::encode(&path)))
        .collect();
    let has_fast_commits =
        matches!(fs.journal_state(), JournalState::Replayed(replay) if replay.fast_commits > 0);
    let without_time = |lines: Vec<String>| -> Vec<String> {
        let is_touched = |line: &str| {
            touched.iter().any(|path| line.contains(path.as_str()))
                || has_fast_commits && line.contains(r#""kind":"dir""#)
        };
        lines.into_iter().map(|line| if is_touched(&line) { without_mtime(&line) } else { line }).collect()
    };
    manifest::assert_same(what, &without_time(manifest::of(fs)), &without_time(truth));
}

fn without_mtime(line: &str) -> String {
    let (before, rest) = line.split_once(r#""mtime_ns":"#).expect("a time");
    let after = rest.trim_start_matches(|digit: char| digit == '-' || digit.is_ascii_digit());
    format!("{before}{after}")
}
