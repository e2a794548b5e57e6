//! The file systems that are read: made by mke2fs and filled through the kernel.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::numbers::Numbers;

pub(crate) const BIG_DIRECTORY_NAMES: u64 = 100_000;
pub(crate) const LARGE_BYTES: u64 = 200 << 20;
/// Every block is an extent of its own.
pub(crate) const FRAGMENTED_BLOCKS: u64 = 120_000;
const BLOCK: u64 = 4096;

pub(crate) struct Images {
    folder: tempfile::TempDir,
}

impl Images {
    /// `None` where that is not possible: it takes root, mke2fs and loop devices.
    pub(crate) fn make() -> Option<Self> {
        let images = Self { folder: tempfile::tempdir().ok()? };
        images.fill("ext4", "4G", |root| {
            many_files(&root.join("files"), 500, 120);
            let big = root.join("big");
            fs::create_dir(&big).expect("folder");
            let mut numbers = Numbers(3);
            for number in 0..BIG_DIRECTORY_NAMES {
                let name = format!("{:08x}-{number}", numbers.next() & 0xffff_ffff);
                File::create(big.join(name)).expect("file");
            }
            write_large(&root.join("large"));
            fs::create_dir(root.join("sparse")).expect("folder");
            (0..4).for_each(|number| write_sparse(&root.join(format!("sparse/{number}"))));
            write_fragmented(&root.join("fragmented"));
        })?;
        images.fill("ext3", "1G", |root| {
            many_files(&root.join("files"), 100, 100);
            write_large(&root.join("large"));
        })?;
        Some(images)
    }

    pub(crate) fn path(&self, kind: &str) -> PathBuf {
        self.folder.path().join(kind)
    }

    fn fill(&self, kind: &str, size: &str, write: impl FnOnce(&Path)) -> Option<()> {
        let image = self.path(kind);
        run(Command::new("truncate").args(["-s", size]).arg(&image))?;
        run(Command::new(format!("mkfs.{kind}")).args(["-qF", "-b", "4096"]).arg(&image))?;
        let mount = Mount::new(&image, "loop")?;
        write(mount.path());
        Some(())
    }
}

/// A mount by the kernel, until dropped.
pub(crate) struct Mount(tempfile::TempDir);

impl Mount {
    pub(crate) fn new(image: &Path, options: &str) -> Option<Self> {
        let mount = Self(tempfile::tempdir().ok()?);
        run(Command::new("mount").args(["-o", options]).arg(image).arg(mount.path()))?;
        Some(mount)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run(Command::new("umount").arg(self.path()));
    }
}

fn run(command: &mut Command) -> Option<()> {
    command.stderr(Stdio::null()).status().ok()?.success().then_some(())
}

/// Directories within directories, with files of up to 12 KiB, some with an attribute.
fn many_files(root: &Path, directories: u64, files: u64) {
    let mut numbers = Numbers(1);
    for directory in 0..directories {
        let directory = root.join(format!("group-{}/folder-{directory}", directory % 20));
        fs::create_dir_all(&directory).expect("folder");
        for file in 0..files {
            let words = numbers.below(1536);
            let content: Vec<u8> = (0..words).flat_map(|_| numbers.next().to_le_bytes()).collect();
            fs::write(directory.join(format!("file-{file:04}.dat")), content).expect("file");
        }
    }
}

fn write_large(path: &Path) {
    let mut numbers = Numbers(2);
    let mut file = File::create(path).expect("file");
    for _ in 0..LARGE_BYTES >> 20 {
        let piece: Vec<u8> = (0..1 << 17).flat_map(|_| numbers.next().to_le_bytes()).collect();
        file.write_all(&piece).expect("write");
    }
}

/// 1 GiB with a block of data in every 16 MiB.
fn write_sparse(path: &Path) {
    let file = File::create(path).expect("file");
    file.set_len(1 << 30).expect("size");
    (0..64).for_each(|at| file.write_all_at(&[7; 4096], at << 24).expect("write"));
}

/// First every other block, then those between, so that no two neighbours lie side by side.
fn write_fragmented(path: &Path) {
    let file = File::create(path).expect("file");
    for half in 0..2 {
        for block in (half..FRAGMENTED_BLOCKS).step_by(2) {
            let content = block.to_le_bytes().repeat(512);
            file.write_all_at(&content, block * BLOCK).expect("write");
        }
        file.sync_all().expect("sync");
    }
}
