//! `volume ls|inspect|cp`, held against what the engine said.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::command::{docker_disk, read_json, rescue, truth};

fn told() -> Vec<Value> {
    read_json(&truth("volumes.json")).as_array().expect("a list").clone()
}

#[test]
fn ls_lists_the_volumes_of_the_engine() {
    let disk = docker_disk();
    let listed =
        rescue(["volume".as_ref(), "ls".as_ref(), disk.as_os_str(), "--json".as_ref()]).ok().json_lines();
    let names = |key: &str, list: &[Value]| -> BTreeSet<String> {
        list.iter().map(|volume| volume[key].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names("name", &listed), names("Name", &told()));
    let table = rescue(["volume".as_ref(), "ls".as_ref(), disk.as_os_str()]).ok();
    assert_eq!(table.text().lines().count(), told().len() + 1);
    assert!(table.text().starts_with("DRIVER   VOLUME NAME"));
}

#[test]
fn data_that_is_elsewhere_says_where() {
    let disk = docker_disk();
    let listed =
        rescue(["volume".as_ref(), "ls".as_ref(), disk.as_os_str(), "--json".as_ref()]).ok().json_lines();
    let data =
        |name: &str| listed.iter().find(|volume| volume["name"] == name).expect("listed")["data"].clone();
    assert_eq!(data("shop_db-data")["where"], "here");
    assert_eq!(
        (&data("host-bind")["kind"], &data("host-bind")["path"]),
        (&"bind".into(), &"/srv/data".into())
    );
    assert_eq!(data("media-nfs")["server"], "192.0.2.10");
    assert_eq!(data("scratch-tmpfs")["kind"], "tmpfs");
    rescue([
        "volume".as_ref(),
        "cp".as_ref(),
        disk.as_os_str(),
        "media-nfs".as_ref(),
        "/nonexistent/x".as_ref(),
    ])
    .says(1, &["not here", "192.0.2.10"]);
}

#[test]
fn anonymous_volumes_tell_which_container_used_them() {
    let disk = docker_disk();
    let listed =
        rescue(["volume".as_ref(), "ls".as_ref(), disk.as_os_str(), "--json".as_ref()]).ok().json_lines();
    let containers = read_json(&truth("containers.json"));
    let mut anonymous = 0;
    for volume in listed.iter().filter(|volume| volume["is_anonymous"] == true) {
        anonymous += 1;
        let user = &volume["used_by"][0];
        let container =
            containers.as_array().expect("a list").iter().find(|c| c["Id"] == user["container_id"]);
        let mounts = container.expect("the engine knows it")["Mounts"].as_array().expect("a list").clone();
        assert!(
            mounts.iter().any(|m| m["Name"] == volume["name"] && m["Destination"] == user["destination"])
        );
    }
    assert_eq!(anonymous, 3);
}

#[test]
fn inspect_prints_what_docker_volume_inspect_printed() {
    let disk = docker_disk();
    let told = told();
    let names: Vec<_> = told.iter().map(|volume| volume["Name"].as_str().expect("a name")).collect();
    let args = ["volume".as_ref(), "inspect".as_ref(), disk.as_os_str()];
    let found = rescue(args.into_iter().chain(names.iter().map(AsRef::as_ref))).ok().json();
    for (ours, theirs) in found.as_array().expect("a list").iter().zip(&told) {
        for key in ["Driver", "Labels", "Mountpoint", "Name", "Options", "Scope"] {
            assert_eq!(ours[key], theirs[key], "{key} of {}", theirs["Name"]);
        }
    }
}

#[test]
fn cp_copies_a_file_of_a_volume() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = docker_disk();
    let target = folder.path().join("block");
    rescue([
        "volume".as_ref(),
        "cp".as_ref(),
        disk.as_os_str(),
        "every-kind:/one-block".as_ref(),
        target.as_os_str(),
    ])
    .ok();
    assert_eq!(std::fs::metadata(&target).expect("copied").len(), 4096);
    rescue([
        "volume".as_ref(),
        "cp".as_ref(),
        disk.as_os_str(),
        "static-site".as_ref(),
        folder.path().as_os_str(),
    ])
    .ok();
    assert!(folder.path().join("static-site").is_dir());
}
