use std::fmt;

/// What becomes of changes that the journal holds; see [`OpenOptions::journal`](crate::OpenOptions::journal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Journal {
    /// They are applied to what is shown, in memory, as far as the journal is sound.
    /// [`Ext4::journal_state`](crate::Ext4::journal_state) tells what was done. The source stays as it is.
    #[default]
    Replay,
    /// They are not looked at.
    Ignore,
    /// They are applied, and a journal that is damaged or missing is an error, as it is to the kernel.
    Require,
}

/// What the journal held, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalState {
    /// There is no journal, as on ext2. Whether the file system was unmounted in order only
    /// [`Superblock::is_marked_clean`](crate::Superblock::is_marked_clean) tells.
    Absent,
    /// Nothing: the file system was unmounted in order.
    Clean,
    /// Changes that the kernel would apply at the next mount, and that are applied to everything that is shown.
    Replayed(Replay),
    /// Changes that the kernel would apply at the next mount. **They are not applied to what is shown**: files may be
    /// missing, out of date, or of mixed age.
    NeedsReplay(NotReplayed),
}

impl JournalState {
    /// Whether changes are missing from what is shown: all of them, or those in damaged parts of the journal.
    #[must_use]
    pub fn is_out_of_date(&self) -> bool {
        match self {
            Self::Absent | Self::Clean => false,
            Self::Replayed(replay) => !replay.is_complete(),
            Self::NeedsReplay(_) => true,
        }
    }
}

/// Why a journal was not replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotReplayed {
    /// The caller asked for that.
    Ignored,
    /// It lies on a device of its own, and that was not given with
    /// [`OpenOptions::open_with_journal`](crate::OpenOptions::open_with_journal).
    External,
    /// It could not be read; this is the error.
    Unreadable(String),
}

impl fmt::Display for NotReplayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ignored => f.write_str("it was to be ignored"),
            Self::External => f.write_str("it lies on another device"),
            Self::Unreadable(error) => f.write_str(error),
        }
    }
}

/// What a replay did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Replay {
    /// How many transactions were applied: all that were committed.
    pub transactions: u64,
    /// How many blocks of the file system are shown as the journal has them.
    pub blocks: u64,
    /// How many copies were passed over because a later transaction revoked them.
    pub revoked: u64,
    /// How many fast commits were applied behind the transactions.
    pub fast_commits: u64,
    /// Why fast commits were not applied, or not to their end, if so.
    pub fast_commits_left: Option<String>,
    /// Where the journal is damaged, and what that costs.
    pub damage: Vec<JournalDamage>,
}

impl Replay {
    /// Whether everything that was committed is shown.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.fast_commits_left.is_none()
            && self.damage.iter().all(|damage| damage.loss == JournalLoss::Nothing)
    }
}

/// A damaged place in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalDamage {
    /// The sequence number of the transaction it belongs to.
    pub transaction: u32,
    /// Where it lies, in bytes from the start of the source that holds the journal.
    pub offset: u64,
    /// What it costs.
    pub loss: JournalLoss,
}

/// What a damaged place in the journal costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalLoss {
    /// Nothing: one byte was wrong, and the checksum told which.
    Nothing,
    /// This block of the file system is shown as the transaction before left it.
    Copy(u64),
    /// The blocks that the place spoke of, at most a few hundred; which ones only it said.
    Unknown,
}

impl fmt::Display for JournalDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "journal transaction {} is damaged at byte offset {}: ", self.transaction, self.offset)?;
        match self.loss {
            JournalLoss::Nothing => f.write_str("a wrong byte was mended"),
            JournalLoss::Copy(block) => write!(f, "the newest copy of block {block} is lost"),
            JournalLoss::Unknown => f.write_str("what it said of other blocks is lost"),
        }
    }
}
