//! How closely is looked at what is read, and what is done about what is wrong with it.

use crate::checksum::Checksums;
use crate::finding::{Amount, Cost, Finding, Findings};
use crate::{Corrupt, OpenOptions, Result, Superblock, Tolerance};

/// The policy of an open file system, and what was found under it.
#[derive(Debug)]
pub(crate) struct Scrutiny {
    tolerance: Tolerance,
    checksums: Checksums,
    metadata_seed: Option<u32>,
    findings: Findings,
}

impl Scrutiny {
    pub(crate) fn new(options: &OpenOptions) -> Self {
        Self {
            tolerance: options.tolerance,
            checksums: options.checksums,
            metadata_seed: None,
            findings: Findings::default(),
        }
    }

    /// From here on the checksums of this file system are known.
    pub(crate) fn begin(&mut self, superblock: &Superblock) {
        self.metadata_seed = superblock.metadata_seed;
    }

    pub(crate) fn recovers(&self) -> bool {
        self.tolerance == Tolerance::Recover
    }

    pub(crate) fn ignores_checksums(&self) -> bool {
        self.checksums == Checksums::Ignore
    }

    /// What checksums of metadata begin with, if there are any to be computed.
    pub(crate) fn seed(&self) -> Option<u32> {
        self.metadata_seed.filter(|_| !self.ignores_checksums())
    }

    /// Says that a checksum is wrong, which makes so much doubtful: an error or a finding.
    pub(crate) fn wrong_checksum(&self, damage: Corrupt, amount: Amount) -> Result<()> {
        match self.checksums {
            Checksums::Verify => Err(damage.into()),
            Checksums::Report => {
                self.findings.add(damage, Cost::Doubt, amount);
                Ok(())
            }
            Checksums::Ignore => Ok(()),
        }
    }

    pub(crate) fn found(&self, damage: Corrupt, cost: Cost) {
        self.findings.add(damage, cost, Amount::default());
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.findings.list()
    }

    pub(crate) fn findings_count(&self) -> u64 {
        self.findings.count()
    }
}
