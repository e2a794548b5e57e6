use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_root_reader::{DataRoot, Finding, Reach};
use ext4_reader::{Ext4, JournalLoss, JournalState, Tolerance};
use file_tree::{FileTree, HostTree};

use crate::disk::{Disk, FileSystem, Level, Note, OpenOptions, Partition, PartitionTable};
use crate::{Error, Ext4Tree, Result};

/// Whatever holds Docker's data, opened for reading: a disk image, a block device, or a directory of this computer.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    disk: Option<Disk>,
    table: Option<PartitionTable>,
    parts: Vec<Part>,
    data_root: Option<String>,
}

/// How to open a source; [`Source::open`] takes the defaults.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// The file to read in place of the backing file that a qcow2 image names.
    pub backing: Option<PathBuf>,
    /// Look only at the partition of this number; 0 is a disk without partitions.
    pub partition: Option<u32>,
    /// Take this directory of a file system as the data root, in place of searching for one.
    pub data_root: Option<String>,
}

/// A partition of a disk, a whole disk without partitions, or a directory.
#[derive(Debug)]
pub struct Part {
    /// Which partition it is; `None` for a whole disk and a directory.
    pub partition: Option<Partition>,
    /// What it holds.
    pub content: Content,
}

/// What a [`Part`] holds.
#[derive(Debug)]
#[non_exhaustive]
pub enum Content {
    /// Files of this computer.
    Directory(Arc<HostTree>),
    /// An ext2, ext3 or ext4 file system.
    Ext4 {
        /// Which of the three it is.
        kind: FileSystem,
        /// Its reader. Offsets in its errors are those of the disk.
        filesystem: Arc<Ext4<Disk>>,
    },
    /// An ext2, ext3 or ext4 file system that could not be opened.
    Unopened {
        /// Which of the three it is.
        kind: FileSystem,
        /// Why not.
        error: ext4_reader::Error,
    },
    /// Something that is not read.
    Unread(FileSystem),
    /// Nothing that is known.
    Unknown,
}

/// A data root and where it was found.
#[derive(Debug)]
pub struct FoundDataRoot<'a> {
    /// What holds it.
    pub part: &'a Part,
    /// The data root.
    pub data_root: DataRoot,
}

impl Source {
    /// Opens the disk or directory at `path`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &SourceOptions::default())
    }

    /// Opens the disk or directory at `path`.
    ///
    /// Fails if it is neither, or if a disk has not the partition that is asked for; that a disk holds nothing that can
    /// be read is not a failure yet.
    pub fn open_with(path: impl AsRef<Path>, options: &SourceOptions) -> Result<Self> {
        let path = path.as_ref();
        if path.is_dir() {
            return Self::open_directory(path, options);
        }
        let mut open = OpenOptions::new();
        if let Some(backing) = &options.backing {
            open = open.backing(backing);
        }
        let disk = open.open(path)?;
        let table = disk.partitions()?;
        let parts = parts(&disk, &table, options.partition)?;
        let data_root = options.data_root.clone();
        Ok(Self { path: path.to_owned(), disk: Some(disk), table: Some(table), parts, data_root })
    }

    fn open_directory(path: &Path, options: &SourceOptions) -> Result<Self> {
        if let Some(image) = options.backing.is_some().then(|| path.to_owned()) {
            return Err(crate::disk::Error::NoBacking { image }.into());
        }
        if let Some(number) = options.partition.filter(|&number| number != 0) {
            return Err(Error::NoPartition { number, present: "none in a directory".to_owned() });
        }
        let tree = Arc::new(HostTree::open(path)?);
        let parts = vec![Part { partition: None, content: Content::Directory(tree) }];
        let data_root = options.data_root.clone();
        Ok(Self { path: path.to_owned(), disk: None, table: None, parts, data_root })
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The disk; `None` for a directory.
    #[must_use]
    pub fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// How the disk is divided; `None` for a directory.
    #[must_use]
    pub fn partition_table(&self) -> Option<&PartitionTable> {
        self.table.as_ref()
    }

    /// The partitions, or the one part that a disk without partitions or a directory has.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What was noticed on the way, above all whether what is shown may be out of date.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        let disk = self.disk.iter().flat_map(|disk| disk.notes().iter().cloned());
        let table = self.table.iter().flat_map(|table| table.notes.iter().cloned());
        disk.chain(table).chain(self.parts.iter().flat_map(Part::notes)).collect()
    }

    /// The file system to look at where only one can be meant: the only one that is read, or the only one with a data
    /// root.
    pub fn file_system(&self) -> Result<Arc<dyn FileTree>> {
        let readable: Vec<_> = self.parts.iter().filter_map(|part| Some((part, part.tree()?))).collect();
        match readable.as_slice() {
            [] => return Err(self.no_file_system()),
            [(_, tree)] => return Ok(Arc::clone(tree)),
            _ => {}
        }
        let has_data_root = |tree: &Arc<dyn FileTree>| {
            DataRoot::find(Arc::clone(tree)).is_ok_and(|search| !search.data_roots.is_empty())
        };
        let mut with_data_root = readable.iter().filter(|(_, tree)| has_data_root(tree));
        if let (Some((_, tree)), None) = (with_data_root.next(), with_data_root.next()) {
            return Ok(Arc::clone(tree));
        }
        let choices: Vec<_> = readable.iter().map(|(part, _)| part.to_string()).collect();
        let what = "there are several file systems";
        Err(Error::Ambiguous { what, choices: choices.join(", "), option: "--partition N" })
    }

    /// The data roots, searched for on every file system that is read.
    ///
    /// Fails with [`Error::NoFileSystem`] or [`Error::NoDataRoot`] if there is none.
    pub fn data_roots(&self) -> Result<Vec<FoundDataRoot<'_>>> {
        let mut found = Vec::new();
        let mut uncertain = false;
        let mut findings: Vec<Finding> = Vec::new();
        let mut failure = None;
        for part in &self.parts {
            let Some(tree) = part.tree() else { continue };
            if let Some(path) = &self.data_root {
                match DataRoot::open(tree, path) {
                    Ok(data_root) => found.push(FoundDataRoot { part, data_root }),
                    Err(error) => failure = Some(error),
                }
                continue;
            }
            match DataRoot::find(tree) {
                Ok(search) => {
                    uncertain |= search.reach == Reach::PartOfTree || !search.findings.is_empty();
                    findings.extend(search.findings);
                    found.extend(
                        search.data_roots.into_iter().map(|data_root| FoundDataRoot { part, data_root }),
                    );
                }
                Err(error) => failure = Some(error),
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
        if let Some(error) = failure {
            return Err(error.into());
        }
        if self.parts.iter().all(|part| part.tree().is_none()) {
            return Err(self.no_file_system());
        }
        let searched = findings.first().map_or_else(String::new, |finding| {
            format!(
                ", and {} directories could not be searched ({}: {})",
                findings.len(),
                finding.path,
                finding.problem
            )
        });
        Err(Error::NoDataRoot { searched, uncertain })
    }

    /// Why no file system can be read: the error of one that could not be opened, or what there is instead.
    fn no_file_system(&self) -> Error {
        let mut unread = None;
        let mut found = Vec::new();
        for part in &self.parts {
            match &part.content {
                Content::Directory(_) | Content::Ext4 { .. } => {}
                Content::Unopened { error, .. } => {
                    found.push(format!("{part}, which cannot be opened: {error}"));
                }
                Content::Unread(kind) => {
                    if *kind != FileSystem::Swap {
                        unread = Some(kind.to_string());
                    }
                    found.push(part.to_string());
                }
                Content::Unknown => found.push(part.to_string()),
            }
        }
        let found = if found.is_empty() { "the disk has no partitions".to_owned() } else { found.join("; ") };
        Error::NoFileSystem { found, unread }
    }
}

fn parts(disk: &Disk, table: &PartitionTable, only: Option<u32>) -> Result<Vec<Part>> {
    if table.scheme.is_none() {
        return match only {
            Some(number) if number != 0 => {
                Err(Error::NoPartition { number, present: "none: the disk is not divided".to_owned() })
            }
            _ => Ok(vec![Part { partition: None, content: Content::recognise(disk, 0, disk.size_bytes()) }]),
        };
    }
    let chosen =
        table.partitions.iter().filter(|partition| only.is_none_or(|number| number == partition.number));
    let parts: Vec<_> = chosen
        .map(|partition| Part {
            content: Content::recognise(disk, partition.offset, partition.len),
            partition: Some(partition.clone()),
        })
        .collect();
    match only {
        Some(number) if parts.is_empty() => {
            let present: Vec<_> =
                table.partitions.iter().map(|partition| partition.number.to_string()).collect();
            Err(Error::NoPartition { number, present: present.join(", ") })
        }
        _ => Ok(parts),
    }
}

impl Content {
    fn recognise(disk: &Disk, offset: u64, len: u64) -> Self {
        let part = disk.slice(offset, len);
        let recover = ext4_reader::OpenOptions::new().tolerance(Tolerance::Recover);
        let recognised = match FileSystem::recognise(&part) {
            Ok(Some(recognised)) => recognised,
            // The place of a superblock could not be read; then ext4's own reader says so best.
            Err(_) => FileSystem::Ext4,
            Ok(None) => {
                // The superblock may be gone, and its backups not.
                let bytes = ext4_reader::from_fn(part.len(), |buf: &mut [u8], at| {
                    qcow2_reader::ReadAt::read_exact_at(&part, buf, at)
                });
                match recover.open(bytes) {
                    Ok(_) => FileSystem::Ext4,
                    Err(_) => return Self::Unknown,
                }
            }
        };
        if !recognised.is_ext() {
            return Self::Unread(recognised);
        }
        match recover.offset(offset).open(disk.clone()) {
            Ok(filesystem) => Self::Ext4 { kind: recognised, filesystem: Arc::new(filesystem) },
            Err(error) => Self::Unopened { kind: recognised, error },
        }
    }
}

fn findings(filesystem: &Ext4<Disk>) -> impl Iterator<Item = String> {
    const SHOWN: usize = 10;
    let findings = filesystem.findings();
    let more = findings.len().saturating_sub(SHOWN);
    let rest = (more > 0).then(|| format!("{more} more such findings"));
    findings.into_iter().take(SHOWN).map(|finding| finding.to_string()).chain(rest)
}

impl Part {
    /// Its files, if they are read.
    #[must_use]
    pub fn tree(&self) -> Option<Arc<dyn FileTree>> {
        match &self.content {
            Content::Directory(tree) => Some(Arc::clone(tree) as Arc<dyn FileTree>),
            Content::Ext4 { filesystem, .. } => Some(Arc::new(Ext4Tree::new(Arc::clone(filesystem)))),
            Content::Unopened { .. } | Content::Unread(_) | Content::Unknown => None,
        }
    }

    /// Whether its journal holds changes that are missing from what is shown.
    #[must_use]
    pub fn is_out_of_date(&self) -> bool {
        matches!(&self.content, Content::Ext4 { filesystem, .. } if filesystem.journal_state().is_out_of_date())
    }

    fn notes(&self) -> Vec<Note> {
        let mut notes = self.findings();
        notes.extend(self.state_notes());
        notes
    }

    /// The damage that was read past so far; of much of it, the first few and how much more there is.
    fn findings(&self) -> Vec<Note> {
        let Content::Ext4 { filesystem, .. } = &self.content else { return Vec::new() };
        let note = |text: String| Note { level: Level::Warning, message: format!("{self}: {text}") };
        findings(filesystem).map(note).collect()
    }

    /// What is to be known of it as a whole.
    pub(crate) fn state_notes(&self) -> Vec<Note> {
        let warning = |message: String| Note { level: Level::Warning, message };
        let mut notes = Vec::new();
        match &self.content {
            Content::Ext4 { filesystem, .. } => {
                notes.extend(journal_note(self, filesystem.journal_state()));
                let superblock = filesystem.superblock();
                if superblock.is_marked_erroneous() {
                    notes.push(warning(format!(
                        "{self} is marked as damaged by the kernel that last used it"
                    )));
                } else if *filesystem.journal_state() == JournalState::Absent && !superblock.is_marked_clean()
                {
                    notes.push(warning(format!("{self} was not unmounted, and has no journal")));
                }
            }
            Content::Unopened { error, .. } => {
                notes.push(warning(format!("{self} cannot be opened: {error}")));
            }
            _ => {}
        }
        notes
    }
}

/// What became of the changes that a journal held, if it held any.
fn journal_note(part: &Part, state: &JournalState) -> Option<Note> {
    let replay = match state {
        JournalState::Replayed(replay) => replay,
        JournalState::NeedsReplay(reason) => {
            return Some(Note {
                level: Level::Warning,
                message: format!(
                    "{part} was not unmounted: its journal holds changes that are NOT applied to what is shown \
                     ({reason}). Files may be missing, out of date or of mixed age"
                ),
            });
        }
        _ => return None,
    };
    let applied = format!(
        "{part} was not unmounted: its journal was replayed in memory, {} transactions, {} blocks; the disk is unchanged",
        replay.transactions, replay.blocks
    );
    if replay.is_complete() {
        return Some(Note { level: Level::Info, message: applied });
    }
    let lost: Vec<_> = replay.damage.iter().filter(|damage| damage.loss != JournalLoss::Nothing).collect();
    let first = lost.first().map(ToString::to_string);
    let fast_commits = replay
        .fast_commits_left
        .as_ref()
        .map(|reason| format!("its fast commits are NOT applied ({reason})"));
    let more = lost.len().checked_sub(2).map(|more| format!("and {} more such places", more + 1));
    let left: Vec<_> = first.into_iter().chain(more).chain(fast_commits).collect();
    Some(Note {
        level: Level::Warning,
        message: format!("{applied}. But not all of it: {}", left.join("; ")),
    })
}

/// Where it lies and what it holds: `partition 2 (ext4)`.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.partition, &self.content) {
            (Some(partition), _) => write!(f, "partition {}", partition.number)?,
            (None, Content::Directory(_)) => return f.write_str("the directory"),
            (None, _) => f.write_str("the disk")?,
        }
        match &self.content {
            Content::Ext4 { kind, .. } | Content::Unopened { kind, .. } | Content::Unread(kind) => {
                write!(f, " ({kind})")
            }
            Content::Unknown => f.write_str(" (nothing known)"),
            Content::Directory(_) => Ok(()),
        }
    }
}
