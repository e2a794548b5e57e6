use std::path::PathBuf;

use data_root_reader::{Elsewhere, Finding, Usage, Volume, VolumeData};
use file_tree::Report;
use serde::Serialize;

use super::Form;
use crate::disk::Level;
use crate::{Error, FoundDataRoot, Source};

/// What a recovery wrote and what it could not; `report.json` holds the same.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct RecoverReport {
    /// The version of this program.
    pub docker_rescue: &'static str,
    /// The source.
    pub source: PathBuf,
    /// Further files that were read because an image names them.
    pub also_read: Vec<PathBuf>,
    /// How the volumes are written.
    pub form: Form,
    /// Why what was recovered may be out of date or incomplete as a whole.
    pub warnings: Vec<String>,
    /// What was found and recovered, by data root.
    pub data_roots: Vec<DataRootReport>,
    /// Why the work ended early: "interrupted", or what the operating system said.
    pub stopped: Option<String>,
    /// Whether everything on the disk was recovered, and as the kernel would show it.
    pub is_complete: bool,
}

/// What was recovered of a data root.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct DataRootReport {
    /// Where it is: the partition's number, if there are partitions.
    pub partition: Option<u32>,
    /// Its path on the file system.
    pub path: String,
    /// Where its volumes were written: a directory of the output ending in `/`, or empty for the output itself.
    pub folder: String,
    /// Its volumes.
    pub volumes: Vec<VolumeReport>,
    /// What is damaged or missing among its own files.
    pub findings: Vec<Finding>,
}

/// What was recovered of a volume.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct VolumeReport {
    /// Its name.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, where it is not plain.
    pub reason: Option<String>,
    /// Where its files are, below the output.
    pub written_to: Option<String>,
    /// Where what `docker volume inspect` said is, below the output.
    pub inspect: Option<String>,
    /// Where what could not be kept is recorded, below the output.
    pub sidecar: Option<String>,
    /// The containers that used it.
    pub used_by: Vec<Usage>,
    /// The commands that put it into a Docker that works, to be run in the output directory.
    pub restore: Vec<String>,
    /// What was written, entry by entry where there is something to say.
    pub files: Option<Report>,
}

/// What came of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// All of it was recovered.
    Recovered,
    /// All that could be read was recovered; some could not.
    Damaged,
    /// Its data is not on this disk.
    Elsewhere,
    /// Its data is gone.
    Missing,
    /// None of it could be recovered.
    Failed,
    /// The work ended while it was written.
    Partial,
    /// The work ended before.
    NotReached,
}

impl RecoverReport {
    pub(super) fn new(source: &Source, form: Form) -> Self {
        Self {
            docker_rescue: env!("CARGO_PKG_VERSION"),
            source: source.path().to_owned(),
            also_read: source.disk().map(|disk| disk.also_read().to_vec()).unwrap_or_default(),
            form,
            warnings: Vec::new(),
            data_roots: Vec::new(),
            stopped: None,
            is_complete: false,
        }
    }

    /// Damage shows while files are read, so what the source has to say comes last.
    pub(super) fn finish(&mut self, source: &Source, stopped: Option<String>) {
        let warnings = source.notes().into_iter().filter(|note| note.level == Level::Warning);
        self.warnings = warnings.map(|note| note.message).collect();
        self.stopped = stopped;
        let whole = |volume: &VolumeReport| matches!(volume.outcome, Outcome::Recovered | Outcome::Elsewhere);
        self.is_complete = self.warnings.is_empty()
            && self.volumes().all(whole)
            && self.data_roots.iter().all(|root| root.findings.is_empty());
    }

    /// All volumes.
    pub fn volumes(&self) -> impl Iterator<Item = &VolumeReport> {
        self.data_roots.iter().flat_map(|root| &root.volumes)
    }
}

impl DataRootReport {
    pub(super) fn new(
        found: &FoundDataRoot<'_>,
        folder: String,
        volumes: Vec<VolumeReport>,
        findings: Vec<Finding>,
    ) -> Self {
        Self {
            partition: found.part.partition.as_ref().map(|partition| partition.number),
            path: found.data_root.display_path(),
            folder,
            volumes,
            findings,
        }
    }
}

impl VolumeReport {
    pub(super) fn new(volume: &Volume) -> Self {
        let (outcome, reason) = match &volume.data {
            VolumeData::Here => (Outcome::Failed, None),
            VolumeData::Elsewhere(elsewhere) => (Outcome::Elsewhere, Some(describe_elsewhere(elsewhere))),
            _ => (Outcome::Missing, Some("its directory is gone or cannot be read".to_owned())),
        };
        Self {
            name: volume.name.clone(),
            outcome,
            reason,
            written_to: None,
            inspect: None,
            sidecar: None,
            used_by: volume.used_by.clone(),
            restore: Vec::new(),
            files: None,
        }
    }

    pub(super) fn fail(&mut self, error: &Error) {
        self.outcome = Outcome::Failed;
        self.reason = Some(crate::in_one_line(error));
    }

    pub(super) fn set_written(&mut self, written: Report) {
        self.outcome = if !written.is_finished() {
            Outcome::Partial
        } else if written.is_complete() {
            Outcome::Recovered
        } else {
            Outcome::Damaged
        };
        self.reason.clone_from(&written.stopped);
        self.files = Some(written);
    }
}

/// Where the data of a volume is that is not on this disk, for people.
#[must_use]
pub fn describe_elsewhere(elsewhere: &Elsewhere) -> String {
    match elsewhere {
        Elsewhere::Bind { path } => format!("the directory {path} of the machine that ran Docker"),
        Elsewhere::Nfs { server: Some(server), export } => format!("the NFS server {server}, {export}"),
        Elsewhere::Nfs { server: None, export } => format!("an NFS server, {export}"),
        Elsewhere::Cifs { share } => format!("the SMB share {share}"),
        Elsewhere::Tmpfs => "memory (tmpfs): gone with the machine's power".to_owned(),
        Elsewhere::Device { device, file_system } => format!("the device {device} ({file_system})"),
        Elsewhere::Plugin { driver } => format!("wherever the volume plugin {driver} keeps it"),
        Elsewhere::Symlink { target } => format!("where its symbolic link leads: {target}"),
        _ => "elsewhere".to_owned(),
    }
}
