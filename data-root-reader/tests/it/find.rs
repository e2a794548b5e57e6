use data_root_reader::{DataRoot, Error, Reach, Search, StorageDriver};

use crate::memory::Memory;

fn find(memory: Memory) -> Search {
    DataRoot::find(memory.into_tree()).expect("a readable root")
}

fn paths(search: &Search) -> Vec<String> {
    search.data_roots.iter().map(DataRoot::display_path).collect()
}

#[test]
fn products_known_places_are_looked_at_without_a_search() {
    for place in [
        "docker",
        "lib/docker",
        "var/lib/docker",
        "data/docker",
        "version-pack-data/community/docker",
        "var/snap/docker/common/var-lib-docker",
        "home/me/.local/share/docker",
        "mnt/lima-disk/docker",
        "colima/docker",
    ] {
        let search = find(Memory::default().file(format!("{place}/volumes/metadata.db"), ""));
        assert_eq!(
            (paths(&search), search.reach),
            (vec![format!("/{place}")], Reach::KnownPlaces),
            "{place}"
        );
    }
    let search = find(Memory::default().file("volumes/metadata.db", ""));
    assert_eq!(paths(&search), ["/"]);
}

#[test]
fn a_remapped_data_root_is_found_beside_the_plain_one() {
    let memory = Memory::default()
        .file("var/lib/docker/volumes/metadata.db", "")
        .file("var/lib/docker/100000.100000/volumes/metadata.db", "");
    assert_eq!(paths(&find(memory)), ["/var/lib/docker", "/var/lib/docker/100000.100000"]);
}

#[test]
fn elsewhere_it_is_found_by_searching_but_not_within_another() {
    let memory = Memory::default()
        .directory("srv/a/b")
        .file("srv/a/b/engine/volumes/metadata.db", "")
        .file("srv/a/b/engine/volumes/dind/_data/docker/volumes/metadata.db", "");
    let search = find(memory);
    assert_eq!((paths(&search), search.reach), (vec!["/srv/a/b/engine".to_owned()], Reach::WholeTree));
}

#[test]
fn a_search_has_bounds() {
    let deep = (0..40).map(|n| format!("level-{n}")).collect::<Vec<_>>().join("/");
    let search = find(Memory::default().file(format!("{deep}/volumes/metadata.db"), ""));
    assert_eq!((paths(&search), search.reach), (Vec::new(), Reach::PartOfTree));
}

#[test]
fn other_software_is_not_taken_for_docker() {
    let podman = Memory::default()
        .directory("storage/overlay")
        .directory("storage/overlay-containers")
        .directory("storage/volumes/v/_data")
        .directory("storage/libpod")
        .directory("lib/containers/storage")
        .directory("lib/containerd/io.containerd.metadata.v1.bolt")
        .directory("lib/buildkit");
    assert_eq!(paths(&find(podman)), [""; 0]);
}

#[test]
fn a_data_root_without_its_database_is_known_by_its_other_parts() {
    let layers = Memory::default().directory("docker/image/overlay2/layerdb");
    assert_eq!(paths(&find(layers)), ["/docker"]);
    let ancient = Memory::default()
        .directory("docker/containers")
        .directory("docker/volumes")
        .directory("docker/graph");
    assert_eq!(paths(&find(ancient)), ["/docker"]);
}

#[test]
fn an_unreadable_place_is_told_and_does_not_hide_another() {
    let memory = Memory::default()
        .directory("docker")
        .unreadable("docker", 0)
        .file("var/lib/docker/volumes/metadata.db", "");
    let search = find(memory);
    assert_eq!(paths(&search), ["/var/lib/docker"]);
    assert!(
        search
            .findings
            .iter()
            .any(|finding| finding.path == "/docker" && finding.problem.contains("bad sector"))
    );
}

#[test]
fn one_unreadable_sign_does_not_hide_a_data_root() {
    let memory = Memory::default()
        .file("docker/volumes/metadata.db", "")
        .unreadable("docker/volumes", 0)
        .directory("docker/image/overlay2/layerdb");
    assert_eq!(paths(&find(memory)), ["/docker"]);
}

#[test]
fn a_search_that_met_damage_and_found_nothing_says_so() {
    let search = find(Memory::default().directory("srv/lost").unreadable("srv/lost", 0));
    assert_eq!(paths(&search), [""; 0]);
    assert_eq!(search.findings.len(), 1);
    assert_eq!(search.findings[0].path, "/srv/lost");
}

#[test]
fn open_refuses_what_is_no_data_root() {
    let tree = Memory::default().directory("etc").into_tree();
    assert!(matches!(DataRoot::open(tree, "etc"), Err(Error::NotADataRoot(path)) if path == "/etc"));
    let tree = Memory::default().file("volumes/metadata.db", "").directory("a").into_tree();
    assert!(matches!(DataRoot::open(tree, "a/.."), Err(Error::NotADataRoot(_))));
}

#[test]
fn its_tree_begins_at_the_data_root() {
    let tree = Memory::default().file("lib/docker/volumes/metadata.db", "").into_tree();
    let data_root = DataRoot::open(tree, "/lib//docker/").expect("a data root");
    assert_eq!(data_root.path(), b"lib/docker");
    let root = file_tree::FileTree::root(&data_root.tree().expect("a tree"));
    assert!(root.expect("a root").lookup(b"volumes").is_ok());
}

#[test]
fn storage_drivers_and_a_containerd_beside_it_are_told() {
    let memory = Memory::default()
        .file("lib/docker/volumes/metadata.db", "")
        .directory("lib/docker/overlay2")
        .directory("lib/docker/image/aufs/layerdb")
        .directory("lib/docker/containerd/daemon/io.containerd.content.v1.content/blobs/sha256")
        .directory("lib/containerd/io.containerd.metadata.v1.bolt");
    let search = find(memory);
    let root = &search.data_roots[0];
    assert_eq!(
        root.storage_drivers(),
        [StorageDriver::Overlay2, StorageDriver::Aufs, StorageDriver::Containerd]
    );
    assert_eq!(root.sibling_containerd(), Some("/lib/containerd"));
}
