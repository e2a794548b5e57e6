//! The journal: changes that were committed to it and may not have reached their places yet.
//!
//! Nothing is written. A replay makes an [`Overlay`], through which every later read goes. Source: the kernel's
//! documentation, "Journal (jbd2)", and the order of steps in its recovery.

mod descriptor;
mod fast_commit;
mod header;
mod location;
mod log;
mod mend;
mod overlay;
mod replay;
mod revoke;
mod scan;
mod state;
mod superblock;

pub(crate) use fast_commit::{Change, FastCommits, Naming, RangeTarget};
pub(crate) use overlay::{LoggedCopy, Overlay};
pub use state::{Journal, JournalDamage, JournalLoss, JournalState, NotReplayed, Replay};

use location::JournalBlocks;
use log::Log;

use crate::device::BlockDevice;
use crate::error::chain;
use crate::features::{COMPAT_HAS_JOURNAL, INCOMPAT_RECOVER};
use crate::{Error, ReadAt, Result, Superblock};

/// What the journal changes, and what became of that.
pub(crate) struct Opened {
    pub(crate) state: JournalState,
    pub(crate) overlay: Overlay,
    /// To be applied to what is read through the overlay.
    pub(crate) fast_commits: FastCommits,
}

/// Reads the journal of a file system that is read through `device`.
pub(crate) fn open<S: ReadAt>(
    device: &BlockDevice<S>,
    superblock: &Superblock,
    journal: Journal,
) -> Result<Opened> {
    let unchanged =
        |state| Ok(Opened { state, overlay: Overlay::default(), fast_commits: FastCommits::default() });
    // The feature is set while the file system is mounted; the log may be empty all the same.
    if !superblock.features().has_incompat(INCOMPAT_RECOVER) {
        let has_journal = superblock.features().has_compat(COMPAT_HAS_JOURNAL);
        return unchanged(if has_journal { JournalState::Clean } else { JournalState::Absent });
    }
    let log = match find_log(device, superblock) {
        Ok(Some(log)) => log,
        Ok(None) if journal == Journal::Require => {
            return Err(Error::Unsupported("a journal on another device, which was not given,".to_owned()));
        }
        Ok(None) => return unchanged(JournalState::NeedsReplay(NotReplayed::External)),
        Err(error) if journal == Journal::Require => return Err(error),
        Err(error) => {
            return unchanged(JournalState::NeedsReplay(NotReplayed::Unreadable(chain(&error))));
        }
    };
    if log.superblock.start == 0 {
        return unchanged(JournalState::Clean);
    }
    if journal == Journal::Ignore {
        return unchanged(JournalState::NeedsReplay(NotReplayed::Ignored));
    }
    let scan = scan::scan(&log);
    let mut fast_commits = fast_commit::read(&log, scan.end);
    let (overlay, replay) = replay::apply(&log, scan);
    let replay = Replay { fast_commits_left: fast_commits.left.take(), ..replay };
    let lost = replay.damage.iter().find(|damage| damage.loss != JournalLoss::Nothing);
    if let (Journal::Require, Some(damage)) = (journal, lost) {
        return Err(Error::corrupt("journal", damage.offset, damage.to_string()));
    }
    Ok(Opened { state: JournalState::Replayed(replay), overlay, fast_commits })
}

/// Whether the journal could be used, if it is at hand.
pub(crate) fn examine<S: ReadAt>(device: &BlockDevice<S>, superblock: &Superblock) -> Result<()> {
    find_log(device, superblock).map(|_| ())
}

/// `None` if the journal lies on another device, and that is not at hand.
fn find_log<'a, S: ReadAt>(
    device: &'a BlockDevice<S>,
    superblock: &Superblock,
) -> Result<Option<Log<'a, S>>> {
    if superblock.journal.inode == 0 {
        if !device.has_journal_device() {
            return Ok(None);
        }
        let blocks = JournalBlocks::on_device(device, superblock)?;
        return Ok(Some(Log { superblock: blocks.read_superblock()?, blocks }));
    }
    let mut failure = None;
    for blocks in JournalBlocks::candidates(device, superblock) {
        match blocks.read_superblock() {
            Ok(superblock) => return Ok(Some(Log { blocks, superblock })),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(failure.unwrap_or_else(|| {
        Error::corrupt("superblock", device.offset_of_superblock(), "it names no inode that is a journal")
    }))
}
