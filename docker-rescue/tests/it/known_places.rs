use std::fs::File;
use std::path::{Path, PathBuf};

use docker_rescue::Folders;

/// Makes a sparse file of 1 MiB with the folders above it.
fn disk(path: &Path) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    File::create(path).expect("created").set_len(1 << 20).expect("sized");
}

fn found(folders: &Folders, root: &Path) -> Vec<(&'static str, PathBuf)> {
    let disks = folders.find_disks().into_iter();
    disks
        .map(|disk| (disk.product, disk.path.strip_prefix(root).expect("below the root").to_owned()))
        .collect()
}

#[test]
fn each_known_place_is_found_below_a_home_folder() {
    let root = tempfile::tempdir().expect("a folder");
    let folders = Folders::of_home(root.path().join("Users/jane"));
    assert_eq!(folders.find_disks(), []);
    let places = folders.known_places();
    for place in &places {
        let path = place.path.to_str().expect("UTF-8").replace('*', "default");
        disk(path.as_ref());
    }
    let products: Vec<_> = folders.find_disks().into_iter().map(|disk| disk.product).collect();
    let expected: Vec<_> = places.iter().map(|place| place.product).collect();
    assert_eq!(products, expected);
}

#[test]
fn disks_of_every_system_are_where_its_products_keep_them() {
    let root = tempfile::tempdir().expect("a folder");
    let folders = Folders::of_home(root.path().join("Users/jane"));
    for (product, path) in [
        ("Docker Desktop", "Users/jane/Library/Containers/com.docker.docker/Data/vms/0/data/Docker.raw"),
        ("Docker Desktop", "Users/jane/.docker/desktop/vms/0/data/Docker.raw"),
        ("Docker Desktop (WSL)", "Users/jane/AppData/Local/Docker/wsl/disk/docker_data.vhdx"),
        ("Docker Desktop (Hyper-V)", "ProgramData/DockerDesktop/vm-data/DockerDesktop.vhdx"),
        ("Docker for Windows", "Users/Public/Documents/Hyper-V/Virtual Hard Disks/MobyLinuxVM.vhdx"),
        ("Docker Machine", "Users/jane/.docker/machine/machines/old box/disk.vmdk"),
    ] {
        disk(&root.path().join(path));
        let found = found(&folders, root.path());
        assert_eq!(found, [(product, PathBuf::from(path))]);
        std::fs::remove_file(root.path().join(path)).expect("removed");
    }
}

#[test]
fn each_profile_has_a_disk_of_its_own() {
    let home = tempfile::tempdir().expect("a folder");
    for profile in ["colima", "colima-work", "_disks"] {
        disk(&home.path().join(".colima/_lima").join(profile).join("diffdisk"));
    }
    disk(&home.path().join(".colima/_lima/_disks/colima/datadisk"));
    // No file, and no folder: neither is a disk.
    std::fs::create_dir_all(home.path().join(".colima/_lima/empty/diffdisk")).expect("created");
    File::create(home.path().join(".colima/_lima/file")).expect("created");
    let expected = [
        ".colima/_lima/_disks/colima/datadisk",
        ".colima/_lima/_disks/diffdisk",
        ".colima/_lima/colima/diffdisk",
        ".colima/_lima/colima-work/diffdisk",
    ];
    let found = found(&Folders::of_home(home.path()), home.path());
    assert_eq!(found, expected.map(|path| ("Colima", PathBuf::from(path))));
}

#[test]
fn a_disk_is_told_with_its_length_and_what_it_occupies() {
    let home = tempfile::tempdir().expect("a folder");
    disk(&home.path().join(".orbstack/data/data.img"));
    let disks = Folders::of_home(home.path()).find_disks();
    assert_eq!(disks[0].size_bytes, 1 << 20);
    assert!(disks[0].modified.is_some());
    if cfg!(unix) {
        assert!(disks[0].allocated_bytes.expect("told") < 1 << 20, "the file has holes");
    }
}

#[test]
fn this_computer_has_a_home_folder() {
    let folders = Folders::of_this_computer().expect("a home folder");
    let home = std::env::home_dir().expect("a home folder");
    assert!(folders.known_places().iter().any(|place| place.path.starts_with(&home)));
}
