//! Whether the journal holds what the file system does not.

use ext4_reader::{Ext4, Journal, JournalState, NotReplayed, OpenOptions};

use crate::image::Image;
use crate::support::{needs, sh};

#[test]
fn without_a_journal_it_is_absent() {
    needs!("mke2fs");
    for variant in ["-t ext2 -b 1024", "-t ext4 -b 4096 -O ^has_journal"] {
        assert_eq!(*Image::new(variant).open().journal_state(), JournalState::Absent, "{variant}");
    }
}

#[test]
fn after_an_unmount_it_is_clean() {
    needs!("mke2fs", "loop");
    for variant in JOURNALS {
        let image = Image::new(variant);
        assert_eq!(*image.open().journal_state(), JournalState::Clean, "{variant}, new");
        let mount = image.mount("rw");
        std::fs::write(mount.path().join("file"), "content").expect("file");
        drop(mount);
        assert_eq!(*image.open().journal_state(), JournalState::Clean, "{variant}, used");
    }
}

/// The disk as it is when the machine dies.
#[test]
fn a_disk_copied_while_mounted_is_replayed_unless_that_is_not_wanted() {
    needs!("mke2fs", "loop");
    for variant in JOURNALS {
        let image = Image::new(variant);
        let mount = image.mount("rw");
        std::fs::write(mount.path().join("file"), "content").expect("file");
        sh("sync -f \"$1\"", [mount.path()]);
        let disk = std::fs::read(image.path()).expect("image");
        drop(mount);
        let fs = Ext4::open(&disk).expect("a file system");
        assert!(
            matches!(fs.journal_state(), JournalState::Replayed(replay) if replay.is_complete()),
            "{variant}"
        );
        let file = fs.lookup("/file").expect("what was written last");
        assert_eq!(file.size(), 7, "{variant}");
        let fs = OpenOptions::new().journal(Journal::Ignore).open(&disk).expect("a file system");
        assert_eq!(*fs.journal_state(), JournalState::NeedsReplay(NotReplayed::Ignored), "{variant}");
        assert!(fs.journal_state().is_out_of_date());
    }
}

const JOURNALS: [&str; 6] = [
    "-t ext3 -b 1024",
    "-t ext3 -b 4096",
    "-t ext4 -b 4096",
    "-t ext4 -b 1024 -O ^metadata_csum,^64bit",
    "-t ext4 -b 4096 -O metadata_csum_seed,orphan_file",
    "-t ext4 -b 4096 -O fast_commit",
];
