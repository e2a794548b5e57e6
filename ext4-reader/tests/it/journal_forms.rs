//! Journals that the kernel of today does not write, or not without help: made by debugfs, or on a device of their own.

use std::fs::File;

use ext4_reader::{Error, Ext4, Journal, JournalState, NotReplayed, OpenOptions, ReadAt};

use crate::image::Image;
use crate::manifest;
use crate::support::{needs, sh, testdata};

/// Transactions that debugfs writes: two copies of a block of a file, one that is escaped, one that is revoked.
#[test]
fn every_version_of_checksums_is_replayed_as_the_kernel_does() {
    needs!("mke2fs", "loop", "debugfs");
    for features in ["64bit", "^64bit"] {
        for open in ["jo", "jo -c -v 1", "jo -c -v 2", "jo -c -v 3"] {
            let what = format!("{features}, {open}");
            let image = Image::new(&format!("-t ext4 -b 1024 -O {features}"));
            image.add_file("file", &"old".repeat(2000));
            let blocks = image.debugfs("blocks file");
            let blocks: Vec<_> = blocks.split_whitespace().collect();
            let folder = image.path().with_file_name("copies");
            std::fs::create_dir(&folder).expect("folder");
            let copy = |name: &str, start: &[u8], fill: u8| {
                let block = [start, &vec![fill; 1024 - start.len()]].concat();
                std::fs::write(folder.join(name), block).expect("copy");
            };
            copy("first", b"", b'1');
            copy("second", b"", b'2');
            copy("escaped", &0xc03b_3998_u32.to_be_bytes(), b'3');
            let request = format!(
                "{open}\njw -b {0} first\njw -b {1} first\njw -b {2} escaped\njw -b {0} second\njw -r {1}\njc\n",
                blocks[0], blocks[1], blocks[2]
            );
            std::fs::write(folder.join("requests"), request).expect("requests");
            sh("cd \"$1\"; debugfs -w -f requests \"$2\" 2>&1", [&folder, &image.path()]);

            let fs = image.open();
            let JournalState::Replayed(replay) = fs.journal_state() else { panic!("{what}") };
            assert_eq!((replay.transactions, replay.blocks, replay.revoked), (5, 2, 1), "{what}: {replay:?}");
            assert!(replay.is_complete(), "{what}: {replay:?}");
            crate::crash::assert_same_as_kernel(&what, &fs, &image);
        }
    }
}

#[test]
fn a_journal_on_a_device_of_its_own_is_replayed() {
    needs!("mke2fs", "loop", "python3", "losetup");
    for block_len in ["1024", "4096"] {
        let folder = tempfile::tempdir().expect("folder");
        let script = testdata().join("crash_workload.py");
        sh(
            "cd \"$1\"; truncate -s 64M disk.img; truncate -s 16M journal.img
             mke2fs -q -F -O journal_dev -b \"$3\" journal.img; device=$(losetup -f --show journal.img)
             trap 'losetup -d $device' EXIT
             mke2fs -q -F -t ext4 -b \"$3\" -J device=$device disk.img; mkdir mnt
             mount -o loop,nobarrier,journal_path=$device disk.img mnt
             python3 \"$2\" mnt 5 200; umount mnt; cp disk.img before.img; cp journal.img before-journal.img
             mount -o loop,journal_path=$device disk.img mnt; umount mnt",
            [folder.path().as_os_str(), script.as_os_str(), block_len.as_ref()],
        );
        let truth = sh(
            "cd \"$1\"; device=$(losetup -f --show journal.img); trap 'losetup -d $device' EXIT
             mount -o loop,ro,journal_path=$device disk.img mnt; trap 'umount mnt; losetup -d $device' EXIT
             python3 \"$2\" mnt",
            [folder.path().as_os_str(), testdata().join("manifest.py").as_os_str()],
        );
        let truth: Vec<_> = String::from_utf8(truth).expect("ASCII").lines().map(str::to_owned).collect();

        let file = |name: &str| File::open(folder.path().join(name)).expect("image");
        let fs = OpenOptions::new()
            .open_with_journal(file("before.img"), file("before-journal.img"))
            .expect("a file system");
        let JournalState::Replayed(replay) = fs.journal_state() else { panic!("{:?}", fs.journal_state()) };
        assert!(replay.is_complete() && replay.transactions > 5, "{replay:?}");
        let orphans = fs.orphans().expect("orphans");
        assert!(orphans.iter().all(|orphan| orphan.fate == ext4_reader::OrphanFate::Deleted), "{orphans:?}");
        manifest::assert_same(block_len, &manifest::of(&fs), &truth);

        // Without it, or with another one, the state before is shown, or nothing.
        let fs = Ext4::open(file("before.img")).expect("a file system");
        assert_eq!(*fs.journal_state(), JournalState::NeedsReplay(NotReplayed::External));
        let strict = OpenOptions::new().journal(Journal::Require);
        assert!(matches!(strict.open(file("before.img")), Err(Error::Unsupported(_))));
        let mut other = std::fs::read(folder.path().join("before-journal.img")).expect("journal");
        other[1024 + 0x68] ^= 1;
        let boxed = |source: Vec<u8>| -> Box<dyn ReadAt> { Box::new(source) };
        let disk = std::fs::read(folder.path().join("before.img")).expect("image");
        let fs = OpenOptions::new().open_with_journal(boxed(disk.clone()), boxed(other.clone()));
        let fs = fs.expect("a file system");
        assert!(matches!(fs.journal_state(), JournalState::NeedsReplay(NotReplayed::Unreadable(_))));
        assert!(matches!(strict.open_with_journal(disk, other), Err(Error::Corrupt(_))));
    }
}
