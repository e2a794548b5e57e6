//! Files whose directory is gone, against what e2fsck puts into `lost+found`.

use std::collections::BTreeSet;

use ext4_reader::{Ext4, FileKind};

use crate::image::Image;
use crate::support::{needs, sh};
use crate::{fixtures, manifest};

#[test]
fn lost_files_are_those_that_e2fsck_finds() {
    needs!("mke2fs", "debugfs", "e2fsck", "python3", "loop");
    for layout in ["-t ext4 -b 1024", "-t ext4 -b 4096 -O ^metadata_csum", "-t ext3 -b 1024"] {
        let image = Image::new(layout);
        image.populate(800);
        // The names go, the files stay.
        let names: Vec<String> = {
            let fs = image.open();
            assert_eq!(fs.lost_files(), [], "{layout}");
            let root = fs.root().expect("root");
            let entries = fs.read_dir(&root).expect("root").map(|entry| entry.expect("entry"));
            entries
                .filter_map(|entry| String::from_utf8(entry.name).ok())
                .filter(|name| name != "lost+found")
                .collect()
        };
        for name in &names {
            image.debugfs(&format!("unlink \"{name}\""));
        }
        let fs = image.open();
        let ours: BTreeSet<_> = fs.lost_files().into_iter().map(|entry| entry.name).collect();

        sh("e2fsck -fy \"$1\" >/dev/null || [ $? = 1 ]", [image.path()]);
        let checked = image.open();
        let found = checked.lookup("/lost+found").expect("folder");
        let truth: BTreeSet<_> =
            checked.read_dir(&found).expect("folder").map(|entry| entry.expect("entry").name).collect();
        assert!(truth.len() > 5, "{layout}: {truth:?}");
        assert!(truth.is_subset(&ours), "{layout}: {truth:?} are not all among {ours:?}");
        // Files without content e2fsck deletes.
        let empty = |name: &Vec<u8>| {
            let entry = fs.lost_files().into_iter().find(|entry| entry.name == *name).expect("found");
            fs.inode(entry.inode).expect("inode").size() == 0
        };
        assert!(ours.difference(&truth).all(empty), "{layout}: {truth:?} lack others of {ours:?}");
    }
}

/// A directory that holds itself hides behind nothing but its own entry.
#[test]
fn directories_that_hold_one_another_are_found_once() {
    needs!("mke2fs", "debugfs");
    let image = Image::new("-t ext4 -b 1024 -O ^metadata_csum");
    for request in ["mkdir one", "mkdir one/two", "link one one/two/back", "unlink one"] {
        image.debugfs(request);
    }
    let fs = image.open();
    let lost = fs.lost_files();
    let [top] = &lost[..] else { panic!("{lost:?}") };
    assert_eq!(top.kind, Some(FileKind::Directory));
    let top = fs.inode(top.inode).expect("inode");
    assert!(fs.lookup_in(&top, b"two").is_ok());
}

#[test]
fn the_scan_meets_every_file_once() {
    for name in fixtures::ALL {
        let fs = Ext4::open(fixtures::image(name)).expect("a file system");
        let scanned: Vec<_> = fs.scan().map(|inode| inode.expect("inode")).collect();
        assert!(scanned.is_sorted_by_key(ext4_reader::Inode::number), "{name}");
        let scanned: BTreeSet<_> = scanned.into_iter().map(|inode| inode.number()).collect();
        let walked: BTreeSet<_> = manifest::tree(&fs).into_iter().map(|(_, inode)| inode.number()).collect();
        assert!(walked.is_subset(&scanned), "{name}");
        assert!(scanned.difference(&walked).all(|number| number.0 < 11), "{name}");
    }
}
