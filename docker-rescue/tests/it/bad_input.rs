//! Each way in which a frightened user may be wrong gets one clear line, a hint and the exit code of the design.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::command::{Run, docker_disk, read_json, rescue, rescue_as_nobody};
use crate::support::{Numbers, needs, run, sh, testdata};

fn recover(source: &Path, target: &Path) -> Run {
    rescue(["recover".as_ref(), source.as_os_str(), "-o".as_ref(), target.as_os_str()])
}

/// A file with this content, and a place to recover to that must stay untouched.
struct Bad {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Bad {
    fn new(name: &str, content: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join(name);
        std::fs::write(&file, content).expect("writable");
        Self { folder, file }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("rescued")
    }

    fn is_refused(&self, words: &[&str]) {
        let before = std::fs::read(&self.file).expect("readable");
        recover(&self.file, &self.target()).says(1, words);
        assert!(!self.target().exists(), "nothing is written");
        assert_eq!(std::fs::read(&self.file).expect("readable"), before, "the source is unchanged");
    }
}

#[test]
fn what_is_no_disk_is_refused() {
    Bad::new("letter.txt", b"Dear Docker, where is my data?")
        .is_refused(&["no file system was found", "hint:"]);
    Bad::new("noise", &Numbers::new(1).bytes(1 << 20)).is_refused(&["no file system was found", "hint:"]);
    Bad::new("empty", b"").is_refused(&["is empty", "hint:"]);
    Bad::new("disk.raw.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03").is_refused(&["hint:"]);
}

#[test]
fn a_source_that_is_not_there_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    recover(&folder.path().join("Docker.raw"), &folder.path().join("rescued"))
        .says(1, &["Docker.raw", "No such file"]);
}

#[test]
fn a_truncated_image_gives_what_is_left_and_says_what_is_not() {
    let whole = std::fs::read(docker_disk()).expect("readable");
    let bad = Bad::new("Docker.qcow2", &whole[..whole.len() * 9 / 10]);
    let run = recover(&bad.file, &bad.target());
    assert!([1, 3].contains(&run.code), "{}", run.stderr);
    if run.code == 3 {
        let report = read_json(&bad.target().join("report.json"));
        assert_eq!(report["is_complete"], false);
    }
    // Cut to its tables nothing is left, and that is said with the place.
    Bad::new("Docker.qcow2", &whole[..4096]).is_refused(&["byte offset"]);
}

#[test]
fn every_truncation_of_the_disk_ends_in_order() {
    let whole = std::fs::read(docker_disk()).expect("readable");
    for tenths in 0..10 {
        let bad = Bad::new("Docker.qcow2", &whole[..whole.len() * tenths / 10 + 512]);
        let run = recover(&bad.file, &bad.target());
        assert!([1, 3].contains(&run.code), "{tenths}/10: {} {}", run.code, run.stderr);
        let partial =
            walk(&bad.target()).into_iter().find(|path| path.extension() == Some(OsStr::new("partial")));
        assert_eq!(partial, None, "what was finished has its name");
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .map(|entry| entry.expect("entry").path())
        .flat_map(|path| [vec![path.clone()], walk(&path)].concat())
        .collect()
}

#[test]
fn an_encrypted_image_is_refused_by_name() {
    needs!("qemu-img");
    let bad = Bad::new("luks.qcow2", b"");
    let options = "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10";
    let create = ["create", "-q", "-f", "qcow2", "--object", "secret,id=key,data=secret", "-o", options];
    run("qemu-img", create.iter().map(OsStr::new).chain([bad.file.as_os_str(), OsStr::new("1M")]));
    bad.is_refused(&["LUKS"]);
}

#[test]
fn file_systems_that_are_not_read_are_named() {
    needs!("mkfs.btrfs", "mkfs.xfs");
    for (make, name) in [("mkfs.btrfs -q", "btrfs"), ("mkfs.xfs -q", "XFS")] {
        let bad = Bad::new("disk.raw", b"");
        sh(&format!("truncate -s 400M \"$1\"; {make} \"$1\""), [&bad.file]);
        let target = bad.target();
        recover(&bad.file, &target).says(1, &[name, "not read here", "hint:"]);
        assert!(!target.exists());
    }
}

#[test]
fn a_file_system_without_a_data_root_is_told_from_one_with() {
    needs!("mkfs.ext4");
    let bad = Bad::new("disk.raw", b"");
    sh("truncate -s 8M \"$1\"; mkfs.ext4 -qF \"$1\"", [&bad.file]);
    bad.is_refused(&["no Docker data root was found", "hint:"]);
}

#[test]
fn an_unknown_volume_is_refused_and_the_nearest_are_suggested() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = folder.path().join("rescued");
    let disk = docker_disk();
    let args = ["recover".as_ref(), disk.as_os_str(), "-o".as_ref(), target.as_os_str(), "--volume".as_ref()];
    rescue(args.into_iter().chain([OsStr::new("shop-db-data")]))
        .says(1, &["there is no volume", "did you mean shop_db-data"]);
    assert!(!target.exists());
    rescue(["volume".as_ref(), "inspect".as_ref(), disk.as_os_str(), "nothing-like-it-at-all".as_ref()])
        .says(1, &["there is no volume", "volume ls"]);
}

#[test]
fn a_destination_that_is_not_empty_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("mine"), b"precious").expect("writable");
    recover(&docker_disk(), folder.path()).says(1, &["is not empty", "hint:"]);
    assert_eq!(walk(folder.path()), [folder.path().join("mine")]);
    recover(&docker_disk(), &folder.path().join("mine")).says(1, &["mine"]);
    assert_eq!(std::fs::read(folder.path().join("mine")).expect("readable"), b"precious");
}

#[test]
fn a_destination_inside_the_source_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    sh(
        "cd \"$1\"; mkdir -p docker/volumes/v/_data docker/containers docker/image/overlay2/layerdb",
        [folder.path()],
    );
    let root = folder.path().join("docker");
    for target in [root.join("rescued"), root.join("volumes/v/_data/deep/rescued")] {
        recover(&root, &target).says(1, &["inside the source", "hint:"]);
        assert!(!target.exists());
    }
}

#[test]
fn a_full_disk_ends_the_work_with_a_truthful_report() {
    needs!("root", "mount");
    let folder = tempfile::tempdir().expect("a temporary folder");
    sh("mount -t tmpfs -o size=600k,mode=777 none \"$1\"", [folder.path()]);
    let target = folder.path().join("rescued");
    let run = recover(&docker_disk(), &target);
    let written = walk(&target);
    let report = std::fs::read(target.join("report.json"));
    sh("umount \"$1\"", [folder.path()]);
    run.says(1, &["No space left", "hint:"]);
    assert!(
        written.iter().any(|path| path.extension() == Some(OsStr::new("partial"))),
        "what is not whole says so"
    );
    let report: serde_json::Value =
        serde_json::from_slice(&report.expect("the report is there")).expect("JSON");
    assert_eq!(report["is_complete"], false);
    let volumes = report["data_roots"][0]["volumes"].as_array().expect("a list");
    assert!(volumes.iter().any(|volume| volume["outcome"] == "partial"));
    assert!(volumes.iter().any(|volume| volume["outcome"] == "not_reached"));
}

#[test]
fn a_place_one_may_not_write_to_is_refused() {
    needs!("root", "setpriv");
    let folder = tempfile::tempdir().expect("a temporary folder");
    sh("chmod 755 \"$1\"", [folder.path()]);
    let target = folder.path().join("rescued");
    rescue_as_nobody(["recover".as_ref(), docker_disk().as_os_str(), "-o".as_ref(), target.as_os_str()])
        .says(1, &["cannot create", "ermission denied", "hint:"]);
}

#[test]
fn a_source_one_may_not_read_is_refused() {
    needs!("root", "setpriv");
    let bad = Bad::new("Docker.raw", b"secret");
    sh("chmod 755 \"$1\"; chmod 600 \"$2\"", [bad.folder.path(), &bad.file]);
    rescue_as_nobody(["info".as_ref(), bad.file.as_os_str()])
        .says(1, &["cannot open", "ermission denied", "hint:"]);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for args in
        [&["recover"][..], &["no-such-verb"], &["volume"], &["fs", "ls", "disk", "/", "--no-such-option"]]
    {
        assert_eq!(rescue(args).code, 2, "{args:?}");
    }
}

#[test]
fn a_journal_is_replayed_in_memory_and_gives_what_the_kernel_makes_of_it() {
    needs!("mkfs.ext4", "root", "loop", "python3");
    let bad = Bad::new("disk.raw", b"");
    cut_off(&bad.file);
    let before = std::fs::read(&bad.file).expect("readable");
    let run = recover(&bad.file, &bad.target());
    let run = run.says(0, &["note:", "journal was replayed in memory", "the disk is unchanged"]);
    assert!(!run.stderr.contains("warning:"), "{}", run.stderr);
    assert!(std::fs::read(&bad.file).expect("readable") == before, "the disk is as it was");
    assert_eq!(read_json(&bad.target().join("report.json"))["is_complete"], true);

    // The kernel's view of a copy, after its own replay.
    let truth = sh(
        "cp \"$1\" \"$1.copy\"; mount -o loop \"$1.copy\" \"$1.mnt\"; umount \"$1.mnt\"
         mount -o loop,ro \"$1.copy\" \"$1.mnt\"
         python3 \"$2\" \"$1.mnt/docker/volumes/static-site/_data\"; umount \"$1.mnt\"",
        [bad.file.as_os_str(), manifest_script().as_os_str()],
    );
    let ours = sh(
        "python3 \"$2\" \"$1\"",
        [bad.target().join("volumes/static-site").as_os_str(), manifest_script().as_os_str()],
    );
    assert!(truth.len() > 10_000, "the disk holds files");
    assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&truth));
}

#[test]
fn a_journal_that_cannot_be_replayed_is_said_loudly_and_is_no_full_success() {
    needs!("mkfs.ext4", "root", "loop", "python3", "debugfs");
    let bad = Bad::new("disk.raw", b"");
    cut_off(&bad.file);
    // Zeros in place of the journal's superblock.
    sh(
        "dd if=/dev/zero of=\"$1\" bs=4096 count=1 conv=notrunc status=none seek=\"$(debugfs -R 'bmap <8> 0' \"$1\")\"",
        [&bad.file],
    );
    recover(&bad.file, &bad.target()).says(3, &["warning:", "journal", "NOT applied"]);
    let report = read_json(&bad.target().join("report.json"));
    assert!(report["warnings"][0].as_str().is_some_and(|warning| warning.contains("journal")));
    assert_eq!(report["is_complete"], false);
    rescue(["volume".as_ref(), "ls".as_ref(), bad.file.as_os_str()]).says(3, &["NOT applied"]);
}

/// Makes a disk of which one volume was being worked on when the machine died.
fn cut_off(file: &Path) {
    sh(
        "truncate -s 64M \"$1\"; mkfs.ext4 -qF -b 4096 \"$1\"; mkdir \"$1.mnt\"; mount -o loop,nobarrier \"$1\" \"$1.mnt\"
         root=\"$1.mnt/docker\"; mkdir -p \"$root/containers\" \"$root/image/overlay2/layerdb\" \"$root/volumes\"
         cp -r \"$3/data-root/volumes/.\" \"$root/volumes\"
         for list in \"$3\"/volumes/*; do mkdir -p \"$root/volumes/$(basename \"$list\" .jsonl)/_data\"; done
         umount \"$1.mnt\"; mount -o loop,nobarrier \"$1\" \"$1.mnt\"
         python3 \"$2\" \"$root/volumes/static-site/_data\" 7 200; umount \"$1.mnt\"",
        [
            file.as_os_str(),
            testdata().join("crash_workload.py").as_os_str(),
            testdata().join("docker-disk.truth").as_os_str(),
        ],
    );
}

fn manifest_script() -> PathBuf {
    testdata().join("manifest.py")
}

#[test]
fn ctrl_c_leaves_a_truthful_report() {
    needs!("root", "mkfs.ext4", "loop", "python3");
    let bad = Bad::new("disk.raw", b"");
    sh(
        "truncate -s 1500M \"$1\"; mkfs.ext4 -qF \"$1\"; mkdir \"$1.mnt\"; mount -o loop \"$1\" \"$1.mnt\"
         mkdir -p \"$1.mnt/docker/containers\" \"$1.mnt/docker/image/overlay2/layerdb\"
         for v in a b c; do
             mkdir -p \"$1.mnt/docker/volumes/$v/_data\"
             head -c 400M /dev/urandom > \"$1.mnt/docker/volumes/$v/_data/large\"
         done; umount \"$1.mnt\"",
        [&bad.file],
    );
    let target = bad.target();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_docker-rescue"))
        .args(["recover".as_ref(), bad.file.as_os_str(), "-o".as_ref(), target.as_os_str()])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("docker-rescue runs");
    while File::open(target.join("volumes/a.partial/large")).is_err() {
        assert!(child.try_wait().expect("a child").is_none(), "it is not over before it began");
        std::thread::yield_now();
    }
    sh("kill -INT \"$1\"", [child.id().to_string()]);
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    let report = read_json(&target.join("report.json"));
    let outcomes: Vec<_> = report["data_roots"][0]["volumes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|volume| volume["outcome"].as_str().expect("text"))
        .collect();
    assert_eq!(report["stopped"], "interrupted");
    assert!(outcomes.contains(&"partial") && outcomes.contains(&"not_reached"), "{outcomes:?}");
    assert!(!target.join("volumes/a").exists(), "what is not whole has not its name");
}

#[test]
fn damage_that_shows_only_while_a_file_is_copied_is_in_the_report() {
    const PARTITION: u64 = 9_437_184;
    needs!("qemu-img", "debugfs");
    let bad = Bad::new("disk.raw", b"");
    let located = sh(
        "qemu-img convert -O raw \"$1\" \"$2\"
         debugfs -R 'imap /lib/docker/volumes/every-kind/_data/one-block' \"$2?offset=$3\"",
        [docker_disk().as_os_str(), bad.file.as_os_str(), PARTITION.to_string().as_ref()],
    );
    // "... located at block 36, offset 0x0f00"
    let located = String::from_utf8(located).expect("text");
    let behind =
        |mark: &str| located.split(mark).nth(1).expect("a place").trim().split(',').next().expect("a number");
    let block: u64 = behind("at block").parse().expect("a number");
    let offset = u64::from_str_radix(behind("offset 0x"), 16).expect("a number");
    let block_size = 4096;
    let generation = PARTITION + block * block_size + offset + 0x64;
    let mut disk = std::fs::read(&bad.file).expect("readable");
    disk[usize::try_from(generation).expect("small")] ^= 1;
    std::fs::write(&bad.file, disk).expect("writable");

    let run = recover(&bad.file, &bad.target()).says(3, &[]);
    assert!(run.text().contains("checksum is wrong"), "{}", run.text());
    let report = read_json(&bad.target().join("report.json"));
    assert_eq!(report["is_complete"], false);
    assert!(report["warnings"][0].as_str().is_some_and(|warning| warning.contains("checksum is wrong")));
    assert!(bad.target().join("volumes/every-kind/one-block").exists(), "it is recovered all the same");
}
