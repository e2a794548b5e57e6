//! What a real dockerd left, and what it said of it.

use std::path::{Path, PathBuf};

use data_root_reader::{DataRoot, Volumes};
use serde_json::Value;

use crate::memory::Memory;
use crate::support::testdata;

/// Where the records of a real dockerd lie.
pub(crate) fn truth_folder() -> PathBuf {
    testdata().join("docker-disk.truth")
}

/// What `docker volume inspect` said.
pub(crate) fn inspected_text() -> String {
    std::fs::read_to_string(truth_folder().join("volumes.json")).expect("volumes.json")
}

/// What `docker volume inspect` said, volume by volume.
pub(crate) fn inspected() -> Vec<Value> {
    let mut volumes: Vec<Value> = serde_json::from_str(&inspected_text()).expect("JSON");
    // Docker takes runs of digits for numbers when it sorts.
    volumes.sort_by_key(|volume| volume["Name"].as_str().map(str::to_owned));
    volumes
}

/// The data root of that dockerd: its records, and an empty `_data` for each volume.
pub(crate) fn data_root() -> Memory {
    let folder = truth_folder().join("data-root");
    let mut memory = Memory::default().directory("image/overlay2/layerdb");
    for file in files(&folder) {
        let path =
            file.strip_prefix(&folder).expect("below the folder").to_str().expect("UTF-8").replace('\\', "/");
        memory = memory.file(path, std::fs::read(&file).expect("a readable file"));
    }
    for volume in inspected() {
        let path = format!("volumes/{}", volume["Name"].as_str().expect("a name"));
        let created: jiff::Timestamp = volume["CreatedAt"].as_str().expect("a time").parse().expect("a time");
        memory = memory.directory(format!("{path}/_data")).created(&path, created.as_second());
    }
    memory
}

/// The database of a dockerd with many volumes.
pub(crate) fn many_volumes_db() -> Vec<u8> {
    std::fs::read(fixture("many-volumes.db")).expect("a readable file")
}

/// What that dockerd said of them.
pub(crate) fn many_volumes() -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(fixture("many-volumes.json")).expect("a readable file"))
        .expect("JSON")
}

/// The volumes of a data root at the root of a tree.
pub(crate) fn volumes(memory: Memory) -> Volumes {
    DataRoot::open(memory.into_tree(), "").expect("a data root").volumes()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
