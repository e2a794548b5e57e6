//! `info`: what a source is, layer by layer; or which there are on this computer.

use std::io::{self, Write, stdout};
use std::path::Path;

use docker_rescue::data_root::VolumeData;
use docker_rescue::disk::{Disk, Level};
use docker_rescue::ext4::JournalState;
use docker_rescue::file_tree::printable;
use docker_rescue::{Content, Error, Folders, FoundDataRoot, FoundDisk, Part, Source};
use serde_json::{Value, json};

use super::args::General;
use super::{Outcome, exit_for, open_quietly};
use crate::exit::Exit;
use crate::output::{json, message, table, text};

/// The Docker disks at this computer's known places.
pub(super) fn of_computer(general: &General) -> Outcome {
    let disks = Folders::of_this_computer().map(|folders| folders.find_disks()).unwrap_or_default();
    if general.json {
        for disk in &disks {
            json::print_line(&json!({
                "product": disk.product,
                "path": disk.path,
                "size_bytes": disk.size_bytes,
                "allocated_bytes": disk.allocated_bytes,
            }))?;
        }
    } else if disks.is_empty() {
        writeln!(
            stdout(),
            "no Docker disk was found where Docker Desktop, Colima, Rancher Desktop and others keep theirs"
        )?;
        writeln!(stdout(), "if you know where it is: docker-rescue info FILE")?;
    } else {
        table::print(["PRODUCT", "SIZE", "ON DISK", "PATH"], &[1, 2], disks.iter().map(disk_row))?;
    }
    Ok(Exit::Done)
}

fn disk_row(disk: &FoundDisk) -> [String; 4] {
    let allocated = disk.allocated_bytes.map(text::size).unwrap_or_default();
    [
        disk.product.to_owned(),
        text::size(disk.size_bytes),
        allocated,
        printable(disk.path.as_os_str().as_encoded_bytes()),
    ]
}

/// What a source is.
pub(super) fn of_source(path: &Path, general: &General) -> Outcome {
    let source = open_quietly(path, general)?;
    let data_roots = source.data_roots();
    if general.json {
        json::print(&describe(&source, &data_roots))?;
    } else {
        show(&source, &data_roots)?;
    }
    match data_roots {
        Ok(_) => Ok(exit_for(&source)),
        // What there is has been said; that it is not Docker's is no failure of saying so.
        Err(error @ (Error::NoDataRoot { .. } | Error::NoFileSystem { .. })) => {
            message::warning(&error.to_string());
            if let Some(hint) = error.hint() {
                message::hint(&hint);
            }
            Ok(Exit::Failed)
        }
        Err(error) => Err(error.into()),
    }
}

type DataRoots<'a> = docker_rescue::Result<Vec<FoundDataRoot<'a>>>;

fn show(source: &Source, data_roots: &DataRoots<'_>) -> io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{}", printable(source.path().as_os_str().as_encoded_bytes()))?;
    match source.disk() {
        Some(disk) => writeln!(out, "  disk         {}", disk_line(disk))?,
        None => writeln!(out, "  directory")?,
    }
    for file in source.disk().iter().flat_map(|disk| disk.also_read()) {
        writeln!(out, "  also reads   {}, which the image names", file.display())?;
    }
    if let Some(scheme) = source.partition_table().and_then(|table| table.scheme) {
        writeln!(out, "  partitions   {scheme}")?;
    }
    for part in source.parts() {
        writeln!(out, "  {}", part_line(part))?;
        for found in data_roots.iter().flatten().filter(|found| std::ptr::eq(found.part, part)) {
            writeln!(out, "    data root  {}", printable(data_root_line(found).as_bytes()))?;
        }
    }
    for note in source.notes() {
        let label = if note.level == Level::Warning { "WARNING" } else { "note" };
        writeln!(out, "  {label}: {}", printable(note.message.as_bytes()))?;
    }
    Ok(())
}

fn disk_line(disk: &Disk) -> String {
    let details = disk.qcow2().map_or_else(String::new, |image| {
        let header = image.header();
        format!(" version {}, clusters of {} bytes", header.version(), header.cluster_bytes())
    });
    let file = match disk.file_bytes() {
        same if same == disk.size_bytes() => String::new(),
        bytes => format!(", in a file of {}", text::size(bytes)),
    };
    format!("{}{details}, {}{file}", disk.format(), text::size(disk.size_bytes()))
}

fn part_line(part: &Part) -> String {
    let place = match &part.partition {
        Some(partition) => {
            let name = partition.name.as_deref().map_or_else(String::new, |name| format!(" {name:?}"));
            format!(
                "partition {}{name}, {} from byte {}: ",
                partition.number,
                text::size(partition.len),
                partition.offset
            )
        }
        None => String::new(),
    };
    let content = match &part.content {
        Content::Ext4 { kind, filesystem } => {
            let superblock = filesystem.superblock();
            let label = match superblock.label() {
                [] => String::new(),
                label => format!(" \"{}\"", printable(label)),
            };
            let total = superblock.blocks_count() * superblock.block_size_bytes();
            let free =
                superblock.free_blocks_count().min(superblock.blocks_count()) * superblock.block_size_bytes();
            let mounted = match superblock.last_mounted() {
                [] => String::new(),
                path => format!(", last mounted at {}", printable(path)),
            };
            let journal = match filesystem.journal_state() {
                JournalState::Absent => "no journal",
                JournalState::Clean => "journal clean",
                JournalState::Replayed(replay) if replay.is_complete() => "journal replayed",
                JournalState::Replayed(_) => "JOURNAL DAMAGED",
                _ => "JOURNAL NOT APPLIED",
            };
            format!(
                "{kind}{label}, {} used of {}, {journal}{mounted}",
                text::size(total - free),
                text::size(total)
            )
        }
        Content::Unopened { kind, error } => format!("{kind}, which cannot be opened: {error}"),
        Content::Unread(kind) => format!("{kind}, not read"),
        Content::Directory(_) => "files".to_owned(),
        _ => match &part.partition {
            Some(partition) => format!("{}, nothing that is known", partition.kind),
            None => "nothing that is known".to_owned(),
        },
    };
    format!("{place}{content}")
}

fn data_root_line(found: &FoundDataRoot<'_>) -> String {
    let root = &found.data_root;
    let volumes = root.volumes().list;
    let here = volumes.iter().filter(|volume| volume.data == VolumeData::Here).count();
    let drivers: Vec<_> = root.storage_drivers().iter().map(ToString::to_string).collect();
    let drivers = if drivers.is_empty() { "no layers".to_owned() } else { drivers.join(", ") };
    let sibling = root
        .sibling_containerd()
        .map_or_else(String::new, |path| format!("; containerd's own root is {path}"));
    format!(
        "{}: {} ({} with data here), layers in {drivers}{sibling}",
        root.display_path(),
        text::count(volumes.len() as u64, "volume"),
        text::thousands(here as u64)
    )
}

fn describe(source: &Source, data_roots: &DataRoots<'_>) -> Value {
    let disk = source.disk().map(|disk| {
        json!({
            "format": disk.format().to_string(),
            "size_bytes": disk.size_bytes(),
            "file_bytes": disk.file_bytes(),
            "also_read": disk.also_read(),
        })
    });
    let parts: Vec<_> = source.parts().iter().map(|part| describe_part(part, data_roots)).collect();
    let notes = source.notes().into_iter().map(|note| {
        json!({ "level": if note.level == Level::Warning { "warning" } else { "info" }, "message": note.message })
    });
    json!({
        "path": source.path(),
        "disk": disk,
        "partition_table": source.partition_table().and_then(|table| table.scheme).map(|scheme| scheme.to_string()),
        "parts": parts,
        "notes": notes.collect::<Vec<_>>(),
    })
}

fn describe_part(part: &Part, data_roots: &DataRoots<'_>) -> Value {
    let (file_system, error) = match &part.content {
        Content::Ext4 { kind, .. } => (Some(kind.to_string()), None),
        Content::Unopened { kind, error } => (Some(kind.to_string()), Some(error.to_string())),
        Content::Unread(kind) => (Some(kind.to_string()), Some("not read".to_owned())),
        _ => (None, None),
    };
    let roots = data_roots.iter().flatten().filter(|found| std::ptr::eq(found.part, part)).map(|found| {
        let volumes = found.data_root.volumes();
        json!({
            "path": found.data_root.display_path(),
            "storage_drivers": found.data_root.storage_drivers(),
            "sibling_containerd": found.data_root.sibling_containerd(),
            "volumes": volumes.list.len(),
            "volumes_with_data": volumes.list.iter().filter(|volume| volume.data == VolumeData::Here).count(),
            "findings": volumes.findings,
        })
    });
    json!({
        "partition": part.partition.as_ref().map(|partition| json!({
            "number": partition.number,
            "offset": partition.offset,
            "len": partition.len,
            "kind": partition.kind.to_string(),
            "name": partition.name,
        })),
        "file_system": file_system,
        "error": error,
        "journal_needs_replay": part.is_out_of_date(),
        "data_roots": roots.collect::<Vec<_>>(),
    })
}
