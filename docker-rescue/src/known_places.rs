//! Where the products that run Docker in a virtual machine keep its disk.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The folders of a computer below which products keep their disks.
///
/// A disk taken out of another computer can be searched too: give the home folder on it to [`Folders::of_home`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    home: PathBuf,
    local_app_data: PathBuf,
    program_data: PathBuf,
    public: PathBuf,
}

/// A place where a product keeps its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPlace {
    /// The product.
    pub product: &'static str,
    /// The path of the disk; a component `*` stands for any name.
    pub path: PathBuf,
}

/// A disk found at a known place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundDisk {
    /// The product that keeps its disk there.
    pub product: &'static str,
    /// The disk.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// What it occupies of its drive, in bytes, where the system tells: less than its length where it has holes.
    pub allocated_bytes: Option<u64>,
    /// When it was last written.
    pub modified: Option<SystemTime>,
}

#[derive(Clone, Copy)]
enum Root {
    Home,
    LocalAppData,
    ProgramData,
    Public,
}

/// Newer places of a product come first.
const PLACES: &[(&str, Root, &str)] = &[
    ("Docker Desktop", Root::Home, "Library/Containers/com.docker.docker/Data/vms/0/data/Docker.raw"),
    ("Docker Desktop", Root::Home, "Library/Containers/com.docker.docker/Data/vms/0/Docker.raw"),
    ("Docker Desktop", Root::Home, "Library/Containers/com.docker.docker/Data/vms/0/Docker.qcow2"),
    (
        "Docker for Mac",
        Root::Home,
        "Library/Containers/com.docker.docker/Data/com.docker.driver.amd64-linux/Docker.raw",
    ),
    (
        "Docker for Mac",
        Root::Home,
        "Library/Containers/com.docker.docker/Data/com.docker.driver.amd64-linux/Docker.qcow2",
    ),
    ("Docker Desktop", Root::Home, ".docker/desktop/vms/0/data/Docker.raw"),
    ("Docker Desktop (WSL)", Root::LocalAppData, "Docker/wsl/disk/docker_data.vhdx"),
    ("Docker Desktop (WSL)", Root::LocalAppData, "Docker/wsl/data/ext4.vhdx"),
    ("Docker Desktop (Hyper-V)", Root::ProgramData, "DockerDesktop/vm-data/DockerDesktop.vhdx"),
    ("Docker Desktop (Hyper-V)", Root::Public, "Documents/Hyper-V/Virtual Hard Disks/DockerDesktop.vhdx"),
    ("Docker for Windows", Root::Public, "Documents/Hyper-V/Virtual Hard Disks/MobyLinuxVM.vhdx"),
    ("Colima", Root::Home, ".colima/_lima/_disks/*/datadisk"),
    ("Colima", Root::Home, ".colima/_lima/*/diffdisk"),
    ("Lima", Root::Home, ".lima/_disks/*/datadisk"),
    ("Lima", Root::Home, ".lima/*/diffdisk"),
    ("Rancher Desktop", Root::Home, "Library/Application Support/rancher-desktop/lima/0/diffdisk"),
    ("Rancher Desktop", Root::Home, ".local/share/rancher-desktop/lima/0/diffdisk"),
    ("Rancher Desktop (WSL)", Root::LocalAppData, "rancher-desktop/distro-data/ext4.vhdx"),
    ("OrbStack", Root::Home, "Library/Group Containers/HUAQ24HBR6.dev.orbstack/data/data.img.raw"),
    ("OrbStack", Root::Home, ".orbstack/data/data.img"),
    ("Docker Machine", Root::Home, ".docker/machine/machines/*/disk.vmdk"),
];

impl Folders {
    /// Those of the user who runs this; `None` if the system does not tell the home folder.
    #[must_use]
    pub fn of_this_computer() -> Option<Self> {
        let folders = Self::of_home(std::env::home_dir()?);
        let variable = |name, default| std::env::var_os(name).map_or(default, PathBuf::from);
        Some(Self {
            home: folders.home,
            local_app_data: variable("LOCALAPPDATA", folders.local_app_data),
            program_data: variable("ProgramData", folders.program_data),
            public: variable("PUBLIC", folders.public),
        })
    }

    /// Those of the user with this home folder, where Windows has them beside a home folder.
    #[must_use]
    pub fn of_home(home: impl Into<PathBuf>) -> Self {
        let home = home.into();
        let users = home.parent().unwrap_or(&home);
        Self {
            local_app_data: home.join("AppData/Local"),
            program_data: users.parent().unwrap_or(users).join("ProgramData"),
            public: users.join("Public"),
            home,
        }
    }

    /// Every place where a known product keeps its disk, on any system.
    #[must_use]
    pub fn known_places(&self) -> Vec<KnownPlace> {
        let place = |(product, root, path): &(&'static str, Root, &str)| {
            let folder = match root {
                Root::Home => &self.home,
                Root::LocalAppData => &self.local_app_data,
                Root::ProgramData => &self.program_data,
                Root::Public => &self.public,
            };
            KnownPlace { product, path: path.split('/').fold(folder.clone(), |path, name| path.join(name)) }
        };
        PLACES.iter().map(place).collect()
    }

    /// The disks there are at the known places. What cannot be looked at counts as not there.
    #[must_use]
    pub fn find_disks(&self) -> Vec<FoundDisk> {
        let disks = |place: KnownPlace| {
            expand(&place.path).into_iter().filter_map(move |path| FoundDisk::at(place.product, path))
        };
        self.known_places().into_iter().flat_map(disks).collect()
    }
}

impl FoundDisk {
    fn at(product: &'static str, path: PathBuf) -> Option<Self> {
        let metadata = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some(Self {
            product,
            path,
            size_bytes: metadata.len(),
            allocated_bytes: allocated_bytes(&metadata),
            modified: metadata.modified().ok(),
        })
    }
}

/// The paths that a path with components `*` may stand for, in order.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    pattern.components().fold(vec![PathBuf::new()], |paths, component| {
        if component.as_os_str() == "*" {
            paths.iter().flat_map(|folder| entries(folder)).collect()
        } else {
            paths.into_iter().map(|path| path.join(component)).collect()
        }
    })
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(unix)]
fn allocated_bytes(metadata: &std::fs::Metadata) -> Option<u64> {
    // The unit of the field is 512 bytes, whatever the file system's blocks are.
    std::os::unix::fs::MetadataExt::blocks(metadata).checked_mul(512)
}

#[cfg(not(unix))]
fn allocated_bytes(_: &std::fs::Metadata) -> Option<u64> {
    None
}
