use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use file_tree::{Control, Error, Event, HostTree, Report, TarOptions, write_tar};

use crate::rich::{assert_same, assert_same_holes, data_layout, manifest, rich, scratch, without_sockets};
use crate::support::{needs, run};

fn write(source: &Path, archive: &Path, options: &TarOptions) -> Report {
    let tree = HostTree::open(source).expect("opens");
    let out = File::create(archive).expect("created");
    write_tar(&tree, out, options, &Control::default()).expect("writes")
}

fn gnu_tar_unpack(archive: &Path, into: &Path) {
    fs::create_dir(into).expect("created");
    run(
        "tar",
        [
            "--xattrs".as_ref(),
            "--xattrs-include=*".as_ref(),
            "--numeric-owner".as_ref(),
            "-xpf".as_ref(),
            archive.as_os_str(),
            "-C".as_ref(),
            into.as_os_str(),
        ],
    );
}

#[test]
fn gnu_tar_unpacks_what_the_kernel_shows_of_the_original() {
    needs!("root", "python3", "setfacl", "setcap", "tar");
    let rich = rich();
    let scratch = scratch();
    let (archive, copy) = (scratch.path().join("archive.tar"), scratch.path().join("copy"));
    let report = write(&rich.path(), &archive, &TarOptions::default());
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.not_kept.kinds, 1, "the socket");
    gnu_tar_unpack(&archive, &copy);
    assert_same(&manifest(&copy), &without_sockets(&rich.manifest));
    assert_same_holes(&copy, &rich.path());
}

#[test]
fn without_sparse_format_holes_are_zeros() {
    needs!("root", "python3", "setfacl", "setcap", "tar");
    let rich = rich();
    let scratch = scratch();
    let (archive, copy) = (scratch.path().join("archive.tar"), scratch.path().join("copy"));
    let options = TarOptions::default().sparse(false).access_times(true).prefix("a/b");
    let report = write(&rich.path(), &archive, &options);
    assert!(report.is_complete(), "{report:?}");
    gnu_tar_unpack(&archive, &copy);
    assert_same(&manifest(&copy.join("a/b")), &without_sockets(&rich.manifest));
}

#[test]
fn python_reads_the_same_members() {
    needs!("root", "python3", "setfacl", "setcap");
    let rich = rich();
    let scratch = scratch();
    let archive = scratch.path().join("archive.tar");
    assert!(write(&rich.path(), &archive, &TarOptions::default()).is_complete());
    let script = r"
import hashlib, json, os, sys, tarfile
for member in tarfile.open(sys.argv[1]):
    name = os.fsencode(member.name)
    found = os.lstat(os.path.join(os.fsencode(sys.argv[2]), name))
    assert (member.uid, member.gid, member.mode) == (found.st_uid, found.st_gid, found.st_mode & 0o7777), name
    assert abs(float(member.mtime) - found.st_mtime_ns / 1e9) < 1e-3, name
    if member.isreg():
        assert member.size == found.st_size, name
    print(name)
";
    let out = run("python3", ["-c".as_ref(), script.as_ref(), archive.as_os_str(), rich.path().as_os_str()]);
    let members = out.split(|&byte| byte == b'\n').count() - 1;
    assert_eq!(members, without_sockets(&rich.manifest).lines().count());
}

#[test]
fn files_beyond_8_gib_and_their_holes_reach_gnu_tar() {
    needs!("tar", "python3");
    let scratch = scratch();
    let (source, copy) = (scratch.path().join("source"), scratch.path().join("copy"));
    fs::create_dir(&source).expect("created");
    let file = File::create(source.join("sparse")).expect("created");
    file.set_len(9 << 30).expect("grown");
    file.write_all_at(b"far behind", (9 << 30) - 10).expect("written");
    let archive = scratch.path().join("archive.tar");
    assert!(write(&source, &archive, &TarOptions::default()).is_complete());
    assert!(fs::metadata(&archive).expect("archive").len() < 20_000);
    gnu_tar_unpack(&archive, &copy);
    assert_eq!(fs::metadata(copy.join("sparse")).expect("unpacked").len(), 9 << 30);
    assert_eq!(data_layout(&copy.join("sparse")), data_layout(&source.join("sparse")));
}

/// Takes in an archive of more than 8 GiB without keeping it, and remembers its first and last blocks.
#[derive(Default)]
struct Ends {
    first: Vec<u8>,
    total: u64,
}

impl std::io::Write for Ends {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        let missing = 4096_usize.saturating_sub(self.first.len()).min(data.len());
        self.first.extend_from_slice(&data[..missing]);
        self.total += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stored_size_beyond_the_field_stands_in_the_extended_header() {
    let scratch = scratch();
    File::create(scratch.path().join("f")).expect("created").set_len(8 << 30).expect("grown");
    let tree = HostTree::open(scratch.path()).expect("opens");
    let mut ends = Ends::default();
    let options = TarOptions::default().sparse(false).prefix("");
    let report = write_tar(&tree, &mut ends, &options, &Control::default()).expect("writes");
    assert!(report.is_complete());
    let head = String::from_utf8_lossy(&ends.first);
    assert!(head.contains("19 size=8589934592\n"), "{head}");
    assert_eq!(ends.total, (8 << 30) + 5 * 512);
}

#[test]
fn one_tree_always_gives_the_same_archive() {
    let tree = HostTree::open("src").expect("opens");
    let archive = || {
        let mut out = Vec::new();
        let report = write_tar(&tree, &mut out, &TarOptions::default(), &Control::default()).expect("writes");
        assert!(report.is_complete());
        out
    };
    assert_eq!(archive(), archive());
}

#[test]
fn cancellation_is_an_error() {
    let cancel = AtomicBool::new(false);
    let progress = |event: Event<'_>| {
        if matches!(event, Event::Bytes(_)) {
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let control = Control { progress: Some(&progress), cancel: Some(&cancel) };
    let tree = HostTree::open("src").expect("opens");
    let result = write_tar(&tree, std::io::sink(), &TarOptions::default(), &control);
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
}

#[test]
fn a_full_disk_is_an_error() {
    needs!("root");
    let tree = HostTree::open("src").expect("opens");
    let out = File::options().write(true).open("/dev/full").expect("opens");
    let result = write_tar(&tree, out, &TarOptions::default(), &Control::default());
    assert!(matches!(result, Err(Error::Io { action: "write", .. })), "{result:?}");
}
