use std::collections::BTreeMap;

use file_tree::Timestamp;
use serde::Serialize;

use crate::Volume;

/// A volume as `docker volume inspect` prints it, field by field in its order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Inspect<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    driver: &'a str,
    labels: Option<&'a BTreeMap<String, String>>,
    mountpoint: &'a str,
    name: &'a str,
    options: Option<&'a BTreeMap<String, String>>,
    scope: &'static str,
}

impl<'a> Inspect<'a> {
    pub(crate) fn new(volume: &'a Volume) -> Self {
        Self {
            created_at: volume.created.and_then(rfc_3339),
            driver: &volume.driver,
            labels: volume.labels.as_ref(),
            mountpoint: &volume.mountpoint,
            name: &volume.name,
            options: volume.options.as_ref(),
            scope: "local",
        }
    }
}

/// To the second and in UTC; `None` outside the years that the form can express.
fn rfc_3339(time: Timestamp) -> Option<String> {
    jiff::Timestamp::from_second(time.seconds).ok().map(|time| time.to_string())
}
