//! The records of volumes in `volumes/metadata.db`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::bolt::{self, Database, Entry, State};
use crate::place::Place;
use crate::{Corrupt, Error, Finding};

/// What the database says of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) driver: String,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    pub(crate) options: Option<BTreeMap<String, String>>,
}

/// The records of a data root, by the volume's name.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Those of the newest state, where it is certain which that is.
    pub(crate) current: BTreeMap<Vec<u8>, Record>,
    /// If the database is damaged, those of any state, also of volumes that were deleted since.
    pub(crate) remnants: BTreeMap<Vec<u8>, Record>,
}

/// A record takes some 200 bytes.
const MAX_DATABASE_BYTES: usize = 64 << 20;
const BUCKET: &[u8] = b"volumes";
const COST: &str = "labels and options of volumes may be missing or outdated";

/// Reads all records that can be read.
pub(crate) fn read(place: &Place, findings: &mut Vec<Finding>) -> Records {
    let content = match place.read(MAX_DATABASE_BYTES) {
        Ok(Some(content)) => content,
        Ok(None) => {
            findings.push(Finding::new(place.path(), "it is missing", COST));
            return Records::default();
        }
        Err(error) => {
            findings.push(Finding::of(place.path(), &error, COST));
            return Records::default();
        }
    };
    let mut damage = Damage::default();
    if let Some(error) = content.damage {
        damage.add(error);
    }
    let records = match Database::parse(&content.bytes) {
        Ok(database) => of_database(&database, &mut damage),
        Err(error) => {
            damage.add(error);
            Records { remnants: of_pages(bolt::stray_leaf_elements(&content.bytes)), ..Records::default() }
        }
    };
    findings.extend(damage.into_finding(place));
    records
}

fn of_database(database: &Database<'_>, damage: &mut Damage) -> Records {
    let mut states = database.states();
    let mut current = states.next().map(|newest| of_state(&newest, damage)).unwrap_or_default();
    let mut remnants = BTreeMap::new();
    if damage.count > 0 || database.damaged_meta().is_some() {
        remnants = of_pages(database.leaf_elements());
        for older in states {
            remnants.append(&mut of_state(&older, &mut Damage::default()));
        }
    }
    if let Some(corrupt) = database.damaged_meta() {
        damage.add(corrupt);
        // The meta page that is lost may have been the newer one.
        remnants.append(&mut current);
    }
    Records { current, remnants }
}

fn of_state(state: &State<'_>, damage: &mut Damage) -> BTreeMap<Vec<u8>, Record> {
    let mut records = BTreeMap::new();
    let bucket = match state.root().bucket(BUCKET) {
        Ok(bucket) => bucket,
        Err(corrupt) => {
            damage.add(corrupt);
            None
        }
    };
    for entry in bucket.iter().flat_map(bolt::Bucket::entries) {
        let record = entry.and_then(|(name, entry)| match entry {
            Entry::Value { bytes, offset } => named_record(name, bytes, offset).map(Some),
            Entry::Bucket(_) => Ok(None),
        });
        match record {
            Ok(record) => records.extend(record),
            Err(corrupt) => damage.add(corrupt),
        }
    }
    records
}

fn named_record(name: &[u8], value: &[u8], offset: u64) -> Result<(Vec<u8>, Record), Corrupt> {
    let (_, record) = parse(value).ok_or_else(|| {
        let detail = format!("that of {} is not a JSON object", file_tree::printable(name));
        Corrupt { structure: "volume record", offset, detail }
    })?;
    Ok((name.to_vec(), record))
}

/// Records from pages that no state reaches: only what names itself is one.
fn of_pages<'a>(elements: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> BTreeMap<Vec<u8>, Record> {
    let named = elements.filter_map(|(name, value)| {
        let (own_name, record) = parse(value)?;
        (own_name.as_bytes() == name).then(|| (name.to_vec(), record))
    });
    named.collect()
}

/// Reads `{"Name":..,"Driver":..,"Labels":{..}|null,"Options":{..}|null}`.
fn parse(value: &[u8]) -> Option<(String, Record)> {
    let Value::Object(fields) = serde_json::from_slice(value).ok()? else { return None };
    let text = |field: &str| fields.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let map = |field: &str| fields.get(field).and_then(Value::as_object).map(text_map);
    let record = Record { driver: text("Driver"), labels: map("Labels"), options: map("Options") };
    Some((text("Name"), record))
}

fn text_map(fields: &serde_json::Map<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields.iter().map(|(key, value)| (key.clone(), text(value))).collect()
}

/// The damage met in the database: the first of it in words.
#[derive(Debug, Default)]
struct Damage {
    first: Option<Error>,
    count: usize,
}

impl Damage {
    fn add(&mut self, error: impl Into<Error>) {
        self.first.get_or_insert(error.into());
        self.count = self.count.saturating_add(1);
    }

    fn into_finding(self, place: &Place) -> Option<Finding> {
        let mut finding = Finding::of(place.path(), &self.first?, COST);
        if self.count > 1 {
            finding.problem = format!("{} ({} places in all)", finding.problem, self.count);
        }
        Some(finding)
    }
}
