use std::collections::VecDeque;
use std::sync::Arc;

use file_tree::FileTree;

use crate::place::Place;
use crate::{DataRoot, Error, Finding, Result};

/// What [`DataRoot::find`] found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Search {
    /// The data roots, in the order they were found.
    pub data_roots: Vec<DataRoot>,
    /// Directories that could not be searched.
    pub findings: Vec<Finding>,
    /// How far the search went.
    pub reach: Reach,
}

/// How far a search for data roots went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reach {
    /// The places where products keep it were enough.
    KnownPlaces,
    /// Every directory of the tree was looked at.
    WholeTree,
    /// The tree has more directories, or deeper ones, than are searched.
    PartOfTree,
}

/// Where products keep the data root, seen from the root of the file system that holds it; a `*` is any one name.
const KNOWN_PLACES: [&str; 13] = [
    "",                                      // a file system mounted at /var/lib/docker
    "docker",                                // at /var/lib: Docker Desktop since 2018
    "lib/docker",                            // at /var: Docker for Mac with HyperKit
    "var/lib/docker",                        // a server's root; Colima's and Rancher Desktop's /mnt/data
    "data/docker",                           // Docker Desktop on WSL2
    "version-pack-data/community/docker",    // Docker Desktop 2.3 on WSL2
    "var/snap/docker/common/var-lib-docker", // Snap
    "root/.local/share/docker",              // rootless
    "home/*/.local/share/docker",            // rootless
    "*/.local/share/docker",                 // rootless, at /home
    "mnt/*/docker",                          // a server's other disks; Lima's
    "mnt/*/var/lib/docker",                  // Lima's
    "*/docker",                              // Lima's disk, mounted at /mnt/lima-<name>
];

/// With `userns-remap` the data root is a directory `<uid>.<gid>` of the configured one.
fn is_remapped(name: &[u8]) -> bool {
    let mut ids = name.split(|&byte| byte == b'.');
    let mut is_id = || ids.next().is_some_and(|id| !id.is_empty() && id.iter().all(u8::is_ascii_digit));
    is_id() && is_id() && ids.next().is_none()
}

const MAX_DIRECTORIES: usize = 50_000;
const MAX_ENTRIES: usize = 2_000_000;
const MAX_DEPTH: usize = 12;
const MAX_FINDINGS: usize = 1000;

pub(crate) fn find(tree: Arc<dyn FileTree>) -> Result<Search> {
    let root = Place::new(tree, b"");
    root.open()?;
    let mut finder = Finder { data_roots: Vec::new(), findings: Vec::new(), entries_left: MAX_ENTRIES };
    for pattern in KNOWN_PLACES {
        for place in finder.matching(&root, pattern) {
            finder.look_at(&place);
            for below in finder.below(&place) {
                if below.path().rsplit(|&byte| byte == b'/').next().is_some_and(is_remapped) {
                    finder.look_at(&below);
                }
            }
        }
    }
    let reach = if finder.data_roots.is_empty() { finder.search(root) } else { Reach::KnownPlaces };
    Ok(Search { data_roots: finder.data_roots, findings: finder.findings, reach })
}

struct Finder {
    data_roots: Vec<DataRoot>,
    findings: Vec<Finding>,
    entries_left: usize,
}

impl Finder {
    /// The directories that a pattern of [`KNOWN_PLACES`] stands for.
    fn matching(&mut self, root: &Place, pattern: &str) -> Vec<Place> {
        let mut places = vec![root.clone()];
        for name in pattern.split('/').filter(|name| !name.is_empty()) {
            places = match name {
                "*" => places.iter().flat_map(|place| self.below(place)).collect(),
                name => places.iter().map(|place| place.join(name.as_bytes())).collect(),
            };
        }
        places.retain(|place| match place.open_directory() {
            Ok(node) => node.is_some(),
            Err(error) => {
                self.note(place, &error);
                false
            }
        });
        places
    }

    /// Breadth first, as data roots lie near the top.
    fn search(&mut self, root: Place) -> Reach {
        let mut reach = Reach::WholeTree;
        let mut queue = VecDeque::from([(root, 0)]);
        let mut seen = 0_usize;
        while let Some((place, depth)) = queue.pop_front() {
            seen = seen.saturating_add(1);
            if self.look_at(&place) {
                continue;
            }
            if depth >= MAX_DEPTH {
                reach = Reach::PartOfTree;
                continue;
            }
            for below in self.below(&place) {
                if queue.len().saturating_add(seen) >= MAX_DIRECTORIES {
                    reach = Reach::PartOfTree;
                    break;
                }
                queue.push_back((below, depth.saturating_add(1)));
            }
        }
        if self.entries_left == 0 { Reach::PartOfTree } else { reach }
    }

    /// Keeps the data root at `place`, if there is one.
    fn look_at(&mut self, place: &Place) -> bool {
        match DataRoot::is_at(place) {
            Ok(true) => {
                if !self.data_roots.iter().any(|known| known.path() == place.path()) {
                    self.data_roots.push(DataRoot::at(place.clone()));
                }
                true
            }
            Ok(false) => false,
            Err(error) => {
                self.note(place, &error);
                false
            }
        }
    }

    /// The directories in a directory.
    fn below(&mut self, place: &Place) -> Vec<Place> {
        let directories = match place.directories(self.entries_left) {
            Ok(directories) => directories.unwrap_or_default(),
            Err(error) => {
                self.note(place, &error);
                return Vec::new();
            }
        };
        self.entries_left = self.entries_left.saturating_sub(directories.entries);
        if let Some(damage) = &directories.damage {
            self.note(place, damage);
        }
        directories.names.iter().map(|name| place.join(name)).collect()
    }

    fn note(&mut self, place: &Place, error: &Error) {
        let finding = Finding::of(place.path(), error, "a data root below it would not be found");
        // Several known places may lead through one directory.
        if self.findings.len() < MAX_FINDINGS && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}
