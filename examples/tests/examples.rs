//! Every example does what it says on the disk in `testdata/`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

fn disk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/docker-disk.qcow2")
}

/// Runs an example, which `cargo test` has built beside this test, and returns what it prints.
fn run<S: AsRef<OsStr>>(example: &str, args: impl IntoIterator<Item = S>) -> String {
    let test = std::env::current_exe().expect("this program");
    let built = test.ancestors().nth(2).expect("the build folder").join("examples").join(example);
    let out = Command::new(built).args(args).output().expect("the example runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn list_volumes_lists_them() {
    let listed = run("list_volumes", [disk()]);
    assert!(listed.contains("data root /lib/docker"), "{listed}");
    assert!(listed.contains("shop_db-data: its data is here, used by never_started, shop_db"), "{listed}");
}

#[test]
fn recover_volume_recovers_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = folder.path().join("site");
    let said = run("recover_volume", [disk().as_os_str(), "static-site".as_ref(), target.as_os_str()]);
    assert!(said.contains("271 files"), "{said}");
    assert!(target.is_dir());
}

#[test]
fn read_qcow2_and_walk_ext4_show_what_is_inside() {
    const PARTITION: &str = "9437184";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let raw = folder.path().join("disk.raw");
    run("read_qcow2", [disk().as_os_str(), raw.as_os_str()]);
    let walked = run("walk_ext4", [raw.as_os_str(), PARTITION.as_ref()]);
    assert!(walked.contains("/lib/docker/volumes/metadata.db"), "{walked}");
    assert!(!walked.contains("unreadable"), "{walked}");
}

#[test]
fn examples_are_short() {
    for example in ["list_volumes", "recover_volume", "read_qcow2", "walk_ext4"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{example}.rs"));
        let lines = std::fs::read_to_string(file).expect("readable").lines().count();
        assert!(lines < 60, "{example} has {lines} lines");
    }
}
