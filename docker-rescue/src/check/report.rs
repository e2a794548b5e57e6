use std::path::PathBuf;

use ext4_reader::{Check, Cost, Finding};
use file_tree::printable;
use serde::{Serialize, Serializer};

use crate::disk::{Level, Note};
use crate::{Content, Part, Source};

/// What a check found, layer by layer.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// The version of this program.
    pub docker_rescue: &'static str,
    /// The source.
    pub source: PathBuf,
    /// Whether the check came to its end and found no damage, and nothing that may be out of date.
    pub is_healthy: bool,
    /// The caller cancelled: what follows is not all.
    pub cancelled: bool,
    /// The disk image; `None` for a directory.
    pub disk: Option<DiskHealth>,
    /// The partition table, if there is one.
    pub partition_table: Option<PartitionTableHealth>,
    /// The file systems, those that are not read left out.
    pub file_systems: Vec<FileSystemHealth>,
    /// Docker's data roots.
    pub data_roots: Vec<DataRootHealth>,
    /// Why there is no data root, if there is none.
    pub no_data_root: Option<String>,
}

/// The health of a disk image.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct DiskHealth {
    /// Its format.
    pub format: String,
    /// How large the guest saw the disk.
    pub size_bytes: u64,
    /// What was noticed.
    pub notes: Vec<HealthNote>,
}

/// The health of a partition table.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PartitionTableHealth {
    /// Its kind.
    pub scheme: String,
    /// What was noticed.
    pub notes: Vec<HealthNote>,
}

/// Something that was noticed.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct HealthNote {
    /// Whether data may be missing or out of date because of it.
    pub is_warning: bool,
    /// What, in one line.
    pub message: String,
}

/// The health of a file system.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct FileSystemHealth {
    /// Where it lies: the partition's number, if there are partitions.
    pub partition: Option<u32>,
    /// What it is; `None` for a directory of this computer, which has no structures to examine.
    pub kind: Option<String>,
    /// Why it cannot be opened, if so.
    pub error: Option<String>,
    /// What is to be known of it as a whole: its journal, marks the kernel left.
    pub notes: Vec<HealthNote>,
    /// Files, directories not counted.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// How many bytes of content can be read, holes not counted.
    pub bytes_readable: u64,
    /// How many bytes of content cannot be read, at most.
    pub bytes_lost: u64,
    /// How many files cannot be read at all, as far as names lead to them.
    pub files_lost: u64,
    /// How many files miss a part of their content.
    pub files_incomplete: u64,
    /// How many files and directories no path leads to any more.
    pub files_unnamed: u64,
    /// The damage by its place on the disk; at most 20,000 are listed.
    pub findings: Vec<FoundDamage>,
    /// How many there are, listed or not.
    pub findings_count: u64,
    #[serde(skip)]
    pub(super) part: usize,
}

/// Damage in a file system.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct FoundDamage {
    /// The structure, in ext4's words.
    pub structure: &'static str,
    /// Where it lies, in bytes from the start of the disk.
    pub offset: u64,
    /// The inode it belongs to, if it is one's.
    pub inode: Option<u32>,
    /// What is wrong.
    pub problem: String,
    /// What it costs.
    #[serde(serialize_with = "cost")]
    pub cost: Cost,
    /// How many files it concerns; 0 if none, or if that cannot be told.
    pub files: u64,
    /// How many bytes of their content.
    pub bytes: u64,
    /// A path that leads to the file, from the root of the file system, printable; not always known.
    pub path: Option<String>,
    /// The volume that the file is in.
    pub volume: Option<String>,
    #[serde(skip)]
    pub(super) raw_path: Option<Vec<u8>>,
}

/// The health of a data root.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct DataRootHealth {
    /// Where it is: the partition's number, if there are partitions.
    pub partition: Option<u32>,
    /// Its path on the file system.
    pub path: String,
    /// Its volumes, ordered by name.
    pub volumes: Vec<VolumeHealth>,
    /// What is damaged or missing among Docker's own files.
    pub findings: Vec<data_root_reader::Finding>,
}

/// The health of a volume.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct VolumeHealth {
    /// Its name.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// How many of its files cannot be read at all.
    pub files_lost: u64,
    /// How many bytes of its files cannot be read, at most.
    pub bytes_lost: u64,
    /// The findings that concern it and cost something.
    pub findings_count: u64,
}

/// How a volume is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Health {
    /// No damage was found in it.
    Sound,
    /// Its data is not on this disk.
    Elsewhere,
    /// All of it can be read, but some may be wrong.
    Doubtful,
    /// Some of it cannot be read.
    Damaged,
    /// Its data is gone.
    Missing,
}

impl CheckReport {
    pub(super) fn new(source: &Source) -> Self {
        Self {
            docker_rescue: env!("CARGO_PKG_VERSION"),
            source: source.path().to_owned(),
            is_healthy: false,
            cancelled: false,
            disk: None,
            partition_table: None,
            file_systems: Vec::new(),
            data_roots: Vec::new(),
            no_data_root: None,
        }
    }

    pub(super) fn conclude(&mut self) {
        let is_whole = |volume: &VolumeHealth| matches!(volume.health, Health::Sound | Health::Elsewhere);
        self.is_healthy = !self.cancelled
            && self.no_data_root.is_none()
            && self.notes().all(|note| !note.is_warning)
            && self.file_systems.iter().all(|health| health.error.is_none() && health.findings_count == 0)
            && self.data_roots.iter().all(|root| root.findings.is_empty())
            && self.volumes().all(is_whole);
    }

    /// All volumes.
    pub fn volumes(&self) -> impl Iterator<Item = &VolumeHealth> {
        self.data_roots.iter().flat_map(|root| &root.volumes)
    }

    /// All notes, of every layer.
    pub fn notes(&self) -> impl Iterator<Item = &HealthNote> {
        let disk = self.disk.iter().flat_map(|disk| &disk.notes);
        let table = self.partition_table.iter().flat_map(|table| &table.notes);
        disk.chain(table).chain(self.file_systems.iter().flat_map(|health| &health.notes))
    }
}

impl FileSystemHealth {
    pub(super) fn of(part: &Part, index: usize) -> Option<Self> {
        let kind = match &part.content {
            Content::Ext4 { kind, .. } | Content::Unopened { kind, .. } => Some(kind.to_string()),
            Content::Directory(_) => None,
            Content::Unread(_) | Content::Unknown => return None,
        };
        Some(Self {
            partition: part.partition.as_ref().map(|partition| partition.number),
            kind,
            error: None,
            notes: Vec::new(),
            files: 0,
            directories: 0,
            bytes_readable: 0,
            bytes_lost: 0,
            files_lost: 0,
            files_incomplete: 0,
            files_unnamed: 0,
            findings: Vec::new(),
            findings_count: 0,
            part: index,
        })
    }

    /// Returns whether the check was cancelled.
    pub(super) fn take(&mut self, check: Check) -> bool {
        self.files = check.files;
        self.directories = check.directories;
        self.bytes_readable = check.bytes_readable;
        self.bytes_lost = check.bytes_lost;
        self.files_lost = check.files_lost;
        self.files_incomplete = check.files_incomplete;
        self.files_unnamed = check.files_unnamed;
        self.findings_count = check.findings_count;
        self.findings = check.findings.into_iter().map(FoundDamage::new).collect();
        check.cancelled
    }
}

impl FoundDamage {
    fn new(finding: Finding) -> Self {
        Self {
            structure: finding.damage.structure(),
            offset: finding.damage.offset(),
            inode: finding.damage.inode().map(|number| number.0),
            problem: finding.damage.detail().to_owned(),
            cost: finding.cost,
            files: finding.files,
            bytes: finding.bytes,
            path: finding.path.as_ref().map(|path| format!("/{}", printable(path))),
            volume: None,
            raw_path: finding.path,
        }
    }
}

impl From<&Note> for HealthNote {
    fn from(note: &Note) -> Self {
        Self { is_warning: note.level == Level::Warning, message: note.message.clone() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over so")]
fn cost<S: Serializer>(cost: &Cost, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match cost {
        Cost::Nothing => "nothing",
        Cost::Attributes => "attributes",
        Cost::Names => "names",
        Cost::Content => "content",
        Cost::Files => "files",
        _ => "doubt",
    })
}
