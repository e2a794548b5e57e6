//! What was wrong, what was done about it, and what it costs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::{Corrupt, InodeNumber};

/// Damage: what is wrong, where, and what it costs. See [`Ext4::findings`](crate::Ext4::findings) and
/// [`Ext4::check`](crate::Ext4::check).
///
/// While files are read, damage that cannot be read past is an [`Error`](crate::Error) of the call that met it, and no
/// finding; a check has a finding for that, too.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The structure, the inode it belongs to, its byte offset in the source, and what is wrong with it.
    pub damage: Corrupt,
    /// What it costs.
    pub cost: Cost,
    /// How many files it concerns; 0 if none, or if that cannot be told.
    pub files: u64,
    /// How many bytes of their content it concerns, at most: holes in a range whose map is lost cannot be told from data.
    pub bytes: u64,
    /// A path that leads to the file, from the root and without a leading `/`, as far as a check came by it.
    pub path: Option<Vec<u8>>,
}

/// What damage costs, from little to much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cost {
    /// Nothing: another copy says the same, it can be worked out, or no reader needs it.
    Nothing,
    /// The structure was taken as it lies, and what it says of these files and bytes may be wrong.
    Doubt,
    /// The files are there, but their extended attributes cannot all be read.
    Attributes,
    /// The files are there, but what they were called, or where they were, is lost.
    Names,
    /// A part of the files' content cannot be read.
    Content,
    /// The files cannot be read at all.
    Files,
}

/// How many files, and how many bytes of their content, something concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Amount {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Amount {
    pub(crate) fn files(files: u64) -> Self {
        Self { files, bytes: 0 }
    }

    pub(crate) fn one_file(bytes: u64) -> Self {
        Self { files: 1, bytes }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; ", self.damage)?;
        let (files, bytes) = (Counted(self.files, "file"), Counted(self.bytes, "byte"));
        match (self.cost, self.files, self.bytes) {
            (Cost::Nothing, ..) => f.write_str("nothing is lost"),
            (Cost::Doubt, 0, 0) => f.write_str("taken as it lies"),
            (Cost::Doubt, _, 0) => write!(f, "taken as it lies, {files} may be wrong"),
            (Cost::Doubt, ..) => write!(f, "taken as it lies, {bytes} may be wrong"),
            (Cost::Attributes, ..) => write!(f, "attributes of {files} are lost"),
            (Cost::Names, 0, _) => f.write_str("names are lost"),
            (Cost::Names, ..) => write!(f, "the place of {files} is lost, not the content"),
            (Cost::Content, ..) => write!(f, "{bytes} cannot be read"),
            (Cost::Files, 0, _) => f.write_str("files cannot be read"),
            (Cost::Files, ..) => write!(f, "{files} cannot be read"),
        }
    }
}

struct Counted(u64, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

/// Findings by place: the same one, met again, is one.
#[derive(Debug, Default)]
pub(crate) struct Findings(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    by_place: BTreeMap<Place, Finding>,
    /// How many came when there was no more room.
    unlisted: u64,
}

type Place = (u64, &'static str, Option<InodeNumber>, String);

/// A disk without end of damage must not fill the memory.
const MOST: usize = 10_000;

impl Findings {
    /// Whether it is new.
    pub(crate) fn add(&self, damage: Corrupt, cost: Cost, amount: Amount) -> bool {
        self.with(damage, |_| (), cost, amount)
    }

    /// The same for damage that concerns more files each time that it is met.
    pub(crate) fn charge(&self, damage: Corrupt, cost: Cost, amount: Amount) {
        let more = |known: &mut Finding| {
            known.cost = known.cost.max(cost);
            known.files = known.files.saturating_add(amount.files);
            known.bytes = known.bytes.saturating_add(amount.bytes);
        };
        self.with(damage, more, cost, amount);
    }

    fn with(&self, damage: Corrupt, known: impl FnOnce(&mut Finding), cost: Cost, amount: Amount) -> bool {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (damage.offset(), damage.structure(), damage.inode(), damage.detail().to_owned());
        if let Some(finding) = list.by_place.get_mut(&place) {
            known(finding);
            return false;
        }
        if list.by_place.len() < MOST {
            let Amount { files, bytes } = amount;
            list.by_place.insert(place, Finding { damage, cost, files, bytes, path: None });
        } else {
            list.unlisted = list.unlisted.saturating_add(1);
        }
        true
    }

    pub(crate) fn list(&self) -> Vec<Finding> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_place.values().cloned().collect()
    }

    /// How many there are, of which at most 10,000 are listed.
    pub(crate) fn count(&self) -> u64 {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        crate::bytes::to_u64(list.by_place.len()).saturating_add(list.unlisted)
    }
}
