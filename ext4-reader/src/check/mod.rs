//! A check of the whole file system: what is damaged, and what that costs whoever reads it.
//!
//! It goes through the disk once by inode and once by name, as a recovery does, and remembers a bit for each block in
//! use and a byte for each inode.

mod attributes;
mod block_set;
mod claims;
mod directories;
mod inode_states;
mod inodes;
mod lost;
mod metadata;

use std::collections::HashMap;
use std::ops::ControlFlow;

use block_set::BlockSet;
use claims::Claims;
use inode_states::{InodeStates, State};

use crate::finding::{Amount, Cost, Finding, Findings};
use crate::mapping::tour::Budget;
use crate::{Corrupt, Error, Ext4, InodeNumber, ReadAt};

/// What a check found; see [`Ext4::check`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a check changes nothing: all it does is to say what it found"]
pub struct Check {
    /// How many files there are that can be read at least in part, directories not counted.
    pub files: u64,
    /// How many directories there are.
    pub directories: u64,
    /// How many bytes of the files' content can be read, holes not counted.
    pub bytes_readable: u64,
    /// How many bytes of the files' content cannot be read, at most.
    pub bytes_lost: u64,
    /// How many files cannot be read at all, as far as names lead to them.
    pub files_lost: u64,
    /// How many files miss a part of their content.
    pub files_incomplete: u64,
    /// How many files and directories no path leads to: [`Ext4::lost_files`] has them.
    pub files_unnamed: u64,
    /// The damage, by its place in the source; at most 10,000 of the check's own and 10,000 of those that
    /// [`Ext4::findings`] lists.
    pub findings: Vec<Finding>,
    /// How many findings there are, listed or not.
    pub findings_count: u64,
    /// The caller cancelled: of the rest nothing is known.
    pub cancelled: bool,
}

impl Check {
    /// Whether the check came to its end and found nothing.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        !self.cancelled && self.findings_count == 0
    }
}

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckProgress {
    /// What is being examined.
    pub step: CheckStep,
    /// How much of it was.
    pub done: u64,
    /// How much there is.
    pub total: u64,
}

/// The steps of a check, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CheckStep {
    /// Groups: their descriptors, bitmaps and backups.
    Groups,
    /// Inodes and what they say of their content; counted are those there is room for.
    Inodes,
    /// Inodes again, because some claim the same blocks.
    SharedBlocks,
    /// Directories.
    Directories,
}

/// Tells whoever called how far it is, and learns whether to go on.
pub(crate) type Watch<'a> = &'a mut dyn FnMut(CheckProgress) -> ControlFlow<()>;

pub(crate) fn check<S: ReadAt>(filesystem: &Ext4<S>, watch: Watch<'_>) -> Check {
    let mut checker = Checker::new(filesystem, watch);
    let flow = checker.run();
    checker.conclude(flow)
}

struct Checker<'a, S> {
    filesystem: &'a Ext4<S>,
    watch: Watch<'a>,
    findings: Findings,
    totals: Check,
    inodes: InodeStates,
    /// What the file system keeps for itself: superblocks, descriptors, bitmaps, inode tables.
    system: BlockSet,
    claims: Claims,
    /// Files that were being cut short: they may have more than their size says.
    truncated: Vec<InodeNumber>,
    /// Paths of what is damaged.
    paths: HashMap<InodeNumber, Vec<u8>>,
    maps: Budget,
    /// How many entries are still read. Directories that share their blocks could hold names without end.
    entries_left: u64,
    directories_done: u64,
    /// How many entries led to a file for the first time.
    reached: u64,
}

/// Maps and directories of a sound file system have no block twice.
const TIMES_READ: u64 = 2;
const SHORTEST_ENTRY_BYTES: u64 = 12;

impl<'a, S: ReadAt> Checker<'a, S> {
    fn new(filesystem: &'a Ext4<S>, watch: Watch<'a>) -> Self {
        let blocks = filesystem.device().present_blocks();
        let bytes = filesystem.device().block_size().offset_of(blocks);
        Self {
            filesystem,
            watch,
            findings: Findings::default(),
            totals: Check::default(),
            inodes: InodeStates::default(),
            system: BlockSet::default(),
            claims: Claims::new(blocks),
            truncated: Vec::new(),
            paths: HashMap::new(),
            maps: Budget(blocks.saturating_mul(TIMES_READ)),
            entries_left: (bytes / SHORTEST_ENTRY_BYTES).saturating_mul(TIMES_READ),
            directories_done: 0,
            reached: 0,
        }
    }

    fn run(&mut self) -> ControlFlow<()> {
        self.journal();
        self.groups()?;
        self.orphans();
        self.scan()?;
        self.shared_blocks()?;
        self.mark_what_was_found_in_reading();
        self.tree()?;
        self.unnamed()?;
        self.bounds();
        ControlFlow::Continue(())
    }

    /// What goes on without end is not followed to its end, and then nobody can say that the rest is sound.
    fn bounds(&mut self) {
        if self.maps.0 == 0 || self.entries_left == 0 || self.claims.is_exhausted() {
            let offset = self.filesystem.device().offset_of_superblock();
            let detail = "its files and directories claim more than it holds; not all of that was looked at";
            self.find(Corrupt::new("file system", offset, detail), Cost::Doubt, Amount::default());
        }
    }

    fn conclude(self, flow: ControlFlow<()>) -> Check {
        let scrutiny = self.filesystem.device().scrutiny();
        let mut findings = scrutiny.findings();
        findings.extend(self.findings.list());
        for finding in &mut findings {
            finding.path = finding.damage.inode().and_then(|number| self.paths.get(&number).cloned());
        }
        findings.sort_by_key(|finding| finding.damage.offset());
        Check {
            findings_count: scrutiny.findings_count().saturating_add(self.findings.count()),
            findings,
            cancelled: flow.is_break(),
            ..self.totals
        }
    }

    fn report(&mut self, step: CheckStep, done: u64, total: u64) -> ControlFlow<()> {
        (self.watch)(CheckProgress { step, done: done.min(total), total })
    }

    fn find(&mut self, damage: Corrupt, cost: Cost, amount: Amount) {
        let number = damage.inode();
        // Ranges of a file, and files in a place that is no file's, are lost anew each time.
        let is_new = if number.is_none() || cost == Cost::Content {
            self.findings.charge(damage, cost, amount);
            true
        } else {
            self.findings.add(damage, cost, amount)
        };
        let total = match cost {
            Cost::Files if is_new => Some((&mut self.totals.files_lost, amount.files)),
            Cost::Content => Some((&mut self.totals.bytes_lost, amount.bytes)),
            _ => None,
        };
        if let Some((total, more)) = total {
            *total = total.saturating_add(more);
        }
        let Some(number) = number else { return };
        let before = self.inodes.add(number, State::DAMAGED);
        if cost == Cost::Content && !before.is(State::INCOMPLETE) {
            self.inodes.add(number, State::INCOMPLETE);
            self.totals.files_incomplete = self.totals.files_incomplete.saturating_add(1);
        }
    }

    /// So that the walk notes the paths of damaged inodes.
    fn mark_what_was_found_in_reading(&mut self) {
        for finding in self.filesystem.findings() {
            if let Some(number) = finding.damage.inode() {
                self.inodes.add(number, State::DAMAGED);
            }
        }
    }
}

/// What an error says is damaged; `None` if it is about what this crate cannot do.
fn damage_of(error: Error, structure: &'static str, offset: u64) -> Option<Corrupt> {
    match error {
        Error::Corrupt(corrupt) => Some(corrupt),
        Error::Unsupported(_) => None,
        Error::Io { structure, offset, source } => {
            Some(Corrupt::new(structure, offset, format!("it cannot be read: {source}")))
        }
        other => Some(Corrupt::new(structure, offset, other.to_string())),
    }
}

fn len(blocks: &std::ops::Range<u64>) -> u64 {
    blocks.end.saturating_sub(blocks.start)
}

/// Progress is told now and then.
const fn is_worth_saying(count: u64) -> bool {
    count.is_multiple_of(1024)
}
