//! Brings volumes back: the main job.
//!
//! ```no_run
//! use docker_rescue::recover::{Form, Recovery};
//! use docker_rescue::{Source, file_tree::Control};
//!
//! let source = Source::open("Docker.qcow2")?;
//! let recovery = Recovery::plan(&source, &[])?;
//! let report = recovery.run("rescued".as_ref(), Form::Directory, |_| (), &Control::default())?;
//! for volume in report.volumes() {
//!     println!("{}: {:?}", volume.name, volume.outcome);
//! }
//! # Ok::<(), docker_rescue::Error>(())
//! ```

mod destination;
mod names;
mod report;
mod restore_commands;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use data_root_reader::{Volume, VolumeData};
use file_tree::{
    Control, DirectoryOptions, FileKind, Report, Step, SubTree, TarOptions, walk, write_directory, write_tar,
};
use serde::Serialize;

use self::names::Names;
use self::restore_commands::restore_commands;
use crate::landing::Landing;
use crate::{Error, FoundDataRoot, Result, Source};

pub(crate) use names::unknown as unknown_volume;
pub use report::{DataRootReport, Outcome, RecoverReport, VolumeReport, describe_elsewhere};

/// How a volume is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// As a directory. Owners, devices and some attributes need root; what cannot be kept is recorded beside it.
    Directory,
    /// As a tar file, which keeps everything whoever writes it.
    Tar,
}

/// What is to be recovered from a source.
#[derive(Debug)]
pub struct Recovery<'a> {
    source: &'a Source,
    roots: Vec<Root<'a>>,
    jobs: usize,
}

/// How many threads copy unless the caller says otherwise: one for each processor, but no more than these.
const MOST_JOBS_BY_DEFAULT: usize = 8;

#[derive(Debug)]
struct Root<'a> {
    found: FoundDataRoot<'a>,
    volumes: Vec<Volume>,
    findings: Vec<data_root_reader::Finding>,
}

impl<'a> Recovery<'a> {
    /// Finds the volumes of a source: all of them, or those named.
    ///
    /// Fails if there is no data root, or no volume of one of the names.
    pub fn plan(source: &'a Source, names: &[String]) -> Result<Self> {
        let mut roots = Vec::new();
        for found in source.data_roots()? {
            let volumes = found.data_root.volumes();
            roots.push(Root { found, volumes: volumes.list, findings: volumes.findings });
        }
        for name in names {
            let known = || roots.iter().flat_map(|root| &root.volumes).map(|volume| volume.name.as_str());
            if !known().any(|known| known == name) {
                return Err(names::unknown(name, known()));
            }
        }
        if !names.is_empty() {
            for root in &mut roots {
                root.volumes.retain(|volume| names.contains(&volume.name));
            }
            roots.retain(|root| !root.volumes.is_empty());
        }
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Self { source, roots, jobs: processors.min(MOST_JOBS_BY_DEFAULT) })
    }

    /// How many threads copy the files of a volume into a directory: one for each processor by default, at most 16. A tar
    /// file is written by one.
    #[must_use]
    pub fn jobs(mut self, threads: usize) -> Self {
        self.jobs = threads;
        self
    }

    /// How many bytes of content there are to copy, as far as can be told: for a progress bar. Reads all directories and
    /// inodes of the volumes.
    #[must_use]
    pub fn measure(&self, control: &Control<'_>) -> u64 {
        let volumes = self.roots.iter().flat_map(|root| &root.volumes);
        let here = volumes.filter(|volume| volume.data == VolumeData::Here);
        here.filter_map(|volume| volume.tree().ok()).map(|tree| measure(&tree, control)).sum()
    }

    /// Writes the volumes into a directory, which must be new or empty: `volumes/<name>` or `volumes/<name>.tar`, what
    /// `docker volume inspect` said in `volumes/<name>.json`, and the report in `report.json`. Where the source has more
    /// than one data root, each gets a directory of its own.
    ///
    /// `begin` is told each volume before it is written. Damage does not stop the work; a full disk and cancellation do,
    /// and then, too, the report says truly what is there.
    pub fn run(
        &self,
        output: &Path,
        form: Form,
        mut begin: impl FnMut(&str),
        control: &Control<'_>,
    ) -> Result<RecoverReport> {
        destination::prepare(output, self.source.path())?;
        let mut report = RecoverReport::new(self.source, form);
        let mut job = Job { output, form, jobs: self.jobs, control, stopped: None };
        for (number, root) in self.roots.iter().enumerate() {
            let folder =
                if self.roots.len() == 1 { String::new() } else { format!("data-root-{}/", number + 1) };
            let volumes = job.root(root, &folder, &mut begin);
            report.data_roots.push(DataRootReport::new(&root.found, folder, volumes, root.findings.clone()));
        }
        report.finish(self.source, job.stopped);
        write_json(&output.join("report.json"), &report)?;
        Ok(report)
    }
}

fn measure(tree: &SubTree, control: &Control<'_>) -> u64 {
    let mut seen = std::collections::HashSet::new();
    let is_cancelled =
        || control.cancel.is_some_and(|cancel| cancel.load(std::sync::atomic::Ordering::Relaxed));
    let mut bytes = 0_u64;
    for step in walk(tree) {
        let Step::Entry { node, .. } = step else { continue };
        let metadata = node.metadata();
        if is_cancelled() {
            break;
        }
        if metadata.kind != FileKind::Regular || (metadata.links > 1 && !seen.insert(metadata.id)) {
            continue;
        }
        let is_sparse = metadata.allocated_bytes < metadata.size;
        let data = || node.data_ranges().ok().map(|ranges| ranges.flatten().map(|range| range.len).sum());
        bytes = bytes.saturating_add(is_sparse.then(data).flatten().unwrap_or(metadata.size));
    }
    bytes
}

struct Job<'a> {
    output: &'a Path,
    form: Form,
    jobs: usize,
    control: &'a Control<'a>,
    /// Why no further volume is written.
    stopped: Option<String>,
}

impl Job<'_> {
    fn root(&mut self, root: &Root<'_>, folder: &str, begin: &mut dyn FnMut(&str)) -> Vec<VolumeReport> {
        let mut names = Names::default();
        let mut reports = Vec::new();
        for volume in &root.volumes {
            let mut report = VolumeReport::new(volume);
            if self.stopped.is_some() {
                report.outcome = Outcome::NotReached;
            } else {
                begin(&volume.name);
                let file = format!("{folder}volumes/{}", names.take(&volume.name));
                if let Err(error) = self.volume(volume, &file, &mut report) {
                    report.fail(&error);
                }
            }
            reports.push(report);
        }
        reports
    }

    /// `file` is where the volume goes, below the output, without an ending.
    fn volume(&mut self, volume: &Volume, file: &str, report: &mut VolumeReport) -> Result<()> {
        let inspect = format!("{file}.json");
        let path = self.output.join(&inspect);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|source| write_error("create", folder, source))?;
        }
        write_json(&path, &[volume.inspect()])?;
        report.inspect = Some(inspect);
        if volume.data != VolumeData::Here {
            return Ok(());
        }

        let written_to = match self.form {
            Form::Directory => file.to_owned(),
            Form::Tar => format!("{file}.tar"),
        };
        let sidecar = format!("{file}.not-kept.jsonl");
        let tree = volume.tree()?;
        let landing = Landing::new(&self.output.join(&written_to));
        let written = match self.form {
            Form::Directory => {
                let options = DirectoryOptions::default().sidecar(self.output.join(&sidecar)).jobs(self.jobs);
                write_directory(&tree, landing.partial(), &options, self.control)?
            }
            Form::Tar => {
                let options = TarOptions::default().sidecar(self.output.join(&sidecar));
                self.tar(&tree, landing.partial(), &options)?
            }
        };
        report.sidecar = self.output.join(&sidecar).exists().then_some(sidecar);
        if written.is_finished() {
            landing.complete()?;
            let labels = volume.labels.clone().unwrap_or_default();
            report.restore = restore_commands(&volume.name, &labels, &written_to, self.form).into();
            report.written_to = Some(written_to);
        } else {
            self.stopped = Some(written.stopped.clone().unwrap_or_else(|| "interrupted".to_owned()));
            report.written_to = Some(format!("{written_to}.partial"));
        }
        report.set_written(written);
        Ok(())
    }

    fn tar(&self, tree: &SubTree, path: &Path, options: &TarOptions) -> Result<Report> {
        let file = File::create_new(path).map_err(|source| write_error("create", path, source))?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        match write_tar(tree, &mut out, options, self.control) {
            Ok(report) => {
                let sync = out
                    .into_inner()
                    .map_err(std::io::IntoInnerError::into_error)
                    .and_then(|file| file.sync_all());
                sync.map_err(|source| write_error("write", path, source))?;
                Ok(report)
            }
            // An archive that was cut off is no archive, but its beginning is there, and the report has to say so.
            Err(file_tree::Error::Cancelled) => Ok(Report { cancelled: true, ..Report::default() }),
            Err(error @ file_tree::Error::Io { .. }) => {
                Ok(Report { stopped: Some(crate::in_one_line(&error)), ..Report::default() })
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|error| write_error("write", path, error.into()))?;
    text.push(b'\n');
    let mut file = File::create_new(path).map_err(|source| write_error("create", path, source))?;
    file.write_all(&text).map_err(|source| write_error("write", path, source))
}

fn write_error(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Write { action, path: PathBuf::from(path), source }
}
