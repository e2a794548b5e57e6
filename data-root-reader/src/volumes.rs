use std::collections::{BTreeMap, BTreeSet};

use file_tree::{BoxNode, FileKind, printable};

use crate::containers::{self, Container};
use crate::local_options::LocalOptions;
use crate::place::{Content, Place};
use crate::records::{self, Record, Records};
use crate::volume::is_valid_name;
use crate::{Elsewhere, Finding, RecordState, Result, Usage, Volume, VolumeData};

/// The volumes of a data root.
#[derive(Debug)]
#[non_exhaustive]
pub struct Volumes {
    /// The volumes, ordered by name.
    pub list: Vec<Volume>,
    /// What is damaged, missing or out of place.
    pub findings: Vec<Finding>,
}

const MAX_OPTIONS_BYTES: usize = 1 << 20;
const LOCAL: &str = "local";
/// Where Linux distributions and Docker Desktop have the data root.
const USUAL_DATA_ROOT: &str = "/var/lib/docker";
const DATA: &[u8] = b"_data";
const UNLISTED: &str = "volumes may be missing from the list";
const DATA_LOST: &str = "the data of the volume";
const NAME_UNUSABLE: &str = "the volume cannot be restored under this name";

pub(crate) fn read(data_root: &Place) -> Volumes {
    let mut findings = Vec::new();
    let folder = data_root.join(b"volumes");
    let directories = folder.listed_directories(UNLISTED, &mut findings);
    let records = records::read(&folder.join(b"metadata.db"), &mut findings);
    let containers = containers::read(data_root, &mut findings);

    // A name that only a record bears becomes part of a path, so it must be one that Docker allows.
    let recorded =
        records.current.keys().chain(records.remnants.keys()).filter(|name| is_valid_name(name)).cloned();
    let names: BTreeSet<Vec<u8>> = recorded.chain(directories).collect();
    let mut reader = Reader { folder, records, mountpoint_root: mountpoint_root(&containers), findings };
    let mut list: Vec<Volume> = names.iter().filter_map(|name| reader.volume(name)).collect();
    let mut findings = reader.findings;
    add_users(&mut list, &containers, &mut findings);
    Volumes { list, findings }
}

/// Where Docker had the data root, as most containers say.
fn mountpoint_root(containers: &[Container]) -> String {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for root in containers.iter().filter_map(|container| container.recorded_root.as_deref()) {
        let count = votes.entry(root).or_default();
        *count = count.saturating_add(1);
    }
    votes.into_iter().max_by_key(|&(_, count)| count).map_or(USUAL_DATA_ROOT, |(root, _)| root).to_owned()
}

fn add_users(list: &mut [Volume], containers: &[Container], findings: &mut Vec<Finding>) {
    let mut by_name: BTreeMap<String, &mut Volume> =
        list.iter_mut().map(|volume| (volume.name.clone(), volume)).collect();
    for container in containers {
        for mount in &container.mounts {
            match by_name.get_mut(&mount.volume) {
                Some(volume) => volume.used_by.push(Usage {
                    container: container.name.clone(),
                    container_id: container.id.clone(),
                    destination: mount.destination.clone(),
                    is_writable: mount.is_writable,
                }),
                None => findings.push(Finding::new(
                    container.place.path(),
                    format!(
                        "container {} uses volume {}, of which nothing is left",
                        container.name, mount.volume
                    ),
                    DATA_LOST,
                )),
            }
        }
    }
    for volume in list {
        volume.used_by.sort();
    }
}

struct Reader {
    folder: Place,
    records: Records,
    mountpoint_root: String,
    findings: Vec<Finding>,
}

impl Reader {
    /// The volume of that name, if anything of it is there.
    fn volume(&mut self, name: &[u8]) -> Option<Volume> {
        let place = self.folder.join(name);
        let (record, record_state) = self.record(name);
        let directory = place.open_directory();
        let created = match &directory {
            Ok(Some(node)) => node.metadata().created.or(Some(node.metadata().changed)),
            _ => None,
        };
        let driver = record.as_ref().map(|record| record.driver.as_str()).filter(|driver| !driver.is_empty());
        let driver = driver.unwrap_or(LOCAL).to_owned();

        let mut options = record.as_ref().and_then(|record| record.options.clone());
        let data = match directory {
            _ if driver != LOCAL => VolumeData::Elsewhere(Elsewhere::Plugin { driver: driver.clone() }),
            Ok(Some(_)) => {
                let local =
                    self.local_options(&place).or_else(|| options.as_ref().map(LocalOptions::from_record));
                options = options.or_else(|| local.as_ref().and_then(LocalOptions::to_record));
                let mounted = local.as_ref().and_then(LocalOptions::mounted);
                // A file system of its own has directories that are no volumes, such as `lost+found`.
                let is_volume = record.is_some() || local.is_some() || is_valid_name(name);
                match (mounted, place.join(DATA).open()) {
                    (Some(elsewhere), _) => VolumeData::Elsewhere(elsewhere),
                    (None, Ok(None)) if !is_volume => return None,
                    (None, data) => self.data(&place, data),
                }
            }
            // What only a damaged database knows may have been deleted long ago.
            Ok(None) if record_state == RecordState::Uncertain => return None,
            Ok(None) => self.missing(&place, "only its record is left"),
            Err(error) => {
                self.findings.push(Finding::of(place.path(), &error, DATA_LOST));
                VolumeData::Missing
            }
        };
        if !is_valid_name(name) {
            self.findings.push(Finding::new(place.path(), "Docker does not allow this name", NAME_UNUSABLE));
        }
        let name = printable(name);
        let mountpoint = match driver.as_str() {
            LOCAL => format!("{}/volumes/{name}/_data", self.mountpoint_root),
            _ => String::new(),
        };
        let labels = record.and_then(|record| record.labels);
        let (record, used_by) = (record_state, Vec::new());
        Some(Volume { name, driver, labels, options, record, created, mountpoint, data, used_by, place })
    }

    fn record(&mut self, name: &[u8]) -> (Option<Record>, RecordState) {
        if let Some(record) = self.records.current.remove(name) {
            return (Some(record), RecordState::Current);
        }
        match self.records.remnants.remove(name) {
            Some(record) => (Some(record), RecordState::Uncertain),
            None => (None, RecordState::Missing),
        }
    }

    /// What `opts.json` says, if it is there and whole.
    fn local_options(&mut self, volume: &Place) -> Option<LocalOptions> {
        let place = volume.join(b"opts.json");
        let content = place.read(MAX_OPTIONS_BYTES).and_then(|content| match content {
            Some(Content { damage: Some(damage), .. }) => Err(damage),
            Some(content) => Ok(Some(LocalOptions::parse(&content.bytes)?)),
            None => Ok(None),
        });
        content.unwrap_or_else(|error| {
            self.findings.push(Finding::of(
                place.path(),
                &error,
                "whether the data is elsewhere is not certain",
            ));
            None
        })
    }

    fn data(&mut self, volume: &Place, data: Result<Option<BoxNode>>) -> VolumeData {
        let data = match data {
            Ok(Some(data)) => data,
            Ok(None) => return self.missing(volume, "it has no _data"),
            Err(error) => {
                self.findings.push(Finding::of(volume.join(DATA).path(), &error, DATA_LOST));
                return VolumeData::Missing;
            }
        };
        match data.metadata().kind {
            FileKind::Directory => VolumeData::Here,
            FileKind::Symlink => {
                let target =
                    data.read_link().map_or_else(|error| error.to_string(), |target| printable(&target));
                VolumeData::Elsewhere(Elsewhere::Symlink { target })
            }
            _ => self.missing(volume, "its _data is not a directory"),
        }
    }

    fn missing(&mut self, volume: &Place, problem: &str) -> VolumeData {
        self.findings.push(Finding::new(volume.path(), problem, DATA_LOST));
        VolumeData::Missing
    }
}
