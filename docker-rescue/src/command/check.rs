//! `check`: the health of every layer, and what damage costs, in words for people.

use std::io::{self, Write, stdout};
use std::ops::ControlFlow;
use std::path::Path;

use docker_rescue::check::{
    CheckReport, FileSystemHealth, FoundDamage, Health, HealthNote, VolumeHealth, check,
};
use docker_rescue::ext4::{CheckStep, Cost};
use docker_rescue::file_tree::printable;

use super::args::General;
use super::{Outcome, open_quietly};
use crate::exit::Exit;
use crate::interrupt;
use crate::output::progress::Progress;
use crate::output::{json, text};

pub(super) fn run(path: &Path, general: &General) -> Outcome {
    let source = open_quietly(path, general)?;
    let progress = Progress::of_steps(general.quiet);
    let report = check(&source, |part, state| {
        let step = match state.step {
            CheckStep::Groups => "its groups",
            CheckStep::Inodes => "its files",
            CheckStep::SharedBlocks => "files that share blocks",
            _ => "its directories",
        };
        progress.say(format!("checking {part}: {step}"));
        progress.step(state.done, state.total);
        if interrupt::happened() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    drop(progress);
    if general.json {
        json::print(&report)?;
    } else {
        show(&report)?;
    }
    Ok(match () {
        () if report.cancelled => Exit::Interrupted,
        () if report.is_healthy => Exit::Done,
        () if is_only_not_docker(&report) => Exit::Failed,
        () => Exit::Incomplete,
    })
}

/// No damage was found, but nothing of Docker's either: as with `info`, that is no success.
fn is_only_not_docker(report: &CheckReport) -> bool {
    let is_sound = |health: &FileSystemHealth| health.error.is_none() && health.findings_count == 0;
    report.no_data_root.is_some()
        && report.file_systems.iter().all(is_sound)
        && report.notes().all(|note| !note.is_warning)
}

fn show(report: &CheckReport) -> io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{}", printable(report.source.as_os_str().as_encoded_bytes()))?;
    if let Some(disk) = &report.disk {
        let what = format!("{}, {}", disk.format, text::size(disk.size_bytes));
        layer(&mut out, "disk", &what, &disk.notes, 0)?;
    }
    if let Some(table) = &report.partition_table {
        layer(&mut out, "partitions", &table.scheme, &table.notes, 0)?;
    }
    for health in &report.file_systems {
        file_system(&mut out, health)?;
    }
    for root in &report.data_roots {
        let hit = root.volumes.iter().filter(|volume| is_hit(volume)).count() as u64;
        let volumes = text::count(root.volumes.len() as u64, "volume");
        let hit = if hit == 0 { "none hit".to_owned() } else { format!("{} HIT", text::thousands(hit)) };
        writeln!(out, "  {:<12} {}: {volumes}, {hit}", "data root", printable(root.path.as_bytes()))?;
        for finding in &root.findings {
            let line = format!("{}: {} ({})", finding.path, finding.problem, finding.cost);
            writeln!(out, "               {}", printable(line.as_bytes()))?;
        }
    }
    if let Some(reason) = &report.no_data_root {
        writeln!(out, "  {:<12} none: {}", "data root", printable(reason.as_bytes()))?;
    }
    costs(&mut out, report)?;
    writeln!(out, "\n{}", verdict(report))?;
    writeln!(
        out,
        "The disk was only read, nothing on it was changed. Contents of files were not read: a bad sector in one of\n\
         them shows when it is copied."
    )
}

fn layer(
    out: &mut impl Write,
    label: &str,
    what: &str,
    notes: &[HealthNote],
    findings: u64,
) -> io::Result<()> {
    let is_sound = findings == 0 && notes.iter().all(|note| !note.is_warning);
    let state = match findings {
        _ if is_sound => "no damage found".to_owned(),
        0 => "see below".to_owned(),
        count => format!("DAMAGED in {}", text::count(count, "place")),
    };
    writeln!(out, "  {label:<12} {what}: {state}")?;
    for note in notes {
        let label = if note.is_warning { "WARNING" } else { "note" };
        writeln!(out, "               {label}: {}", printable(note.message.as_bytes()))?;
    }
    Ok(())
}

fn file_system(out: &mut impl Write, health: &FileSystemHealth) -> io::Result<()> {
    let place = health.partition.map_or_else(String::new, |number| format!(" on partition {number}"));
    let Some(kind) = &health.kind else {
        return writeln!(out, "  {:<12} of this computer, not examined", "files");
    };
    if let Some(error) = &health.error {
        return writeln!(
            out,
            "  {:<12} {kind}{place}: CANNOT BE OPENED: {}",
            "file system",
            printable(error.as_bytes())
        );
    }
    layer(out, "file system", &format!("{kind}{place}"), &health.notes, health.findings_count)?;
    writeln!(
        out,
        "               {} and {}, {} of content that can be read",
        text::count(health.files, "file"),
        match health.directories {
            1 => "1 directory".to_owned(),
            many => format!("{} directories", text::thousands(many)),
        },
        text::size(health.bytes_readable)
    )?;
    let lost = [
        (health.files_lost > 0)
            .then(|| format!("{} cannot be read at all", text::count(health.files_lost, "file"))),
        (health.files_incomplete > 0).then(|| {
            format!(
                "{} in part: up to {} cannot be read",
                text::count(health.files_incomplete, "file"),
                text::size(health.bytes_lost)
            )
        }),
        match health.files_unnamed {
            0 => None,
            1 => Some("1 file or directory is there, but no path leads to it any more".to_owned()),
            many => Some(format!(
                "{} files or directories are there, but no path leads to them any more",
                text::thousands(many)
            )),
        },
    ];
    for line in lost.into_iter().flatten() {
        writeln!(out, "               {line}")?;
    }
    Ok(())
}

/// How many findings are shown for a volume, and of those in none; `--json` has all that are listed.
const LISTED: usize = 10;

/// What the damage costs: first by volume, then what is no volume's.
fn costs(out: &mut impl Write, report: &CheckReport) -> io::Result<()> {
    let findings = || report.file_systems.iter().flat_map(|health| &health.findings);
    for volume in report.volumes().filter(|volume| is_hit(volume)) {
        let of_volume = findings()
            .filter(|finding| finding.volume.as_ref() == Some(&volume.name) && finding.cost != Cost::Nothing);
        let state = match volume.health {
            Health::Missing => "its data is GONE",
            Health::Doubtful => "all of it can be read, but some may be wrong",
            _ => "some of it cannot be read",
        };
        section(out, &format!("volume {}: {state}", printable(volume.name.as_bytes())), of_volume)?;
    }
    let is_elsewhere = |finding: &&FoundDamage| finding.volume.is_none() && finding.cost != Cost::Nothing;
    section(out, "in no volume, or in one that cannot be told:", findings().filter(is_elsewhere))?;
    section(out, "damaged, but at no cost:", findings().filter(|finding| finding.cost == Cost::Nothing))?;
    let unlisted = report
        .file_systems
        .iter()
        .map(|health| health.findings_count.saturating_sub(health.findings.len() as u64));
    match unlisted.sum() {
        0 => Ok(()),
        more => writeln!(out, "\n{} more findings are not listed.", text::thousands(more)),
    }
}

fn section<'a>(
    out: &mut impl Write,
    title: &str,
    findings: impl Iterator<Item = &'a FoundDamage>,
) -> io::Result<()> {
    let mut findings: Vec<_> = findings.collect();
    if findings.is_empty() && !title.starts_with("volume") {
        return Ok(());
    }
    // What costs most comes first.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.cost));
    writeln!(out, "\n{title}")?;
    for finding in findings.iter().take(LISTED) {
        writeln!(
            out,
            "  {}{}\n      {} at byte {}: {}",
            place(finding),
            cost(finding),
            finding.structure,
            finding.offset,
            printable(finding.problem.as_bytes())
        )?;
    }
    match findings.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(out, "  and {} more; --json lists them", text::thousands(more as u64)),
    }
}

/// Which file it is: in a volume, by its path there.
fn place(finding: &FoundDamage) -> String {
    let in_volume = || {
        let folder = format!("/volumes/{}/", finding.volume.as_ref()?);
        let (_, below) = finding.path.as_ref()?.split_once(&folder)?;
        Some(below.strip_prefix("_data/").unwrap_or(below).to_owned())
    };
    let place = in_volume()
        .or_else(|| finding.path.clone())
        .or_else(|| finding.inode.map(|number| format!("inode {number}")));
    place.map_or_else(String::new, |place| format!("{place}: "))
}

fn cost(finding: &FoundDamage) -> String {
    let (files, bytes) = (text::count(finding.files, "file"), text::size(finding.bytes));
    match (finding.cost, finding.files, finding.bytes) {
        (Cost::Nothing, ..) => "nothing is lost".to_owned(),
        (Cost::Attributes, ..) => "readable, but extended attributes or ACLs are lost".to_owned(),
        (Cost::Names, 0, _) => "some names in it are lost".to_owned(),
        (Cost::Names, 1, _) => "it lost its place, not its content".to_owned(),
        (Cost::Names, ..) => format!("{files} lost their place, not their content"),
        (Cost::Content, ..) => format!("{bytes} of it cannot be read"),
        (Cost::Files, 0, _) => "files cannot be read; how many cannot be told".to_owned(),
        (Cost::Files, ..) => format!("{files} cannot be read"),
        (_, 0, 0) => "read all the same, may be wrong".to_owned(),
        (_, _, 0) => format!("{files} read all the same, may be wrong"),
        _ => format!("{bytes} of it read all the same, may be wrong"),
    }
}

fn is_hit(volume: &VolumeHealth) -> bool {
    !matches!(volume.health, Health::Sound | Health::Elsewhere)
}

fn verdict(report: &CheckReport) -> String {
    if report.cancelled {
        return "INTERRUPTED: of what was not examined yet nothing is known.".to_owned();
    }
    if report.file_systems.iter().any(|health| health.error.is_some()) {
        return "VERDICT: DAMAGED: a file system cannot be opened.".to_owned();
    }
    let here = report.volumes().filter(|volume| volume.health != Health::Elsewhere);
    let (hit, whole): (Vec<_>, Vec<_>) = here.partition(|volume| is_hit(volume));
    let whole = text::count(whole.len() as u64, "volume");
    if report.is_healthy {
        return format!("VERDICT: HEALTHY. No damage was found; {whole} with data here can be recovered.");
    }
    if is_only_not_docker(report) {
        return "VERDICT: no damage was found, but nothing of Docker's either.".to_owned();
    }
    let costs = |health: &FileSystemHealth| {
        health.findings_count > health.findings.len() as u64
            || health.findings.iter().any(|finding| finding.cost != Cost::Nothing)
    };
    let costs_something = report.file_systems.iter().any(costs);
    match hit.len() as u64 {
        0 if !costs_something && report.no_data_root.is_none() => {
            format!(
                "VERDICT: DAMAGED, but no file is known to be lost; {whole} with data here can be recovered."
            )
        }
        0 => format!(
            "VERDICT: DAMAGED, but no volume is known to be hit; {whole} with data here can be recovered."
        ),
        count => {
            let names: Vec<_> =
                hit.iter().take(LISTED).map(|volume| printable(volume.name.as_bytes())).collect();
            let more = if hit.len() > LISTED { ", ..." } else { "" };
            let verb = if count == 1 { "is" } else { "are" };
            format!(
                "VERDICT: DAMAGED. {} {verb} hit: {}{more}. {whole} with data here show no damage.\n\
                 `docker-rescue recover` brings back all that can be read, and says what it could not.",
                text::count(count, "volume"),
                names.join(", ")
            )
        }
    }
}
