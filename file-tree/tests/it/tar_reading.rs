use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use file_tree::{Control, HostTree, Report, TarOptions, UnpackOptions, unpack_tar, write_tar};

use crate::rich::{assert_same, assert_same_holes, manifest, rich, scratch, without_sockets};
use crate::support::{needs, run, sh};

pub(crate) fn unpack(archive: &Path, into: &Path) -> Report {
    let archive = File::open(archive).expect("opens");
    unpack_tar(archive, into, &UnpackOptions::default(), &Control::default()).expect("unpacks")
}

fn gnu_tar(archive: &Path, source: &Path, options: &[&str]) {
    let out = Command::new("tar")
        .args(options)
        .arg("-cf")
        .arg(archive)
        .arg("-C")
        .arg(source)
        .arg(".")
        .stderr(Stdio::piped())
        .output()
        .expect("tar runs");
    // It warns of the socket.
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn pax_archives_of_gnu_tar_unpack_to_what_the_kernel_shows() {
    needs!("root", "python3", "setfacl", "setcap", "tar");
    let rich = rich();
    for options in [
        &["--sparse", "--sparse-version=1.0"][..],
        &["--sparse", "--sparse-version=0.1"],
        &["--sparse", "--sparse-version=0.0"],
        &["--acls", "--numeric-owner"],
    ] {
        let scratch = scratch();
        let (archive, copy) = (scratch.path().join("archive.tar"), scratch.path().join("copy"));
        let options = [&["--format=posix", "--xattrs", "--xattrs-include=*"], options].concat();
        gnu_tar(&archive, &rich.path(), &options);
        let report = unpack(&archive, &copy);
        assert!(report.is_complete(), "{options:?} {report:?}");
        assert_same(&as_gnu_tar_keeps_it(&manifest(&copy)), &as_gnu_tar_keeps_it(&rich.manifest));
        if options.contains(&"--sparse") {
            assert_same_holes(&copy, &rich.path());
        }
    }
}

/// A manifest without what another program does not put into its archives.
fn reduced(manifest: &str, reduce: impl Fn(&mut serde_json::Map<String, serde_json::Value>)) -> String {
    let mut reduced = String::new();
    for line in without_sockets(manifest).lines() {
        let mut entry = serde_json::from_str(line).expect("an object");
        reduce(&mut entry);
        reduced.push_str(&serde_json::to_string(&entry).expect("json"));
        reduced.push('\n');
    }
    reduced
}

/// GNU tar stores each name of a fifo as a fifo of its own.
fn as_gnu_tar_keeps_it(manifest: &str) -> String {
    reduced(manifest, |entry| {
        if entry["kind"] == "fifo" {
            entry.remove("link");
        }
    })
}

/// The same in formats without extended attributes and parts of seconds.
fn as_plain_formats_keep_it(manifest: &str) -> String {
    reduced(&as_gnu_tar_keeps_it(manifest), |entry| {
        entry.remove("xattrs");
        let nanoseconds = entry["mtime_ns"].as_i64().expect("a number");
        entry["mtime_ns"] = nanoseconds.div_euclid(1_000_000_000).into();
    })
}

/// Python's tarfile keeps no hard links but of regular files, and is not exact to the nanosecond.
fn as_python_keeps_it(manifest: &str) -> String {
    reduced(&as_plain_formats_keep_it(manifest), |entry| {
        entry.remove("mtime_ns");
        if entry["kind"] != "file" {
            entry.remove("link");
        }
    })
}

#[test]
fn gnu_archives_unpack_with_long_names_large_owners_early_times_and_holes() {
    needs!("root", "python3", "setfacl", "setcap", "tar");
    let rich = rich();
    for options in [&["--format=gnu"][..], &["--format=gnu", "--sparse"], &["--format=oldgnu", "--sparse"]] {
        let scratch = scratch();
        let (archive, copy) = (scratch.path().join("archive.tar"), scratch.path().join("copy"));
        gnu_tar(&archive, &rich.path(), options);
        let report = unpack(&archive, &copy);
        assert!(report.is_complete(), "{options:?} {report:?}");
        let found = as_plain_formats_keep_it(&manifest(&copy));
        assert_same(&found, &as_plain_formats_keep_it(&rich.manifest));
        if options.contains(&"--sparse") {
            assert_same_holes(&copy, &rich.path());
        }
    }
}

#[test]
fn ustar_and_v7_archives_unpack() {
    needs!("root", "tar", "python3");
    let scratch = scratch();
    let source = scratch.path().join("source");
    sh(
        "long=$(printf 'l%.0s' $(seq 90)); mkdir -p \"$1/folder/$long\"; cd \"$1\"
         echo one > folder/$long/with-prefix; echo two > two; ln two three; ln -s two link; chmod 4711 two
         touch -d @1234567890 folder/$long/with-prefix folder/$long two; touch -h -d @99 link; touch -d @7 folder .",
        [&source],
    );
    for format in ["--format=ustar", "--format=v7"] {
        let (archive, copy) =
            (scratch.path().join(format), scratch.path().join(format).with_extension("copy"));
        if format == "--format=v7" {
            sh("rm -rf \"$1\"/folder/*; touch -d @7 \"$1/folder\"", [&source]);
        }
        gnu_tar(&archive, &source, &[format]);
        let report = unpack(&archive, &copy);
        assert!(report.is_complete(), "{report:?}");
        assert_same(&manifest(&copy), &manifest(&source));
    }
}

#[test]
fn archives_of_python_unpack() {
    needs!("root", "python3");
    let rich = rich();
    let script = r"
import sys, tarfile, os
os.chdir(sys.argv[2])
with tarfile.open(sys.argv[1], 'w', format=int(sys.argv[3]), encoding='utf-8', errors='surrogateescape') as archive:
    archive.add('.')
";
    let scratch = scratch();
    for (format, constant) in [("gnu", "1"), ("pax", "2")] {
        let (archive, copy) =
            (scratch.path().join(format), scratch.path().join(format).with_extension("copy"));
        run(
            "python3",
            ["-c".as_ref(), script.as_ref(), archive.as_os_str(), rich.path().as_os_str(), constant.as_ref()],
        );
        let report = unpack(&archive, &copy);
        assert!(report.is_complete(), "{report:?}");
        assert_same(&as_python_keeps_it(&manifest(&copy)), &as_python_keeps_it(&rich.manifest));
    }
}

#[test]
fn acls_with_names_instead_of_numbers_are_reported() {
    needs!("root", "tar", "setfacl");
    let scratch = scratch();
    let (source, archive) = (scratch.path().join("source"), scratch.path().join("archive"));
    fs::create_dir(&source).expect("created");
    fs::write(source.join("file"), "x").expect("written");
    run("setfacl", ["-m".as_ref(), "u:nobody:r".as_ref(), source.join("file").as_os_str()]);
    gnu_tar(&archive, &source, &["--format=posix", "--acls"]);
    let report = unpack(&archive, &scratch.path().join("copy"));
    assert_eq!((report.damaged_count, report.damaged_bytes), (1, 0), "{report:?}");
    assert!(report.damaged[0].reason.contains("nobody"), "{report:?}");
}

#[test]
fn an_archive_survives_its_own_reader() {
    needs!("root", "python3", "setfacl", "setcap");
    let rich = rich();
    let scratch = scratch();
    let tree = HostTree::open(rich.path()).expect("opens");
    let mut archive = Vec::new();
    let report = write_tar(&tree, &mut archive, &TarOptions::default(), &Control::default()).expect("writes");
    assert!(report.is_complete());
    let copy = scratch.path().join("copy");
    let unpacked = unpack_tar(archive.as_slice(), &copy, &UnpackOptions::default(), &Control::default());
    let unpacked = unpacked.expect("unpacks");
    assert!(unpacked.is_complete(), "{unpacked:?}");
    assert_eq!(unpacked.written, report.written);
    assert_same(&manifest(&copy), &without_sockets(&rich.manifest));
    assert_same_holes(&copy, &rich.path());
}
