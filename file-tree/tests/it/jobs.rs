//! Several threads write what one would have written, and report it in the same order.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use file_tree::{Control, DirectoryOptions, Event, Report, write_directory};

use crate::memory_tree::{Memory, MemoryTree};
use crate::rich::scratch;

/// Files of many lengths, some damaged, in directories, with a link among them.
fn tree() -> MemoryTree {
    let folder = |folder: usize| {
        let entries: [(String, Memory); 40] = std::array::from_fn(|number| {
            let mut file = Memory::file(vec![7; number * 3000 + folder]);
            if number % 7 == 3 {
                let at = number as u64 * 1000;
                file.bad.push(at..at + 100);
            }
            let entry = if number % 9 == 8 { Memory::symlink("target") } else { file };
            (format!("entry-{number:02}"), entry)
        });
        Memory::directory(entries.each_ref().map(|(name, file)| (name.as_bytes(), file.clone())))
    };
    let folders: [(String, Memory); 10] =
        std::array::from_fn(|number| (format!("folder-{number}"), folder(number)));
    MemoryTree::new(Memory::directory(folders.each_ref().map(|(name, file)| (name.as_bytes(), file.clone()))))
}

fn copy(to: &Path, jobs: usize, control: &Control<'_>) -> Report {
    write_directory(&tree(), to, &DirectoryOptions::default().jobs(jobs), control).expect("reports")
}

fn contents(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("listed").map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    let files = |folder: &Path| {
        (0..40).filter_map(|n| fs::read(folder.join(format!("entry-{n:02}"))).ok()).collect::<Vec<_>>()
    };
    paths.iter().flat_map(|folder| files(folder)).collect()
}

#[test]
fn several_threads_write_and_report_what_one_does() {
    let scratch = scratch();
    let (one, four) = (scratch.path().join("one"), scratch.path().join("four"));
    let expected = copy(&one, 1, &Control::default());
    let report = copy(&four, 4, &Control::default());
    assert!(expected.damaged_count >= 50, "{expected:?}");
    assert_eq!(format!("{report:?}"), format!("{expected:?}"));
    assert!(contents(&four) == contents(&one));
}

#[test]
fn cancelling_several_threads_leaves_what_the_report_counts() {
    let scratch = scratch();
    let to = scratch.path().join("copy");
    let (cancel, bytes) = (AtomicBool::new(false), AtomicU64::new(0));
    let progress = |event: Event<'_>| {
        if let Event::Bytes(more) = event
            && bytes.fetch_add(more, Ordering::Relaxed) + more > 3 << 20
        {
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let report = copy(&to, 4, &Control { progress: Some(&progress), cancel: Some(&cancel) });
    assert!(report.cancelled);
    let written = contents(&to).len() as u64;
    assert!(written > 0 && written < 300, "{written}");
    assert_eq!(report.written.files, written);
}
