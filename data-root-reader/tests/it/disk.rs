//! The disk in `testdata/`, mounted by the kernel.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use data_root_reader::bolt::{Bucket, Database, Entry};
use data_root_reader::{DataRoot, Reach, StorageDriver};
use file_tree::{FileTree, HostTree};

use crate::recorded;
use crate::support::{LoopMount, needs, run, sh, testdata};

/// The second partition of the disk, mounted.
fn mounted(folder: &Path) -> LoopMount {
    let (raw, partition) = (folder.join("disk"), folder.join("partition"));
    run(
        "qemu-img",
        [
            "convert".as_ref(),
            "-O".as_ref(),
            "raw".as_ref(),
            testdata().join("docker-disk.qcow2").as_os_str(),
            raw.as_os_str(),
        ],
    );
    sh(r#"dd if="$1" of="$2" bs=1M skip=9 conv=sparse status=none; rm "$1""#, [&raw, &partition]);
    LoopMount::new(&partition, "ro")
}

#[test]
fn the_disks_data_root_is_found_and_its_volumes_are_dockers() {
    needs!("loop", "qemu-img");
    let folder = tempfile::tempdir().expect("a folder");
    let disk = mounted(folder.path());
    let tree: Arc<dyn FileTree> = Arc::new(HostTree::open(disk.path()).expect("a tree"));

    let search = DataRoot::find(tree).expect("a readable root");
    assert_eq!((search.findings.as_slice(), search.reach), ([].as_slice(), Reach::KnownPlaces));
    let [data_root] = &search.data_roots[..] else { panic!("{} data roots", search.data_roots.len()) };
    assert_eq!(data_root.display_path(), "/lib/docker");
    assert_eq!(data_root.storage_drivers(), [StorageDriver::Overlay2]);

    let volumes = data_root.volumes();
    assert_eq!(volumes.findings, []);
    let told = recorded::inspected();
    assert_eq!(volumes.list.len(), told.len());
    for (volume, told) in volumes.list.iter().zip(told) {
        let mut inspected = serde_json::to_value(volume.inspect()).expect("JSON");
        // Docker 20.10 tells when the data directory was changed last, which is not before it was made.
        assert!(inspected["CreatedAt"].as_str() <= told["CreatedAt"].as_str(), "{inspected}");
        inspected["CreatedAt"] = told["CreatedAt"].clone();
        assert_eq!(inspected, told);

        let manifest =
            std::fs::read_to_string(recorded::truth_folder().join(format!("volumes/{}.jsonl", volume.name)));
        let steps = file_tree::walk(&volume.tree().expect("a tree"))
            .filter(|step| matches!(step, file_tree::Step::Entry { .. }))
            .count();
        assert_eq!(steps, manifest.expect("a manifest").lines().count(), "{}", volume.name);
    }
}

#[test]
fn every_database_of_dockerd_and_containerd_can_be_walked() {
    needs!("loop", "qemu-img", "find");
    let folder = tempfile::tempdir().expect("a folder");
    let disk = mounted(folder.path());
    let found = Command::new("find")
        .arg(disk.path())
        .args(["-name", "*.db", "-size", "+0"])
        .output()
        .expect("find runs");
    let paths = String::from_utf8(found.stdout).expect("UTF-8");
    let mut keys = 0;
    for path in paths.lines() {
        let bytes = std::fs::read(path).expect("a readable file");
        let database = Database::parse(&bytes).expect(path);
        assert_eq!(database.damaged_meta(), None);
        let newest = database.states().next().expect("a state");
        keys += count_keys(&newest.root());
    }
    assert_eq!(paths.lines().count(), 7, "{paths}");
    assert!(keys > 20, "{keys}");
}

/// The keys of a bucket and of those below, none of which is damaged.
fn count_keys(bucket: &Bucket<'_, '_>) -> usize {
    bucket
        .entries()
        .map(|entry| match entry.expect("no damage").1 {
            Entry::Value { .. } => 1,
            Entry::Bucket(below) => 1 + count_keys(&below),
        })
        .sum()
}
