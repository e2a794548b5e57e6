//! The main job on the disk in `testdata/`, held against what the kernel and the engine said of it.

use std::collections::BTreeMap;
use std::path::Path;

use data_encoding::HEXLOWER;
use docker_rescue::file_tree::{FileKind, FileTree, Node, Step, walk};
use docker_rescue::{LastLink, Source, lookup};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::command::{docker_disk, read_json, rescue, rescue_as_nobody, truth};
use crate::support::{needs, run, sh, testdata};

/// The volumes whose data is on the disk: those that the engine mounts nothing over.
fn volumes_with_data() -> Vec<String> {
    let told = read_json(&truth("volumes.json"));
    let volumes = told.as_array().expect("a list").iter();
    let here = volumes.filter(|volume| volume["Options"].as_object().is_none_or(serde_json::Map::is_empty));
    let names: Vec<_> = here.map(|volume| volume["Name"].as_str().expect("a name").to_owned()).collect();
    assert_eq!(names.len(), 7);
    names
}

/// Needs no root and no tool: the tree is compared where it lies.
#[test]
fn every_file_of_every_volume_is_as_the_kernel_showed_it() {
    let source = Source::open(docker_disk()).expect("opens");
    let roots = source.data_roots().expect("has a data root");
    let volumes = roots[0].data_root.volumes();
    let mut compared = 0;
    for name in volumes_with_data() {
        let volume = volumes.list.iter().find(|volume| volume.name == name).expect("the volume is found");
        let manifest = std::fs::read_to_string(truth(&format!("volumes/{name}.jsonl"))).expect("readable");
        let found = describe(&volume.tree().expect("has data"));
        for line in manifest.lines() {
            let expected: Value = serde_json::from_str(line).expect("JSON");
            let path = expected["path"].as_str().expect("a path");
            assert_eq!(found.get(path), Some(&expected), "{name}: {path}");
            compared += 1;
        }
        assert_eq!(found.len(), manifest.lines().count(), "{name} has no other entries");
    }
    assert!(compared > 350, "{compared} entries were compared");
}

/// A tree as `testdata/manifest.py` prints it, by path.
fn describe(tree: &dyn FileTree) -> BTreeMap<String, Value> {
    let mut entries = BTreeMap::new();
    for step in walk(tree) {
        match step {
            Step::Entry { path, node } => {
                let path = if path.is_empty() { ".".to_owned() } else { percent_encode(&path) };
                entries.insert(path.clone(), describe_entry(&path, &*node));
            }
            Step::Unreadable { error, .. } => panic!("{error}"),
            _ => {}
        }
    }
    // The first name of a file, in the order of the encoded bytes, stands for all.
    let mut first: BTreeMap<u64, String> = BTreeMap::new();
    for step in walk(tree) {
        if let Step::Entry { path, node } = step
            && node.metadata().links > 1
            && node.metadata().kind != FileKind::Directory
        {
            let name = first.entry(node.metadata().id.inode).or_insert_with(|| percent_encode(&path)).clone();
            entries.get_mut(&percent_encode(&path)).expect("described")["link"] = name.into();
        }
    }
    entries
}

fn describe_entry(path: &str, node: &dyn Node) -> Value {
    let metadata = node.metadata();
    let kind = match metadata.kind {
        FileKind::Regular => "file",
        FileKind::Directory => "dir",
        FileKind::Symlink => "symlink",
        FileKind::Fifo => "fifo",
        FileKind::CharDevice => "char",
        FileKind::BlockDevice => "block",
        FileKind::Socket => "socket",
    };
    let nanoseconds =
        i128::from(metadata.modified.seconds) * 1_000_000_000 + i128::from(metadata.modified.nanoseconds);
    let mut entry = json!({
        "path": path,
        "kind": kind,
        "mode": format!("{:04o}", metadata.mode),
        "uid": metadata.uid,
        "gid": metadata.gid,
        "mtime_ns": serde_json::from_str::<Value>(&nanoseconds.to_string()).expect("a number"),
    });
    match metadata.kind {
        FileKind::Regular => {
            entry["size"] = metadata.size.into();
            entry["sha256"] = sha256(node).into();
        }
        FileKind::Symlink => entry["target"] = percent_encode(&node.read_link().expect("readable")).into(),
        FileKind::CharDevice | FileKind::BlockDevice => {
            entry["rdev"] = json!([metadata.rdev.major, metadata.rdev.minor]);
        }
        _ => {}
    }
    let xattrs = node.xattrs().expect("readable");
    for xattr in xattrs {
        entry["xattrs"][percent_encode(&xattr.name)] = HEXLOWER.encode(&xattr.value).into();
    }
    entry
}

fn sha256(node: &dyn Node) -> String {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    loop {
        let count = node.read_at(&mut buffer, offset).expect("readable");
        if count == 0 {
            return HEXLOWER.encode(&digest.finalize());
        }
        digest.update(&buffer[..count]);
        offset += count as u64;
    }
}

fn percent_encode(bytes: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~/ ,:=+@()[]{}!$&'*;#^".contains(&byte);
    let encode = |&byte: &u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    bytes.iter().map(encode).collect()
}

#[test]
fn recover_as_root_writes_what_the_kernel_showed() {
    needs!("root", "python3");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = folder.path().join("rescued");
    rescue(["recover".as_ref(), docker_disk().as_os_str(), "-o".as_ref(), target.as_os_str()]).ok();
    for name in volumes_with_data() {
        let expected = std::fs::read_to_string(truth(&format!("volumes/{name}.jsonl"))).expect("readable");
        assert_eq!(manifest(&target.join("volumes").join(&name)), expected, "{name}");
    }
}

#[test]
fn tar_files_written_by_an_ordinary_user_hold_everything_but_sockets() {
    needs!("root", "python3", "tar", "setpriv");
    let folder = tempfile::tempdir().expect("a temporary folder");
    sh("chmod 777 \"$1\"", [folder.path()]);
    let target = folder.path().join("rescued");
    let disk = docker_disk();
    rescue_as_nobody([
        "recover".as_ref(),
        disk.as_os_str(),
        "-o".as_ref(),
        target.as_os_str(),
        "--as=tar".as_ref(),
    ])
    .ok();
    for name in volumes_with_data() {
        let archive = target.join(format!("volumes/{name}.tar"));
        let unpacked = folder.path().join(&name);
        sh(
            "mkdir \"$2\"; tar --xattrs --xattrs-include='*' -C \"$2\" -xpf \"$1\" 2>&1",
            [archive.as_os_str(), unpacked.as_os_str()],
        );
        let expected = std::fs::read_to_string(truth(&format!("volumes/{name}.jsonl"))).expect("readable");
        let without_sockets: Vec<_> =
            expected.lines().filter(|line| !line.contains("\"kind\":\"socket\"")).collect();
        assert_eq!(manifest(&unpacked).lines().collect::<Vec<_>>(), without_sockets, "{name}");
    }
    let sidecar = std::fs::read_to_string(target.join("volumes/every-kind.not-kept.jsonl"))
        .expect("the socket is told");
    assert_eq!(sidecar.lines().count(), 1);
}

#[test]
fn what_an_ordinary_user_cannot_keep_is_recorded_and_no_reason_to_stop() {
    needs!("root", "setpriv");
    let folder = tempfile::tempdir().expect("a temporary folder");
    sh("chmod 777 \"$1\"", [folder.path()]);
    let target = folder.path().join("rescued");
    let run =
        rescue_as_nobody(["recover".as_ref(), docker_disk().as_os_str(), "-o".as_ref(), target.as_os_str()])
            .ok();
    assert!(run.text().contains("could not be kept here"), "{}", run.text());

    let sidecar =
        std::fs::read_to_string(target.join("volumes/every-kind.not-kept.jsonl")).expect("readable");
    let recorded: Vec<Value> =
        sidecar.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let count = |what: &str| {
        let has =
            |entry: &&Value| entry["not_kept"].as_array().is_some_and(|list| list.contains(&what.into()));
        recorded.iter().filter(has).count()
    };
    let manifest = std::fs::read_to_string(truth("volumes/every-kind.jsonl")).expect("readable");
    let files: Vec<Value> = manifest
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|file| file.get("link").is_none_or(|first| *first == file["path"]))
        .collect();
    // Everybody may create the device 0:0, which is overlayfs's mark for a deleted file.
    let is_device = |file: &&Value| {
        ["char", "block"].iter().any(|kind| file["kind"] == *kind) && file["rdev"] != json!([0, 0])
    };
    assert_eq!(count("kind"), files.iter().filter(is_device).count(), "every device is recorded");
    let is_foreign = |file: &&Value| !is_device(file) && (file["uid"] != 65534 || file["gid"] != 65534);
    assert_eq!(count("owner"), files.iter().filter(is_foreign).count(), "every owner is recorded");
}

fn manifest(tree: &Path) -> String {
    let out = run("python3", [testdata().join("manifest.py").as_os_str(), tree.as_os_str()]);
    String::from_utf8(out).expect("the manifest is ASCII")
}

#[test]
fn the_report_and_the_records_tell_what_the_engine_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = folder.path().join("rescued");
    rescue(["recover".as_ref(), docker_disk().as_os_str(), "-o".as_ref(), target.as_os_str()]).ok();
    let report = read_json(&target.join("report.json"));
    assert_eq!(report["is_complete"], true);
    let told = read_json(&truth("volumes.json"));
    let told: BTreeMap<&str, &Value> = told
        .as_array()
        .expect("a list")
        .iter()
        .map(|volume| (volume["Name"].as_str().expect("a name"), volume))
        .collect();
    let volumes = report["data_roots"][0]["volumes"].as_array().expect("a list");
    assert_eq!(volumes.len(), told.len());
    for volume in volumes {
        let name = volume["name"].as_str().expect("a name");
        let mut record = read_json(&target.join(volume["inspect"].as_str().expect("a path")))[0].take();
        let mut expected = told[name].clone();
        // This engine tells when the data was changed last; the record tells when the volume was made.
        record["CreatedAt"].take();
        expected["CreatedAt"].take();
        assert_eq!(record, expected);
        let has_data = volumes_with_data().iter().any(|known| known == name);
        assert_eq!(volume["outcome"] == "recovered", has_data, "{name}");
        assert_eq!(volume["restore"].as_array().map(Vec::len), Some(if has_data { 2 } else { 0 }), "{name}");
    }
}

#[test]
fn only_the_volumes_named_are_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = folder.path().join("rescued");
    let disk = docker_disk();
    let args = ["recover".as_ref(), disk.as_os_str(), "-o".as_ref(), target.as_os_str()];
    rescue(args.into_iter().chain(["--volume", "empty", "--volume=static-site"].map(AsRef::as_ref))).ok();
    let mut written: Vec<_> = std::fs::read_dir(target.join("volumes"))
        .expect("written")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    written.sort();
    written.retain(|name| !name.to_string_lossy().ends_with(".not-kept.jsonl"));
    assert_eq!(written, ["empty", "empty.json", "static-site", "static-site.json"]);
}

#[test]
fn paths_are_found_through_symbolic_links_and_never_lead_out() {
    let source = Source::open(docker_disk()).expect("opens");
    let roots = source.data_roots().expect("has a data root");
    let volumes = roots[0].data_root.volumes();
    let volume = volumes.list.iter().find(|volume| volume.name == "every-kind").expect("the volume is found");
    let tree = volume.tree().expect("has data");
    let inode = |path: &str| lookup(&tree, path, LastLink::Follow).map(|node| node.metadata().id.inode);
    let root = inode("/").expect("the root");
    assert_eq!(inode("/../..").expect("the root"), root);
    assert_eq!(inode("links/../attributes/..").expect("the root"), root);
    assert!(inode("links/nothing").is_err());
}
