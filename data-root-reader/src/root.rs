use std::sync::Arc;

use file_tree::{FileKind, FileTree, SubTree};

use crate::place::{Place, open_below};
use crate::volumes::{self, Volumes};
use crate::{Error, Result, Search, StorageDriver, search};

/// Docker's data root: the directory that `docker info` calls "Docker Root Dir", usually `/var/lib/docker`.
#[derive(Debug, Clone)]
pub struct DataRoot {
    place: Place,
    storage_drivers: Vec<StorageDriver>,
    sibling_containerd: Option<String>,
}

/// Directories of which one makes a data root of one that has `containers` and `volumes`: before Docker 1.10, or with
/// much of it lost. Podman's storage has volumes and drivers, but no containers.
const OTHER_SIGNS: [&str; 7] = ["image", "network/files", "buildkit", "graph", "overlay2", "aufs", "vfs"];

impl DataRoot {
    /// Opens the data root in the directory `path` of `tree`: names separated by `/`, symbolic links not followed; an
    /// empty path is the root of the tree.
    ///
    /// # Errors
    ///
    /// [`Error::NotADataRoot`] if the directory is none, and [`Error::Tree`] if it cannot be told because of damage.
    pub fn open(tree: Arc<dyn FileTree>, path: impl AsRef<[u8]>) -> Result<Self> {
        let place = Place::new(tree, path.as_ref());
        if Self::is_at(&place)? { Ok(Self::at(place)) } else { Err(Error::NotADataRoot(place.to_string())) }
    }

    /// Finds the data roots on a file system. It looks where Docker Desktop, Linux distributions, Colima, Lima,
    /// Rancher Desktop, docker-machine, Snap and rootless Docker keep them; if there is none, it searches the tree
    /// breadth first, within limits.
    ///
    /// # Errors
    ///
    /// [`Error::Tree`] if the root of the tree cannot be read. Damage elsewhere is told in [`Search::findings`].
    pub fn find(tree: Arc<dyn FileTree>) -> Result<Search> {
        search::find(tree)
    }

    /// Where in the tree the data root is: names separated by `/`, empty for the root of the tree.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.place.path()
    }

    /// [`path`](Self::path) for people, with a leading `/`.
    #[must_use]
    pub fn display_path(&self) -> String {
        self.place.to_string()
    }

    /// The storage drivers that left traces here.
    #[must_use]
    pub fn storage_drivers(&self) -> &[StorageDriver] {
        &self.storage_drivers
    }

    /// The path of a containerd root beside the data root, printable. A Docker that uses the system's containerd keeps
    /// its images there, other software too.
    #[must_use]
    pub fn sibling_containerd(&self) -> Option<&str> {
        self.sibling_containerd.as_deref()
    }

    /// The data root as a tree of files.
    pub fn tree(&self) -> Result<SubTree> {
        self.place.tree()
    }

    /// The volumes: the directories in `volumes/` and the records in `volumes/metadata.db`, with the containers that
    /// use them. One damaged object never hides another; what is damaged is told in [`Volumes::findings`].
    #[must_use]
    pub fn volumes(&self) -> Volumes {
        volumes::read(&self.place)
    }

    /// Whether the directory at `place` is a data root. One sure sign is enough, whatever else cannot be read.
    pub(crate) fn is_at(place: &Place) -> Result<bool> {
        let Some(directory) = place.open_directory()? else { return Ok(false) };
        let mut damage = None;
        let mut has = |path: &str, kind| match open_below(directory.as_ref(), path.as_bytes()) {
            Ok(node) => node.is_some_and(|node| node.metadata().kind == kind),
            Err(source) => {
                damage.get_or_insert_with(|| place.join(path.as_bytes()).error(source));
                false
            }
        };
        let mut has_layers = |driver| has(&format!("image/{driver}/layerdb"), FileKind::Directory);
        if StorageDriver::GRAPH_DRIVERS.into_iter().any(&mut has_layers)
            || has("volumes/metadata.db", FileKind::Regular)
            || (has("containers", FileKind::Directory)
                && has("volumes", FileKind::Directory)
                && OTHER_SIGNS.into_iter().any(|path| has(path, FileKind::Directory)))
        {
            return Ok(true);
        }
        damage.map_or(Ok(false), Err)
    }

    /// The data root that [`is_at`](Self::is_at) found. What is only reported about it does not fail.
    pub(crate) fn at(place: Place) -> Self {
        let has_directory =
            |path: &str| place.join(path.as_bytes()).open_directory().is_ok_and(|node| node.is_some());
        let mut storage_drivers: Vec<StorageDriver> = StorageDriver::GRAPH_DRIVERS
            .into_iter()
            .filter(|driver| {
                has_directory(driver.name()) || has_directory(&format!("image/{driver}/layerdb"))
            })
            .collect();
        // dockerd's own containerd keeps its database here in any case, contents only as the image store.
        if has_directory("containerd/daemon/io.containerd.content.v1.content/blobs") {
            storage_drivers.push(StorageDriver::Containerd);
        }
        let sibling_containerd = ["containerd", "desktop-containerd/daemon"].into_iter().find_map(|name| {
            let containerd = place.parent()?.join(name.as_bytes());
            let database = containerd.join(b"io.containerd.metadata.v1.bolt").open_directory();
            database.is_ok_and(|node| node.is_some()).then(|| containerd.to_string())
        });
        Self { place, storage_drivers, sibling_containerd }
    }
}
