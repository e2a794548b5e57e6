//! What was wrong, and was read past.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::{Corrupt, InodeNumber};

/// Damage that was read past: what is wrong, where, and what it costs. See [`Ext4::findings`](crate::Ext4::findings).
///
/// Damage that could not be read past is an [`Error`](crate::Error) of the call that met it, and no finding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The structure, the inode it belongs to, its byte offset in the source, and what is wrong with it.
    pub damage: Corrupt,
    /// What it costs.
    pub cost: Cost,
}

/// What damage that was read past costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cost {
    /// Nothing: another copy says the same, or it can be worked out.
    Nothing,
    /// The structure was taken as it lies, and what it says may be wrong.
    Doubt,
    /// What these many bytes held is lost.
    Bytes(u64),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.damage, self.cost)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing is lost"),
            Self::Doubt => f.write_str("taken as it lies"),
            Self::Bytes(count) => write!(f, "{count} bytes are lost"),
        }
    }
}

/// Findings by place: the same one, met again, is one.
#[derive(Debug, Default)]
pub(crate) struct Findings(Mutex<BTreeMap<Place, Finding>>);

type Place = (u64, &'static str, Option<InodeNumber>);

/// A disk without end of damage must not fill the memory.
const MOST: usize = 10_000;

impl Findings {
    pub(crate) fn add(&self, damage: Corrupt, cost: Cost) {
        let mut findings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (damage.offset(), damage.structure(), damage.inode());
        if findings.len() < MOST {
            findings.entry(place).or_insert(Finding { damage, cost });
        }
    }

    pub(crate) fn list(&self) -> Vec<Finding> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
