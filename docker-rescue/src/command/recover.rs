//! `recover`: the main job, and what its user is told in the end.

use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::path::Path;

use docker_rescue::file_tree::{NotKept, printable};
use docker_rescue::recover::{Form, Outcome as VolumeOutcome, RecoverReport, Recovery, VolumeReport};

use super::args::{Form as FormArg, General, Recover};
use super::{Outcome, open};
use crate::exit::Exit;
use crate::interrupt;
use crate::output::progress::Progress;
use crate::output::{json, message, table, text};

pub(super) fn run(args: &Recover, general: &General) -> Outcome {
    let source = open(&args.source, general)?;
    let mut recovery = Recovery::plan(&source, &args.volumes)?;
    if let Some(jobs) = args.jobs {
        recovery = recovery.jobs(jobs.into());
    }
    let form = match args.form {
        FormArg::Dir => Form::Directory,
        FormArg::Tar => Form::Tar,
    };
    let progress = if general.quiet || !stderr().is_terminal() {
        Progress::new(0, true)
    } else {
        Progress::new(Progress::new(0, true).watch(|control| recovery.measure(control)), false)
    };
    let begin = |volume: &str| progress.say(printable(volume.as_bytes()));
    let report = progress.watch(|control| recovery.run(&args.output, form, begin, control))?;
    drop(progress);

    if general.json {
        json::print(&report)?;
    } else {
        summarize(&report, &args.output)?;
    }
    Ok(match () {
        () if interrupt::happened() => {
            message::warning("interrupted: the report says what was written until then");
            Exit::Interrupted
        }
        () if report.stopped.is_some() => {
            let reason = report.stopped.clone().unwrap_or_default();
            message::error(&io::Error::other(format!("the work ended early: {reason}")));
            message::hint("make room or choose another disk, and run the command again into a new directory");
            Exit::Failed
        }
        () if report.is_complete => Exit::Done,
        () => Exit::Incomplete,
    })
}

fn summarize(report: &RecoverReport, output: &Path) -> io::Result<()> {
    let mut out = stdout().lock();
    if report.volumes().next().is_none() {
        writeln!(out, "there are no volumes on this disk")?;
        return Ok(());
    }
    drop(out);
    table::print(
        ["VOLUME", "RESULT", "FILES", "SIZE", "WRITTEN TO"],
        &[2, 3],
        report.volumes().map(|volume| row(volume, output)),
    )?;
    out = stdout().lock();
    writeln!(out)?;
    writeln!(out, "{}", totals(report, output))?;
    losses(&mut out, report, output)?;
    not_kept(&mut out, report, output)?;
    restore(&mut out, report, output)
}

fn row(volume: &VolumeReport, output: &Path) -> [String; 5] {
    let result = match volume.outcome {
        VolumeOutcome::Recovered => "recovered",
        VolumeOutcome::Damaged => "DAMAGED",
        VolumeOutcome::Elsewhere => "elsewhere",
        VolumeOutcome::Missing => "MISSING",
        VolumeOutcome::Failed => "FAILED",
        VolumeOutcome::Partial => "PARTIAL",
        _ => "not reached",
    };
    let counts = volume.files.as_ref().map(|report| report.written);
    let files = counts
        .map(|counts| text::thousands(counts.files + counts.symlinks + counts.hard_links + counts.special));
    let size = counts.map(|counts| text::size(counts.bytes));
    let remark = match (&volume.written_to, &volume.reason) {
        (Some(file), _) => output.join(file).display().to_string(),
        (None, Some(reason)) if volume.outcome == VolumeOutcome::Elsewhere => {
            format!("(not on this disk: {reason})")
        }
        (None, Some(reason)) => format!("({reason})"),
        (None, None) => String::new(),
    };
    let cells = [&volume.name, result, &files.unwrap_or_default(), &size.unwrap_or_default(), &remark];
    cells.map(|cell| printable(cell.as_bytes()))
}

fn totals(report: &RecoverReport, output: &Path) -> String {
    let count = |outcome| report.volumes().filter(|volume| volume.outcome == outcome).count() as u64;
    let recovered = count(VolumeOutcome::Recovered);
    let written = report.volumes().filter_map(|volume| volume.files.as_ref());
    let bytes = written.map(|files| files.written.data_bytes).sum();
    let elsewhere = match count(VolumeOutcome::Elsewhere) {
        0 => String::new(),
        number => format!(", {} had no data on this disk", text::thousands(number)),
    };
    format!(
        "{} of {} recovered completely{elsewhere}; {} of data in {}",
        text::thousands(recovered),
        text::count(report.volumes().count() as u64, "volume"),
        text::size(bytes),
        output.display()
    )
}

/// How many losses are shown; the report has all.
const LISTED: usize = 10;

fn losses(out: &mut impl Write, report: &RecoverReport, output: &Path) -> io::Result<()> {
    let mut lines = Vec::new();
    let mut total = 0;
    for warning in &report.warnings {
        writeln!(out, "\nWARNING: {}.", printable(warning.as_bytes()))?;
    }
    for root in &report.data_roots {
        total += root.findings.len() as u64;
        lines.extend(
            root.findings
                .iter()
                .map(|finding| format!("{}: {} ({})", finding.path, finding.problem, finding.cost)),
        );
    }
    for volume in report.volumes() {
        let Some(files) = &volume.files else { continue };
        total += files.failed_count + files.damaged_count;
        let failed =
            files.failed.iter().map(|failure| format!("{}: {}", text::path(&failure.path), failure.reason));
        let damaged = files.damaged.iter().map(text::damage);
        lines.extend(failed.chain(damaged).take(LISTED).map(|line| format!("{}: {line}", volume.name)));
    }
    if total == 0 {
        return Ok(());
    }
    writeln!(out, "\nWhat could not be read:")?;
    for line in lines.iter().take(LISTED) {
        writeln!(out, "  {}", printable(line.as_bytes()))?;
    }
    if total > LISTED as u64 {
        writeln!(out, "  and {} more", text::thousands(total - LISTED as u64))?;
    }
    writeln!(out, "{} lists all of it.", output.join("report.json").display())
}

fn not_kept(out: &mut impl Write, report: &RecoverReport, output: &Path) -> io::Result<()> {
    let mut lost = NotKept::default();
    for files in report.volumes().filter_map(|volume| volume.files.as_ref()) {
        lost += files.not_kept;
    }
    let Some(line) = text::not_kept(&lost) else { return Ok(()) };
    writeln!(
        out,
        "\n{line}. Nothing of it is lost: {} records it.",
        output.join("volumes/*.not-kept.jsonl").display()
    )?;
    if report.form == Form::Directory {
        writeln!(
            out,
            "To have all of it in the files themselves, except sockets, use --as tar: that needs no root."
        )?;
    }
    Ok(())
}

fn restore(out: &mut impl Write, report: &RecoverReport, output: &Path) -> io::Result<()> {
    let size = |volume: &&VolumeReport| volume.files.as_ref().map(|files| files.written.data_bytes);
    let restorable = report.volumes().filter(|volume| !volume.restore.is_empty());
    let Some(example) = restorable.max_by_key(size) else { return Ok(()) };
    writeln!(
        out,
        "\nTo put a volume back into a Docker that works, for example {}:",
        printable(example.name.as_bytes())
    )?;
    writeln!(out, "  cd {}", output.display())?;
    for command in &example.restore {
        writeln!(out, "  {}", printable(command.as_bytes()))?;
    }
    writeln!(out, "{} has these commands for every volume.", output.join("report.json").display())
}
