//! What the containers say of volumes, from `containers/<id>/config.v2.json`.

use serde_json::Value;

use crate::place::Place;
use crate::{Corrupt, Error, Finding, Result};

/// A container as far as volumes are concerned.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) place: Place,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) mounts: Vec<VolumeMount>,
    /// Where the data root was when Docker ran, if the container tells.
    pub(crate) recorded_root: Option<String>,
}

/// A volume in a container.
#[derive(Debug)]
pub(crate) struct VolumeMount {
    pub(crate) volume: String,
    pub(crate) destination: String,
    pub(crate) is_writable: bool,
}

const MAX_CONFIG_BYTES: usize = 16 << 20;
const COST: &str = "which volumes a container used is not known";

/// Reads all containers that can be read.
pub(crate) fn read(data_root: &Place, findings: &mut Vec<Finding>) -> Vec<Container> {
    let folder = data_root.join(b"containers");
    let mut containers = Vec::new();
    for directory in folder.listed_directories(COST, findings) {
        let place = folder.join(&directory);
        match read_one(&place, &directory) {
            Ok(Some(container)) => containers.push(container),
            Ok(None) => findings.push(Finding::new(place.path(), "it has no config.v2.json", COST)),
            Err(error) => findings.push(Finding::of(place.join(b"config.v2.json").path(), &error, COST)),
        }
    }
    containers
}

fn read_one(place: &Place, directory: &[u8]) -> Result<Option<Container>> {
    // `config.json` is what it was called before Docker 1.10.
    for file in ["config.v2.json", "config.json"] {
        if let Some(content) = place.join(file.as_bytes()).read(MAX_CONFIG_BYTES)? {
            return match (serde_json::from_slice(&content.bytes), content.damage) {
                (_, Some(damage)) => Err(damage),
                (Err(problem), None) => Err(corrupt(&content.bytes, &problem)),
                (Ok(config), None) => Ok(Some(container(&config, place, directory))),
            };
        }
    }
    Ok(None)
}

fn corrupt(bytes: &[u8], problem: &serde_json::Error) -> Error {
    let detail = if bytes.is_empty() { "it is empty".to_owned() } else { problem.to_string() };
    Corrupt { structure: "container configuration", offset: 0, detail }.into()
}

/// Takes what is there, whatever the version: a field of another type is as one that is missing.
fn container(config: &Value, place: &Place, directory: &[u8]) -> Container {
    let text =
        |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = Some(text(config, "ID")).filter(|id| !id.is_empty());
    let mounts = config.get("MountPoints").and_then(Value::as_object).into_iter().flatten();
    Container {
        place: place.clone(),
        id: id.unwrap_or_else(|| file_tree::printable(directory)),
        name: text(config, "Name").trim_start_matches('/').to_owned(),
        mounts: mounts
            .map(|(destination, mount)| VolumeMount {
                volume: text(mount, "Name"),
                destination: destination.clone(),
                is_writable: mount.get("RW").and_then(Value::as_bool).unwrap_or(true),
            })
            // Bind mounts have no name.
            .filter(|mount| !mount.volume.is_empty())
            .collect(),
        recorded_root: ["HostnamePath", "HostsPath", "ResolvConfPath", "LogPath"].into_iter().find_map(
            |field| {
                let path = config.get(field)?.as_str()?;
                let (root, _) = path.rsplit_once("/containers/")?;
                Some(root.to_owned())
            },
        ),
    }
}
