//! The options of the driver `local`, which mount something over a volume's directory.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Corrupt, Elsewhere};

/// What the driver mounts over `_data` when the volume is used, in the words of `mount(2)`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LocalOptions {
    file_system: String,
    device: String,
    options: String,
}

impl LocalOptions {
    /// Parses `opts.json`: `{"MountType":"nfs","MountOpts":"addr=..","MountDevice":":/export","Quota":{"Size":0}}`.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Corrupt> {
        let fields: Value = serde_json::from_slice(bytes).map_err(|problem| Corrupt {
            structure: "options of a volume",
            offset: 0,
            detail: if bytes.is_empty() { "the file is empty".to_owned() } else { problem.to_string() },
        })?;
        let text = |field: &str| fields.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { file_system: text("MountType"), device: text("MountDevice"), options: text("MountOpts") })
    }

    /// The same from the options as they were given to `docker volume create`.
    pub(crate) fn from_record(options: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| options.get(name).cloned().unwrap_or_default();
        Self { file_system: text("type"), device: text("device"), options: text("o") }
    }

    /// The options as they were given to `docker volume create`.
    pub(crate) fn to_record(&self) -> Option<BTreeMap<String, String>> {
        let pairs = [("type", &self.file_system), ("device", &self.device), ("o", &self.options)];
        let given: BTreeMap<_, _> = pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect();
        (!given.is_empty()).then_some(given)
    }

    /// What is mounted; `None` if nothing is and the data is in `_data` itself.
    pub(crate) fn mounted(&self) -> Option<Elsewhere> {
        if self.file_system.is_empty() && self.device.is_empty() {
            return None;
        }
        let device = self.device.clone();
        Some(match self.file_system.as_str() {
            _ if self.options().any(|option| matches!(option, "bind" | "rbind")) => {
                Elsewhere::Bind { path: device }
            }
            "nfs" | "nfs4" => {
                let (host, export) = device.split_once(':').unwrap_or(("", &device));
                let address = self.options().find_map(|option| option.strip_prefix("addr="));
                let server = Some(host).filter(|host| !host.is_empty()).or(address).map(str::to_owned);
                Elsewhere::Nfs { server, export: export.to_owned() }
            }
            "cifs" | "smb3" => Elsewhere::Cifs { share: device },
            "tmpfs" | "ramfs" => Elsewhere::Tmpfs,
            _ => Elsewhere::Device { device, file_system: self.file_system.clone() },
        })
    }

    fn options(&self) -> impl Iterator<Item = &str> {
        self.options.split(',').map(str::trim)
    }
}
