//! `fs ls|stat|cat|cp` and `info`, on the disk in `testdata/`.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

use crate::command::{Run, docker_disk, rescue, truth};
use crate::support::{needs, sh};

const DATA: &str = "/lib/docker/volumes/every-kind/_data";

fn fs(verb: &str, path: &str, more: &[&OsStr]) -> Run {
    let disk = docker_disk();
    let args = [OsStr::new("fs"), OsStr::new(verb), disk.as_os_str(), OsStr::new(path)];
    rescue(args.into_iter().chain(more.iter().copied()))
}

fn manifest(volume: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(truth(&format!("volumes/{volume}.jsonl"))).expect("readable");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn ls_lists_every_entry_and_no_other() {
    let listed = fs("ls", DATA, &["-r".as_ref(), "--json".as_ref()]).ok().json_lines();
    assert_eq!(listed.len(), manifest("every-kind").len() - 1, "all but the root");
    let direct = fs("ls", DATA, &["--json".as_ref()]).ok().json_lines();
    let expected =
        manifest("every-kind").iter().filter(|e| !e["path"].as_str().expect("path").contains('/')).count()
            - 1;
    assert_eq!(direct.len(), expected);
}

#[test]
fn ls_shows_names_that_would_control_a_terminal_escaped() {
    let run = fs("ls", &format!("{DATA}/names"), &[]).ok();
    assert!(run.text().lines().count() > 3);
    assert!(run.text().chars().all(|c| c == '\n' || !c.is_control()), "{:?}", run.text());
}

#[test]
fn cat_takes_paths_as_ls_prints_them() {
    let listed = fs("ls", &format!("{DATA}/names"), &["--json".as_ref()]).ok().json_lines();
    let mut strange = 0;
    for entry in listed.iter().filter(|entry| entry["kind"] == "file") {
        strange += usize::from(entry.get("path_base64").is_some());
        let printed = entry["path"].as_str().expect("a path").replace('\n', "\\x0a");
        let printed = if entry.get("path_base64").is_some() {
            printed
        } else {
            printed.replace('\\', "\\\\").replace("\\\\x0a", "\\x0a")
        };
        let run = fs("cat", &format!("{DATA}/names/{printed}"), &[]).ok();
        assert_eq!(run.stdout.len() as u64, entry["size"].as_u64().expect("a size"), "{printed}");
    }
    assert!(strange > 0, "the disk has names that are not UTF-8");
}

#[test]
fn stat_tells_what_the_kernel_told() {
    for expected in manifest("every-kind") {
        let path = expected["path"].as_str().expect("a path");
        if path.contains('%') {
            continue;
        }
        let found = fs("stat", &format!("{DATA}/{path}"), &["--json".as_ref()]).ok().json();
        for (key, theirs) in [("mode", "mode"), ("uid", "uid"), ("gid", "gid")] {
            assert_eq!(found[key], expected[theirs], "{path}: {key}");
        }
        let xattrs = expected["xattrs"].as_object().map_or(0, serde_json::Map::len);
        assert_eq!(found["xattrs"].as_array().map(Vec::len), Some(xattrs), "{path}: xattrs");
        if expected["kind"] == "file" {
            assert_eq!(found["size"], expected["size"], "{path}: size");
        }
    }
}

#[test]
fn cp_copies_a_file_a_directory_and_to_a_tar_stream() {
    needs!("tar");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let expected = fs("cat", &format!("{DATA}/one-block"), &[]).ok().stdout;

    fs("cp", &format!("{DATA}/one-block"), &[at("copy").as_os_str()]).ok();
    assert_eq!(std::fs::read(at("copy")).expect("copied"), expected);
    fs("cp", &format!("{DATA}/one-block"), &[at("copy").as_os_str()]).says(1, &["exists", "--force"]);
    fs("cp", &format!("{DATA}/one-block"), &[at("copy").as_os_str(), "--force".as_ref()]).ok();
    fs("cp", &format!("{DATA}/one-block"), &[folder.path().as_os_str()]).ok();
    assert_eq!(std::fs::read(at("one-block")).expect("copied into the directory"), expected);

    fs("cp", &format!("{DATA}/deep"), &[folder.path().as_os_str()]).ok();
    assert!(at("deep").is_dir());
    fs("cp", &format!("{DATA}/deep"), &[at("deep").as_os_str()]).ok();
    assert!(at("deep/deep").is_dir(), "as cp has it, into a directory that is there");

    let archive = fs("cp", &format!("{DATA}/deep"), &["-".as_ref()]).ok().stdout;
    std::fs::write(at("deep.tar"), archive).expect("writable");
    sh("cd \"$1\"; mkdir t; tar -C t -xf deep.tar; diff -r deep/deep t/deep", [folder.path()]);
    assert_eq!(leftovers(folder.path()), 0);
}

fn leftovers(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).expect("readable").map(|entry| entry.expect("entry").file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".partial")).count()
}

#[test]
fn paths_that_are_not_there_or_of_another_kind_are_named() {
    fs("cat", "/lib/docker/nothing", &[]).says(1, &["/lib/docker/nothing", "no such file"]);
    fs("cat", DATA, &[]).says(1, &[DATA, "not a regular file"]);
    fs("ls", &format!("{DATA}/one-block/x"), &[]).says(1, &["not a directory"]);
}

#[test]
fn info_tells_every_layer() {
    let disk = docker_disk();
    let run = rescue(["info".as_ref(), disk.as_os_str()]).ok();
    for words in [
        "qcow2 version 3",
        "MBR",
        "Linux swap",
        "ext4",
        "journal clean",
        "/lib/docker",
        "10 volumes",
        "overlay2",
    ] {
        assert!(run.text().contains(words), "{words:?} is missing in: {}", run.text());
    }
    let json = rescue(["info".as_ref(), disk.as_os_str(), "--json".as_ref()]).ok().json();
    assert_eq!(json["disk"]["format"], "qcow2");
    assert_eq!(json["parts"][0]["file_system"], "Linux swap");
    assert_eq!(json["parts"][1]["data_roots"][0]["path"], "/lib/docker");
    assert_eq!(json["parts"][1]["data_roots"][0]["volumes"], 10);
}

#[test]
fn info_without_a_source_lists_the_disks_at_known_places() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let place = home.path().join(".docker/desktop/vms/0/data");
    std::fs::create_dir_all(&place).expect("writable");
    std::fs::copy(docker_disk(), place.join("Docker.raw")).expect("copied");
    let list = |json: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_docker-rescue"));
        let out =
            command.arg("info").args(json).env("HOME", home.path()).env("USERPROFILE", home.path()).output();
        String::from_utf8(out.expect("docker-rescue runs").stdout).expect("text")
    };
    assert!(list(&[]).contains("Docker Desktop") && list(&[]).contains("Docker.raw"), "{}", list(&[]));
    let found: Value = serde_json::from_str(&list(&["--json"])).expect("one line of JSON");
    assert_eq!(found["product"], "Docker Desktop");
    std::fs::remove_file(place.join("Docker.raw")).expect("removable");
    assert!(list(&[]).contains("no Docker disk was found"));
}

#[test]
fn a_disk_without_its_superblock_is_read_by_a_backup() {
    needs!("mke2fs", "debugfs", "dd");
    let folder = tempfile::tempdir().expect("folder");
    let disk = folder.path().join("disk.raw");
    sh(
        "truncate -s 32M \"$1\"; mke2fs -q -F -b 1024 \"$1\"; echo 'still here' >\"$1.txt\"
         debugfs -w -R \"write $1.txt file\" \"$1\" 2>/dev/null; dd if=/dev/zero of=\"$1\" bs=1024 seek=1 count=1 conv=notrunc status=none",
        [disk.as_os_str()],
    );
    let run = rescue(["fs".as_ref(), "cat".as_ref(), disk.as_os_str(), "/file".as_ref()]);
    let run = run.says(0, &["superblock at byte offset 1024", "the backup in group 1 was taken"]);
    assert_eq!(run.text(), "still here\n");
}
