//! What the check finds in the damaged images of e2fsprogs' own tests, held against `e2fsck -fn`.
//!
//! As with the rest of them, `E2FSPROGS_TESTS` names their folder, and with `--nocapture` the figures are printed.
#![expect(clippy::print_stdout, reason = "the figures are what this is run for")]

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use ext4_reader::{OpenOptions, Tolerance};

use crate::check::check;
use crate::corpus::{images, unpack};
use crate::support::needs;

/// Images of which e2fsck mends nothing that a reader looks at, and what it does mend there.
const NOTHING_FOR_A_READER: [(&str, &str); 10] = [
    (
        "the list of bad sectors, and what it asks to be moved",
        "f_badbblocks f_badprimary f_badtable f_bb_in_bb f_bbfile f_bbinode f_invalid_bad_inode",
    ),
    (
        "where bitmaps lie, what they and counts say is free",
        "f_bitmaps f_end-bitmap f_jnl_32bit f_jnl_64bit f_miss_blk_bmap f_overfsblks f_readonly_fsck \
         f_summary_counts f_uninit_bad_free_inodes f_uninit_blk_used_not_set f_uninit_disable \
         f_uninit_set_inode_not_set j_recover_csum3_64bit",
    ),
    (
        "trees of extents that could be smaller, or have indexes that begin too early",
        "f_collapse_extent_tree f_compress_extent_tree_level f_extent_interior_start_lblk f_quota_extent_opt \
         r_move_inode_int_extent",
    ),
    ("counts of blocks, flags of special files", "f_clear_xattr f_filetype"),
    ("deleted files and orphans", "f_badorphan f_deleted_inode_bad_csum f_orphan f_orphquot"),
    ("files that were being cut short", "f_orphan_extents_inode f_orphan_indirect_inode"),
    ("quotas, protection against two writers", "f_quota f_quota_invalid_inum m_mmp_bad_csum m_mmp_bad_magic"),
    (
        "journals with nothing to be replayed",
        "d_corrupt_journal_nr_users f_bad_local_jnl f_badjour_indblks f_extra_journal f_jnl_errno",
    ),
    ("hints in the superblock", "f_first_meta_bg_too_big f_sb_extra_isize"),
    ("attributes whose values share bytes", "f_ea_value_crash"),
];

#[test]
fn what_e2fsck_finds_damaged_is_found_damaged() {
    let Some(tests) = std::env::var_os("E2FSPROGS_TESTS") else {
        println!("skipped: E2FSPROGS_TESTS names no folder");
        return;
    };
    needs!("e2fsck", "gzip", "bzip2");
    let (mut both, mut neither, mut only_ours, mut only_theirs) = (0, 0, Vec::new(), Vec::new());
    for (name, packed) in images(Path::new(&tests)) {
        let folder = tempfile::tempdir().expect("folder");
        let image = folder.path().join("disk.img");
        unpack(&packed, &image);
        let found = findings(&image);
        let complaints = complaints(&image);
        match (found.is_empty(), complaints.is_empty()) {
            (false, false) => both += 1,
            (true, true) => neither += 1,
            (false, true) => only_ours.push((name, found)),
            (true, false) => only_theirs.push((name, complaints)),
        }
    }
    println!("both find damage in {both} images, neither in {neither}");
    for (who, only) in [("the check", &only_ours), ("e2fsck", &only_theirs)] {
        println!("only {who} finds some in {}:", only.len());
        for (name, lines) in only {
            println!("  {name}: {}", lines.join("; "));
        }
    }
    let is_explained = |name: &str| {
        NOTHING_FOR_A_READER.iter().any(|(_, names)| names.split_whitespace().any(|known| known == name))
    };
    only_theirs.retain(|(name, _)| !is_explained(name));
    assert_eq!(only_theirs, [], "damage was missed");
}

fn findings(image: &Path) -> Vec<String> {
    let source = File::open(image).expect("image");
    match OpenOptions::new().tolerance(Tolerance::Recover).open(source) {
        Ok(fs) => check(&fs).findings.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    }
}

/// What `e2fsck -fn` would mend; where it does not replay the journal, what it would mend after that.
fn complaints(image: &Path) -> Vec<String> {
    let run = |options: &[&str]| {
        let mut command = Command::new("timeout");
        command.args(["20", "e2fsck"]).args(options).arg(image).stdin(Stdio::null());
        let output = command.output().expect("e2fsck");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let asks = |line: &&str| ["? no", "? yes", "IGNORED"].iter().any(|answer| line.contains(answer));
        let mut lines: Vec<_> = said.lines().filter(asks).take(10).map(str::to_owned).collect();
        if said.contains("trying backup blocks") || output.status.code().is_none_or(|code| code >= 4) {
            lines.push(output.status.to_string());
        }
        (lines, said)
    };
    let (lines, said) = run(&["-fn"]);
    if !said.contains("skipping journal recovery") {
        return lines;
    }
    let (journal, _) = run(&["-y", "-E", "journal_only"]);
    [journal, run(&["-fn"]).0].concat()
}
