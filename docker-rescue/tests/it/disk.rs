//! Disks out of images of every format. The truth is what qemu-img makes of the same image.

mod chain;
mod exercise;
mod formats;
mod hostile;
mod partitions;
mod refused;
mod vhdx;
mod vhdx_log;
mod vmdk;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use docker_rescue::disk::{Disk, Error, Level, Note};
use qcow2_reader::ReadAt;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{Numbers, run};

const MIB: u64 = 1 << 20;

/// A folder for the images of one test.
struct Lab {
    folder: TempDir,
}

impl Lab {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A raw disk with data that does not compress, data that does, and holes.
    fn raw(&self, name: &str, size: u64) -> PathBuf {
        let path = self.path(name);
        let mut file = File::create(&path).expect("created");
        file.set_len(size).expect("sized");
        let mut numbers = Numbers::new(size);
        for _ in 0..12 {
            let len = 1 + below(&mut numbers, usize::try_from(size / 2).expect("fits").min(200_000));
            let at = numbers.below(size - len as u64);
            let bytes = if numbers.below(3) == 0 {
                b"compressible ".iter().copied().cycle().take(len).collect()
            } else {
                numbers.bytes(len)
            };
            file.seek(SeekFrom::Start(at)).expect("sought");
            file.write_all(&bytes).expect("written");
        }
        path
    }

    /// Makes `name` out of a raw disk by `qemu-img convert -O FORMAT -o OPTIONS`.
    fn convert(&self, raw: &Path, format: &str, options: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        let mut args = vec!["convert", "-f", "raw", "-O", format];
        if !options.is_empty() {
            args.extend(["-o", options]);
        }
        run("qemu-img", args.into_iter().map(AsRef::as_ref).chain([raw.as_os_str(), path.as_os_str()]));
        path
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("written");
        path
    }
}

/// What qemu-img reads of an image.
fn qemu_view(image: &Path) -> Vec<u8> {
    let raw = image.with_extension("qemu-view");
    run("qemu-img", ["convert".as_ref(), "-O".as_ref(), "raw".as_ref(), image.as_os_str(), raw.as_os_str()]);
    let bytes = std::fs::read(&raw).expect("read");
    std::fs::remove_file(raw).expect("removed");
    bytes
}

fn open(image: &Path) -> Disk {
    Disk::open(image).unwrap_or_else(|error| panic!("{}: {}", image.display(), explain(&error)))
}

fn read(disk: &Disk, offset: u64, len: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0xa5; len];
    disk.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

fn read_all(disk: &Disk) -> Vec<u8> {
    read(disk, 0, usize::try_from(disk.size_bytes()).expect("fits")).expect("readable")
}

/// The disk holds `truth`: read in one, in pieces that cross every border, and at random.
fn assert_holds(disk: &Disk, truth: &[u8]) {
    assert_eq!(disk.size_bytes(), truth.len() as u64, "{disk:?}");
    assert_eq!(Sha256::digest(read_all(disk)), Sha256::digest(truth), "{disk:?} as a whole");
    for (index, expected) in truth.chunks(70_001).enumerate() {
        let offset = index * 70_001;
        assert!(
            read(disk, offset as u64, expected.len()).expect("readable") == expected,
            "{disk:?} at {offset}"
        );
    }
    let mut numbers = Numbers::new(7);
    for _ in 0..200 {
        let offset = below(&mut numbers, truth.len());
        let len = below(&mut numbers, 9000).min(truth.len() - offset);
        let bytes = read(disk, offset as u64, len).expect("readable");
        assert!(bytes == truth[offset..offset + len], "{disk:?}: {len} bytes at {offset}");
    }
}

/// An error with the errors below it, as the command prints it.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        text = format!("{text}: {error}");
        below = error.source();
    }
    text
}

fn open_error(image: &Path) -> String {
    match Disk::open(image) {
        Ok(disk) => panic!("{disk:?} should not open"),
        Err(error) => explain(&error),
    }
}

/// What a read that fails says.
fn read_error(disk: &Disk, offset: u64, len: usize) -> String {
    let error = read(disk, offset, len).expect_err("should not be readable");
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    explain(inner.expect("holds an error of this crate"))
}

fn warnings(notes: &[Note]) -> Vec<&str> {
    notes.iter().filter(|note| note.level == Level::Warning).map(|note| note.message.as_str()).collect()
}

/// A number below a bound that is an index.
fn below(numbers: &mut Numbers, bound: usize) -> usize {
    usize::try_from(numbers.below(bound as u64)).expect("fits")
}

/// Writes into an existing file.
pub(crate) fn patch(path: &Path, offset: u64, bytes: &[u8]) {
    let mut file = File::options().write(true).open(path).expect("opened");
    file.seek(SeekFrom::Start(offset)).expect("sought");
    file.write_all(bytes).expect("written");
}

/// A block device that is a file; gone on drop.
pub(crate) struct LoopDevice(pub(crate) String);

impl LoopDevice {
    pub(crate) fn new(file: &Path, options: &[&str]) -> Self {
        let args = ["--find", "--show"].iter().chain(options).map(std::ffi::OsStr::new);
        let device = String::from_utf8(run("losetup", args.chain([file.as_os_str()]))).expect("a name");
        Self(device.trim().to_owned())
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        run("losetup", ["--detach", &self.0]);
    }
}

fn truncate(path: &Path, len: u64) {
    File::options().write(true).open(path).expect("opened").set_len(len).expect("cut");
}
