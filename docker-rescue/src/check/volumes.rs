//! Which volumes damage in a file system hits.

use std::collections::HashMap;

use data_root_reader::{DataRoot, VolumeData};
use ext4_reader::Cost;
use file_tree::printable;

use super::report::{DataRootHealth, FileSystemHealth, Health, VolumeHealth};
use crate::FoundDataRoot;

/// The volumes of a data root, with what of the damage on its file system lies in them. Findings learn their volume.
pub(super) fn of(found: &FoundDataRoot<'_>, file_system: Option<&mut FileSystemHealth>) -> DataRootHealth {
    let volumes = found.data_root.volumes();
    let mut list: Vec<_> = volumes
        .list
        .iter()
        .map(|volume| VolumeHealth {
            name: volume.name.clone(),
            health: match volume.data {
                VolumeData::Here => Health::Sound,
                VolumeData::Elsewhere(_) => Health::Elsewhere,
                _ => Health::Missing,
            },
            files_lost: 0,
            bytes_lost: 0,
            findings_count: 0,
        })
        .collect();
    let mut by_name: HashMap<String, &mut VolumeHealth> =
        list.iter_mut().map(|volume| (volume.name.clone(), volume)).collect();
    for finding in file_system.into_iter().flat_map(|health| &mut health.findings) {
        let name = finding.raw_path.as_deref().and_then(|path| volume_of(path, &found.data_root));
        let Some(volume) = name.and_then(|name| by_name.get_mut(&name)) else { continue };
        finding.volume = Some(volume.name.clone());
        let health = match finding.cost {
            Cost::Nothing => continue,
            Cost::Doubt => Health::Doubtful,
            _ => Health::Damaged,
        };
        volume.findings_count += 1;
        volume.health = volume.health.max(health);
        match finding.cost {
            Cost::Files => volume.files_lost += finding.files,
            Cost::Content => volume.bytes_lost = volume.bytes_lost.saturating_add(finding.bytes),
            _ => {}
        }
    }
    DataRootHealth {
        partition: found.part.partition.as_ref().map(|partition| partition.number),
        path: found.data_root.display_path(),
        volumes: list,
        findings: volumes.findings,
    }
}

/// The volume that a path of the file system lies in.
fn volume_of(path: &[u8], data_root: &DataRoot) -> Option<String> {
    let below = match data_root.path() {
        [] => path,
        root => path.strip_prefix(root)?.strip_prefix(b"/")?,
    };
    let name = below.strip_prefix(b"volumes/")?.split(|&byte| byte == b'/').next()?;
    Some(printable(name))
}
