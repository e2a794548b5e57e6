//! The directory with every kind of file, and what the kernel and other tools say of directories.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;

use crate::support::{run, testdata};

/// A directory with every kind of file, shared by all tests of a run and changed by none.
pub(crate) struct Rich {
    folder: tempfile::TempDir,
    pub(crate) manifest: String,
}

impl Rich {
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("rich")
    }
}

/// The directory, made for the first test that needs it and removed after the last that does.
pub(crate) fn rich() -> Arc<Rich> {
    static SHARED: Mutex<Weak<Rich>> = Mutex::new(Weak::new());

    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let folder = scratch();
        let path = folder.path().join("rich");
        make(&path);
        let rich = Arc::new(Rich { manifest: manifest(&path), folder });
        *shared = Arc::downgrade(&rich);
        rich
    })
}

/// A folder for one test, removed with all in it at its end.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("file-tree-").tempdir().expect("scratch folder")
}

fn make(path: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/rich_tree.py");
    run("python3", [script.as_os_str(), path.as_os_str()]);
}

/// What the kernel shows of a directory, one line for each file.
pub(crate) fn manifest(path: &Path) -> String {
    let script = testdata().join("manifest.py");
    String::from_utf8(run("python3", [script.as_os_str(), path.as_os_str()])).expect("JSON Lines")
}

/// The lines of a manifest but for sockets, which archives cannot hold.
pub(crate) fn without_sockets(manifest: &str) -> String {
    manifest.split_inclusive('\n').filter(|line| !line.contains(r#""kind":"socket""#)).collect()
}

/// Fails with the lines that differ.
pub(crate) fn assert_same(found: &str, expected: &str) {
    let missing: Vec<_> = expected.lines().filter(|line| !found.contains(line)).collect();
    let unexpected: Vec<_> = found.lines().filter(|line| !expected.contains(line)).collect();
    assert!(found == expected, "missing: {missing:#?}\nunexpected: {unexpected:#?}");
}

/// Fails unless what differs between a copy and its original is just what the sidecar says.
pub(crate) fn assert_accounted_for(copy: &Path, sidecar: &Path, original: &str) {
    let kept: BTreeMap<_, _> = objects(&manifest(copy))
        .into_values()
        .map(|entry| (decoded(entry["path"].as_str().expect("text")), entry))
        .collect();
    let sidecar = objects(&std::fs::read_to_string(sidecar).expect("sidecar"));
    for line in original.lines() {
        let original: Value = serde_json::from_str(line).expect("json");
        let path = decoded(original["path"].as_str().expect("text"));
        let own = sidecar.get(&path).unwrap_or(&Value::Null);
        // Of a file with several names the first speaks for all.
        let first = original["link"].as_str().map_or_else(|| path.clone(), decoded);
        let lost = sidecar.get(&first).unwrap_or(&Value::Null);
        let says = |lost: &Value, what: &str| {
            lost["not_kept"].as_array().is_some_and(|list| list.contains(&what.into()))
        };
        if !lost.is_null() {
            assert_eq!(
                [&lost["uid"], &lost["gid"], &lost["mode"]],
                [&original["uid"], &original["gid"], &original["mode"]]
            );
        }
        let stored = own["stored_as"].as_str().map_or(path, |name| name.as_bytes().to_vec());
        // Where case does not count, some show all names in lower case.
        let Some(found) = kept.get(&stored).or_else(|| kept.get(&stored.to_ascii_lowercase())) else {
            assert!(says(own, "kind"), "{line}\n{own}");
            continue;
        };
        let same = |field: &str| found[field] == original[field];
        assert_eq!(says(lost, "owner"), !(same("uid") && same("gid")), "{line}\n{found}");
        assert_eq!(says(lost, "mode"), original["kind"] != "symlink" && !same("mode"), "{line}\n{found}");
        assert_eq!(says(lost, "times"), !same("mtime_ns"), "{line}\n{found}");
        assert!(same("kind") && same("size") && same("sha256") && same("target"), "{line}\n{found}");
        let file = copy.join(OsStr::from_bytes(&stored));
        for (name, value) in original["xattrs"].as_object().into_iter().flatten() {
            let name = decoded(name);
            let mut held = vec![0; 65_536];
            let len = rustix::fs::lgetxattr(&file, name.as_slice(), held.as_mut_slice()).ok();
            let is_held = len.is_some_and(|len| *value == HEXLOWER.encode(&held[..len]));
            let is_recorded = lost["xattrs"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|xattr| xattr["name"].as_str().is_some_and(|recorded| recorded.as_bytes() == name));
            assert!(is_held != is_recorded, "{}: {line}\n{found}", name.escape_ascii());
        }
    }
}

/// The objects of a manifest, ours or the kernel's, by the bytes of their paths.
fn objects(lines: &str) -> BTreeMap<Vec<u8>, Value> {
    let path = |entry: &Value| match entry["path_base64"].as_str() {
        Some(base64) => BASE64.decode(base64.as_bytes()).expect("base64"),
        None => entry["path"].as_str().expect("text").as_bytes().to_vec(),
    };
    let entries = lines.lines().map(|line| serde_json::from_str(line).expect("json"));
    entries.map(|entry: Value| (path(&entry), entry)).collect()
}

/// A path of the kernel's manifest, percent-encoded, as it stands in ours.
fn decoded(path: &str) -> Vec<u8> {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("hexadecimal"));
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    if bytes == b"." { Vec::new() } else { bytes }
}

/// Where the kernel says the data of a file lies.
pub(crate) fn data_layout(path: &Path) -> Vec<(u64, u64)> {
    let script = r"
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
at, size = 0, os.fstat(fd).st_size
while at < size:
    try:
        start = os.lseek(fd, at, os.SEEK_DATA)
    except OSError:
        break
    at = os.lseek(fd, start, os.SEEK_HOLE)
    print(start, at)
";
    let out = run("python3", ["-c".as_ref(), script.as_ref(), path.as_os_str()]);
    let text = String::from_utf8(out).expect("numbers");
    let mut numbers = text.split_whitespace().map(|number| number.parse().expect("a number"));
    std::iter::from_fn(|| Some((numbers.next()?, numbers.next()?))).collect()
}

/// The sparse files of the rich directory.
pub(crate) const SPARSE: [&str; 5] =
    ["sparse", "only a hole", "hole at the end", "hole at the start", "many holes"];

/// Fails unless the copies of the sparse files have their holes where the originals have.
pub(crate) fn assert_same_holes(copy: &Path, original: &Path) {
    for name in SPARSE {
        assert_eq!(data_layout(&copy.join(name)), data_layout(&original.join(name)), "{name}");
    }
}

/// A directory outside the destination that nothing may touch: a file with known content, mode and time.
pub(crate) struct Canary {
    folder: PathBuf,
    before: String,
}

impl Canary {
    pub(crate) fn new(folder: PathBuf) -> Self {
        std::fs::create_dir(&folder).expect("canary");
        std::fs::write(folder.join("file"), "alive").expect("canary file");
        let file = std::fs::File::options().write(true).open(folder.join("file")).expect("canary file");
        file.write_all_at(b"ALIVE", 0).expect("canary file");
        let before = Self::state(&folder);
        Self { folder, before }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn assert_untouched(&self) {
        assert_eq!(Self::state(&self.folder), self.before, "something outside the destination was touched");
    }

    fn state(folder: &Path) -> String {
        let changed = |path: &Path| {
            let found = path.symlink_metadata().expect("canary");
            format!("{} {} {}", found.ctime(), found.ctime_nsec(), found.nlink())
        };
        format!("{}{}{}", manifest(folder), changed(folder), changed(&folder.join("file")))
    }
}

/// Runs a test of this binary again as an ordinary user; it fails if that does.
pub(crate) fn rerun_as_ordinary_user(test: &str, scratch: &Path) {
    let program = scratch.join("test-binary");
    std::fs::copy(std::env::current_exe().expect("own path"), &program).expect("copied");
    run("chmod", ["755".as_ref(), program.as_os_str()]);
    let out = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("SCRATCH", scratch)
        .output()
        .expect("setpriv runs");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(
        out.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&out.stderr)
    );
}
