//! The health of a source, layer by layer, and what its damage costs.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! let source = docker_rescue::Source::open("Docker.qcow2")?;
//! let report = docker_rescue::check::check(&source, |_, _| ControlFlow::Continue(()))?;
//! for volume in report.volumes() {
//!     println!("{}: {:?}", volume.name, volume.health);
//! }
//! # Ok::<(), docker_rescue::Error>(())
//! ```

mod report;
mod volumes;

use std::ops::ControlFlow;

use ext4_reader::CheckProgress;

pub use report::{
    CheckReport, DataRootHealth, DiskHealth, FileSystemHealth, FoundDamage, Health, HealthNote,
    PartitionTableHealth, VolumeHealth,
};

use crate::disk::{Disk, Note};
use crate::{Content, Error, Part, Result, Source};

/// Examines every layer of a source: the disk image, its partition table, the file systems, and Docker's data roots with
/// their volumes. Nothing is written, and contents of files are not read.
///
/// `watch` is told now and then how far the file system on a part is, and may end the check; the report says so.
///
/// # Errors
///
/// If no part of the source holds a file system that is known. That one cannot be opened is in the report.
pub fn check(
    source: &Source,
    mut watch: impl FnMut(&Part, CheckProgress) -> ControlFlow<()>,
) -> Result<CheckReport> {
    let mut report = CheckReport::new(source);
    report.disk = source.disk().map(disk);
    report.partition_table = source.partition_table().and_then(|table| {
        let scheme = table.scheme?.to_string();
        Some(PartitionTableHealth { scheme, notes: table.notes.iter().map(Into::into).collect() })
    });
    for (index, part) in source.parts().iter().enumerate() {
        let Some(mut health) = FileSystemHealth::of(part, index) else { continue };
        match &part.content {
            Content::Ext4 { filesystem, .. } => {
                report.cancelled |= health.take(filesystem.check(|progress| watch(part, progress)));
                health.notes = part.state_notes().iter().map(Into::into).collect();
            }
            Content::Unopened { error, .. } => health.error = Some(crate::in_one_line(error)),
            _ => {}
        }
        report.file_systems.push(health);
    }
    match source.data_roots() {
        Ok(roots) => {
            for found in &roots {
                let is_its_own = |health: &&mut FileSystemHealth| {
                    source.parts().get(health.part).is_some_and(|part| std::ptr::eq(part, found.part))
                };
                let file_system = report.file_systems.iter_mut().find(is_its_own);
                report.data_roots.push(volumes::of(found, file_system));
            }
        }
        // That one cannot be opened is damage, and told as that.
        Err(error @ Error::NoFileSystem { .. }) if report.file_systems.is_empty() => return Err(error),
        Err(error) => report.no_data_root = Some(crate::in_one_line(&error)),
    }
    report.conclude();
    Ok(report)
}

/// What was noticed in opening the image, and whether it holds all that it should.
fn disk(disk: &Disk) -> DiskHealth {
    let mut notes: Vec<_> = disk.notes().iter().map(Into::into).collect();
    match disk.check() {
        Ok(found) => notes.extend(found.iter().map(Into::into)),
        Err(error) => notes.push((&Note::warning(crate::in_one_line(&error))).into()),
    }
    DiskHealth { format: disk.format().to_string(), size_bytes: disk.size_bytes(), notes }
}
