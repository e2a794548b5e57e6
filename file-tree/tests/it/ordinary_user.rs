use std::fs;
use std::path::PathBuf;

use file_tree::{Control, DirectoryOptions, HostTree, TarOptions, UnpackOptions, unpack_tar, write_tar};
use serde_json::Value;

use crate::rich::{
    assert_accounted_for, assert_same_holes, manifest, rerun_as_ordinary_user, rich, scratch, without_sockets,
};
use crate::support::{needs, sh};

#[test]
fn what_an_ordinary_user_cannot_keep_is_in_the_sidecar() {
    needs!("root", "python3", "setfacl", "setcap", "setpriv");
    let rich = rich();
    let scratch = scratch();
    let archive = scratch.path().join("archive.tar");
    let tree = HostTree::open(rich.path()).expect("opens");
    let out = fs::File::create(&archive).expect("created");
    let report = write_tar(&tree, out, &TarOptions::default(), &Control::default()).expect("writes");
    assert!(report.is_complete());
    sh("chmod 755 \"$1\"; mkdir \"$1/mine\"; chown 65534:65534 \"$1/mine\"", [scratch.path()]);
    rerun_as_ordinary_user("ordinary_user::unpacks_as_ordinary_user", scratch.path());

    // As root, for modes keep their owner from looking.
    let copy = scratch.path().join("mine/copy");
    assert_accounted_for(&copy, &scratch.path().join("mine/sidecar"), &without_sockets(&rich.manifest));
    for line in manifest(&copy).lines() {
        let entry: Value = serde_json::from_str(line).expect("json");
        assert_eq!((&entry["uid"], &entry["gid"]), (&65534.into(), &65534.into()), "{line}");
        let may_run_as_owner = ["4", "2", "6"]
            .iter()
            .any(|bits| entry["mode"].as_str().is_some_and(|mode| mode.starts_with(bits)));
        assert!(!may_run_as_owner, "{line}");
    }
    assert_same_holes(&copy, &rich.path());
}

/// Not a test of its own: run by the one above with fewer rights.
#[test]
#[ignore = "run by another test as another user"]
fn unpacks_as_ordinary_user() {
    let scratch = PathBuf::from(std::env::var_os("SCRATCH").expect("set by the caller"));
    let sidecar = scratch.join("mine/sidecar");
    let options =
        UnpackOptions { directory: DirectoryOptions::default().sidecar(&sidecar), ..Default::default() };
    let archive = fs::File::open(scratch.join("archive.tar")).expect("opens");
    let report =
        unpack_tar(archive, &scratch.join("mine/copy"), &options, &Control::default()).expect("unpacks");
    assert!(report.is_complete(), "{report:?}");
    let lines = fs::read_to_string(sidecar).expect("sidecar").lines().count() as u64;
    assert!(
        report.not_kept.owners > 90 && report.not_kept.kinds == 2 && report.not_kept.xattrs == 5,
        "{report:?}"
    );
    assert_eq!(lines, report.not_kept.owners + report.not_kept.kinds, "{report:?}");
}
