//! Deleted files, of which only what is true is promised.

use std::fs;

use ext4_reader::{Ext4, Inode, Remains};

use crate::image::Image;
use crate::support::{needs, run};

/// debugfs deletes as ext2 once did: the map of the blocks stays.
#[test]
fn a_deleted_file_is_whole_until_others_take_its_blocks() {
    needs!("mke2fs", "debugfs");
    for layout in ["-t ext4 -b 1024", "-t ext2 -b 1024", "-t ext4 -b 4096 -O bigalloc -C 16384"] {
        let image = Image::new(layout);
        let content = "deleted by mistake. ".repeat(5000);
        image.add_file("file", &content);
        let number = image.open().lookup("/file").expect("file").number();
        image.debugfs("rm file");

        let fs = image.open();
        let [file] = &deleted(&fs)[..] else { panic!("{layout}") };
        assert_eq!((file.number(), fs.remains(file).expect("bitmaps")), (number, Remains::Free), "{layout}");
        assert!(file.deleted().is_some(), "{layout}");
        let mut read = vec![0; content.len()];
        assert_eq!(fs.read_at(file, &mut read, 0).expect("content"), content.len(), "{layout}");
        assert_eq!(read, content.as_bytes(), "{layout}");

        // The inode would be used again first.
        image.debugfs(&format!("seti <{number}>"));
        image.add_file("another", &"x".repeat(20_000));
        let fs = image.open();
        let [file] = &deleted(&fs)[..] else { panic!("{layout}") };
        match fs.remains(file).expect("bitmaps") {
            Remains::Held => {}
            other => panic!("{layout}: {other:?}"),
        }
        image.debugfs(&format!("freei <{number}>"));
        let fs = image.open();
        match fs.remains(&deleted(&fs)[0]).expect("bitmaps") {
            Remains::Taken { bytes } => assert!((20_000..40_000).contains(&bytes), "{layout}: {bytes}"),
            other => panic!("{layout}: {other:?}"),
        }
    }
}

#[test]
fn of_files_that_the_kernel_deleted_nothing_is_promised() {
    needs!("mke2fs", "loop");
    let image = Image::new("-t ext4 -b 1024 -O ^has_journal");
    {
        let mount = image.mount("rw");
        fs::write(mount.path().join("file"), "content".repeat(1000)).expect("file");
        run("sync", ["-f".as_ref(), mount.path().as_os_str()]);
        fs::remove_file(mount.path().join("file")).expect("deleted");
    }
    let fs = image.open();
    let [file] = &deleted(&fs)[..] else { panic!("one file was deleted") };
    assert_eq!(fs.remains(file).expect("bitmaps"), Remains::Unmapped);
}

/// As a crash leaves it.
#[test]
fn a_file_that_was_deleted_while_open_is_held() {
    needs!("mke2fs", "loop");
    let image = Image::new("-t ext4 -b 1024 -O ^has_journal");
    let mount = image.mount("rw");
    let path = mount.path().join("file");
    fs::write(&path, "content".repeat(1000)).expect("file");
    let open = fs::File::open(&path).expect("file");
    fs::remove_file(&path).expect("deleted");
    run("sync", ["-f".as_ref(), mount.path().as_os_str()]);
    {
        let fs = image.open();
        let [file] = &deleted(&fs)[..] else { panic!("one file was deleted") };
        assert_eq!(fs.remains(file).expect("bitmaps"), Remains::Held);
        let mut read = [0; 7];
        fs.read_at(file, &mut read, 6993).expect("content");
        assert_eq!(&read, b"content");
    }
    drop(open);
}

fn deleted(fs: &Ext4<fs::File>) -> Vec<Inode> {
    fs.deleted().map(|inode| inode.expect("inode")).collect()
}
