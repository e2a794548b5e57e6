use data_root_reader::{Elsewhere, RecordState, VolumeData, Volumes};
use serde::Serialize;
use serde_json::{Value, json};

use crate::memory::Memory;
use crate::recorded;

#[test]
fn inspect_says_letter_by_letter_what_docker_says() {
    let volumes = recorded::volumes(recorded::data_root());
    // In the order in which Docker lists them.
    let told = recorded::inspected_text();
    let mut inspected: Vec<_> = volumes.list.iter().collect();
    inspected.sort_by_key(|volume| told.find(&format!("\"Name\": \"{}\"", volume.name)));
    let inspected: Vec<_> = inspected.into_iter().map(data_root_reader::Volume::inspect).collect();
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    inspected.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter)).expect("JSON");
    assert_eq!(String::from_utf8(text).expect("UTF-8"), told.trim_end());
    assert_eq!(volumes.findings, []);
}

#[test]
fn many_volumes_in_a_tree_of_pages_are_all_there() {
    let mut memory = Memory::default().file("volumes/metadata.db", recorded::many_volumes_db());
    for volume in recorded::many_volumes() {
        memory = memory.directory(format!("volumes/{}/_data", volume["Name"].as_str().expect("a name")));
    }
    let volumes = recorded::volumes(memory);
    let told = recorded::many_volumes();
    assert_eq!(volumes.list.len(), 120);
    for (volume, told) in volumes.list.iter().zip(&told) {
        let mut told = told.clone();
        told["CreatedAt"] = json!("1970-01-01T00:00:00Z");
        assert_eq!(serde_json::to_value(volume.inspect()).expect("JSON"), told);
        assert_eq!(volume.record, RecordState::Current);
    }
    assert_eq!(volumes.findings, []);
}

#[test]
fn users_are_those_that_docker_tells() {
    let containers: Vec<Value> = serde_json::from_slice(
        &std::fs::read(recorded::truth_folder().join("containers.json")).expect("a readable file"),
    )
    .expect("JSON");
    let mut told = Vec::new();
    for container in &containers {
        for mount in container["Mounts"].as_array().expect("a list").iter().filter(|m| m["Type"] == "volume")
        {
            told.push(json!([
                mount["Name"],
                container["Name"].as_str().expect("a name").trim_start_matches('/'),
                container["Id"],
                mount["Destination"],
                mount["RW"]
            ]));
        }
    }
    let volumes = recorded::volumes(recorded::data_root());
    let mut found: Vec<Value> = volumes
        .list
        .iter()
        .flat_map(|volume| volume.used_by.iter().map(move |usage| (volume, usage)))
        .map(|(v, u)| json!([v.name, u.container, u.container_id, u.destination, u.is_writable]))
        .collect();
    told.sort_by_key(Value::to_string);
    found.sort_by_key(Value::to_string);
    assert_eq!(found, told);
}

#[test]
fn options_of_the_local_driver_say_where_the_data_is() {
    let volumes = recorded::volumes(recorded::data_root());
    assert_eq!(data_of(&volumes, "empty"), &VolumeData::Here);
    assert_eq!(data_of(&volumes, "scratch-tmpfs"), &VolumeData::Elsewhere(Elsewhere::Tmpfs));
    let bind = Elsewhere::Bind { path: "/srv/data".to_owned() };
    assert_eq!(data_of(&volumes, "host-bind"), &VolumeData::Elsewhere(bind));
    let nfs = Elsewhere::Nfs { server: Some("192.0.2.10".to_owned()), export: "/export/media".to_owned() };
    assert_eq!(data_of(&volumes, "media-nfs"), &VolumeData::Elsewhere(nfs));

    // A server without an address in the options, a share, a disk, and a mere quota.
    let opts = |name: &str, kind: &str, device: &str, options: &str| {
        let json =
            json!({"MountType": kind, "MountOpts": options, "MountDevice": device, "Quota": {"Size": 0}});
        (format!("volumes/{name}/opts.json"), json.to_string())
    };
    let mut memory = recorded::data_root();
    for (path, json) in [
        opts("nas", "nfs4", "nas.local:/volume1", "rw"),
        opts("share", "cifs", "//server/share", "username=me"),
        opts("disk", "ext4", "/dev/sdb1", ""),
        opts("quota", "", "", "size=10G"),
    ] {
        let data = path.replace("opts.json", "_data");
        memory = memory.file(path, json).directory(data);
    }
    let volumes = recorded::volumes(memory);
    let nas = Elsewhere::Nfs { server: Some("nas.local".to_owned()), export: "/volume1".to_owned() };
    assert_eq!(data_of(&volumes, "nas"), &VolumeData::Elsewhere(nas));
    let share = Elsewhere::Cifs { share: "//server/share".to_owned() };
    assert_eq!(data_of(&volumes, "share"), &VolumeData::Elsewhere(share));
    let disk = Elsewhere::Device { device: "/dev/sdb1".to_owned(), file_system: "ext4".to_owned() };
    assert_eq!(data_of(&volumes, "disk"), &VolumeData::Elsewhere(disk));
    assert_eq!(data_of(&volumes, "quota"), &VolumeData::Here);
}

#[test]
fn anonymous_volumes_are_told_by_name_or_label() {
    let volumes = recorded::volumes(recorded::data_root());
    let anonymous = volumes.list.iter().filter(|volume| volume.is_anonymous());
    assert_eq!(anonymous.count(), 3);
    assert!(!volume(&volumes, "shop_db-data").is_anonymous());

    let label = json!({"Name": "x", "Labels": {"com.docker.volume.anonymous": ""}});
    let mut volume = volume(&volumes, "empty").clone();
    volume.labels = serde_json::from_value(label["Labels"].clone()).expect("labels");
    assert!(volume.is_anonymous());
}

#[test]
fn a_directory_without_a_record_is_a_volume_without_labels() {
    let volumes = recorded::volumes(recorded::data_root().file("volumes/found/_data/file", "content"));
    let found = volume(&volumes, "found");
    assert_eq!(
        (found.record, &found.data, &*found.driver),
        (RecordState::Missing, &VolumeData::Here, "local")
    );
    assert_eq!((&found.labels, &found.options), (&None, &None));
    let file =
        file_tree::FileTree::root(&found.tree().expect("a tree")).and_then(|root| root.lookup(b"file"));
    assert_eq!(file.expect("the file").metadata().size, 7);
}

#[test]
fn a_record_without_a_directory_is_listed_as_missing() {
    let volumes = recorded::volumes(recorded::data_root().without("volumes/static-site"));
    let lost = volume(&volumes, "static-site");
    assert_eq!((lost.record, &lost.data), (RecordState::Current, &VolumeData::Missing));
    assert_eq!(lost.labels.as_ref().expect("labels")["team"], "web");
    assert!(matches!(lost.tree(), Err(data_root_reader::Error::NoData(name)) if name == "static-site"));
    assert_eq!(volumes.findings.len(), 1);
    assert_eq!(volumes.findings[0].path, "/volumes/static-site");
}

#[test]
fn a_volume_without_data_directory_is_missing_and_one_behind_a_link_is_elsewhere() {
    let memory = recorded::data_root().without("volumes/empty/_data").without("volumes/every-kind/_data");
    let volumes = recorded::volumes(memory.symlink("volumes/every-kind/_data", "/mnt/large/data"));
    assert_eq!(data_of(&volumes, "empty"), &VolumeData::Missing);
    let link = Elsewhere::Symlink { target: "/mnt/large/data".to_owned() };
    assert_eq!(data_of(&volumes, "every-kind"), &VolumeData::Elsewhere(link));
    assert_eq!(volumes.findings.len(), 1);
}

#[test]
fn names_that_docker_does_not_allow_are_listed_escaped_and_flagged() {
    let volumes = recorded::volumes(
        recorded::data_root()
            .directory(b"volumes/\x1b[31m\xff/_data")
            .directory("volumes/-rf/_data")
            .directory("volumes/lost+found"),
    );
    let odd: Vec<_> = volumes.list.iter().filter(|volume| !volume.has_valid_name()).collect();
    assert_eq!(odd.iter().map(|volume| &*volume.name).collect::<Vec<_>>(), ["\\x1b[31m\\xff", "-rf"]);
    assert!(odd.iter().all(|volume| volume.data == VolumeData::Here && volume.tree().is_ok()));
    assert_eq!(volumes.findings.len(), 2);
}

#[test]
fn a_volume_that_only_a_container_knows_is_a_finding() {
    let volumes = recorded::volumes(
        recorded::data_root()
            .file("containers/c/config.v2.json", r#"{"Name":"/app","MountPoints":{"/x":{"Name":"gone"}}}"#),
    );
    assert_eq!(volumes.findings.len(), 1);
    assert!(volumes.findings[0].problem.contains("container app uses volume gone"));
}

#[test]
fn mountpoints_lie_where_the_containers_say_that_the_data_root_was() {
    let config = |root: &str| format!(r#"{{"Name":"/a","HostnamePath":"{root}/containers/a/hostname"}}"#);
    let memory = Memory::default()
        .directory("image/overlay2/layerdb")
        .directory("volumes/v/_data")
        .file("containers/a/config.v2.json", config("/mnt/containers/docker"))
        .file("containers/b/config.v2.json", config("/mnt/containers/docker"))
        .file("containers/c/config.json", config("/old"));
    assert_eq!(recorded::volumes(memory).list[0].mountpoint, "/mnt/containers/docker/volumes/v/_data");
}

#[test]
fn a_plugins_volume_is_elsewhere() {
    // The database of the recording with another driver's name of the same length.
    let db = std::fs::read(recorded::truth_folder().join("data-root/volumes/metadata.db"))
        .expect("a readable file");
    let (local, other) = (br#""empty","Driver":"local""#, br#""empty","Driver":"rexra""#);
    let mut changed = db.clone();
    for at in 0..db.len() - local.len() {
        if db[at..].starts_with(local) {
            changed[at..at + local.len()].copy_from_slice(other);
        }
    }
    let volumes = recorded::volumes(
        recorded::data_root().file("volumes/metadata.db", changed).without("volumes/empty"),
    );
    let plugin = Elsewhere::Plugin { driver: "rexra".to_owned() };
    assert_eq!(data_of(&volumes, "empty"), &VolumeData::Elsewhere(plugin));
    assert_eq!(volumes.findings, []);
}

fn volume<'a>(volumes: &'a Volumes, name: &str) -> &'a data_root_reader::Volume {
    volumes.list.iter().find(|volume| volume.name == name).expect("the volume is listed")
}

fn data_of<'a>(volumes: &'a Volumes, name: &str) -> &'a VolumeData {
    &volume(volumes, name).data
}
