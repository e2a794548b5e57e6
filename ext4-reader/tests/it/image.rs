//! Images that mke2fs makes and the kernel fills.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use ext4_reader::{Checksums, Ext4, OpenOptions};
use tempfile::TempDir;

use crate::support::{LoopMount, run, testdata};

/// A disk image in a folder of its own.
pub(crate) struct Image {
    folder: TempDir,
}

impl Image {
    /// Makes a file system on a disk of 64 MiB.
    pub(crate) fn new(mke2fs: &str) -> Self {
        Self::with_size(mke2fs, 64)
    }

    /// Makes a file system on a used disk: what mke2fs and the kernel do not write holds the bytes of others, which
    /// no file may show.
    pub(crate) fn with_size(mke2fs: &str, mebibytes: usize) -> Self {
        let image = Self { folder: tempfile::tempdir().expect("temporary folder") };
        let mut file = File::create(image.path()).expect("image");
        let stale = b"somebody else's".iter().copied().cycle().take(1 << 20).collect::<Vec<_>>();
        for _ in 0..mebibytes {
            file.write_all(&stale).expect("image");
        }
        let mut arguments: Vec<_> = mke2fs.split_whitespace().collect();
        let extended =
            arguments.iter().position(|&argument| argument == "-E").map(|at| arguments.remove(at + 1));
        arguments.retain(|&argument| argument != "-E");
        let extended = ["nodiscard"].into_iter().chain(extended).collect::<Vec<_>>().join(",");
        let path = image.path();
        let path = path.to_str().expect("UTF-8");
        run("mke2fs", ["-q", "-F", "-E", &extended].into_iter().chain(arguments).chain([path]));
        image
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("disk.img")
    }

    pub(crate) fn mount(&self, options: &str) -> LoopMount {
        LoopMount::new(&self.path(), options)
    }

    /// Fills the image with about `count` files of every kind.
    pub(crate) fn populate(&self, count: usize) {
        // The kernel would zero the inode tables in the background, as it does on a disk in use for long.
        // Nobody pulls the plug here, so that fsync(2) need not wait for the disk below.
        let mount = self.mount("rw,noinit_itable,nobarrier");
        let script = testdata().join("populate.py");
        run("python3", [script.as_os_str(), mount.path().as_os_str(), count.to_string().as_ref()]);
    }

    /// What the kernel shows, in the lines of `manifest.py`.
    pub(crate) fn kernel_manifest(&self) -> Vec<String> {
        kernel_manifest(self.mount("ro").path())
    }

    pub(crate) fn tune2fs(&self, arguments: &str) {
        let path = self.path();
        run("tune2fs", arguments.split_whitespace().map(AsRef::as_ref).chain([path.as_os_str()]));
    }

    /// What `debugfs` answers to one request; writes to the image where the request does.
    pub(crate) fn debugfs(&self, request: &str) -> String {
        let path = self.path();
        let output = run("debugfs", ["-w".as_ref(), "-R".as_ref(), request.as_ref(), path.as_os_str()]);
        String::from_utf8_lossy(&output).into_owned()
    }

    /// Puts a file into the root without the kernel's help.
    pub(crate) fn add_file(&self, name: &str, content: &str) {
        let outside = self.folder.path().join("content");
        std::fs::write(&outside, content).expect("file");
        self.debugfs(&format!("write \"{}\" {name}", outside.display()));
    }

    /// Opens it so that a checksum which is not as the kernel and mke2fs compute it is an error.
    pub(crate) fn open(&self) -> Ext4<File> {
        self.open_with(&OpenOptions::new().checksums(Checksums::Verify)).expect("a file system")
    }

    pub(crate) fn open_with(&self, options: &OpenOptions) -> ext4_reader::Result<Ext4<File>> {
        options.open(File::open(self.path()).expect("image"))
    }
}

/// What the kernel shows of a folder, in the lines of `manifest.py`.
pub(crate) fn kernel_manifest(folder: &Path) -> Vec<String> {
    let lines = run("python3", [testdata().join("manifest.py").as_os_str(), folder.as_os_str()]);
    String::from_utf8(lines).expect("ASCII").lines().map(str::to_owned).collect()
}
