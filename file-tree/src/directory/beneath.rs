//! An open directory of the destination, beneath which entries are created. Nothing here follows a symbolic link,
//! opens a fifo or device, or overwrites: whatever a name leads to in the destination, it cannot lead outside.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};

use super::name_rules::NameRules;
use crate::host_tree::stat;
use crate::{BoxNode, Device, FileKind};

/// How paths of more than one component are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resolve {
    /// By the kernel: `openat2(2)` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`.
    #[cfg(target_os = "linux")]
    AtOnce,
    /// One component after the other, each with `O_NOFOLLOW`.
    ByComponent,
}

#[derive(Debug, Clone)]
pub(super) struct Folder {
    handle: Arc<OwnedFd>,
    resolve: Resolve,
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens the directory the caller named; its own path may lead through symbolic links.
    pub(super) fn open_root(path: &Path, component_walk: bool) -> io::Result<Self> {
        let handle = rustix::fs::openat(CWD, path, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty())?;
        let resolve = if component_walk { Resolve::ByComponent } else { best_resolve(&handle) };
        Ok(Self { handle: Arc::new(handle), resolve })
    }

    /// Opens the directory at a path of one or more safe components.
    pub(super) fn open_folder(&self, path: &[u8]) -> io::Result<Self> {
        let mut folder = self.clone();
        let mut rest = path;
        while !rest.is_empty() {
            let (step, behind) = self.split_step(rest);
            folder.handle = Arc::new(folder.open_step(step)?);
            rest = behind;
        }
        Ok(folder)
    }

    /// What of a path is resolved in one step, and what remains.
    fn split_step<'p>(&self, path: &'p [u8]) -> (&'p [u8], &'p [u8]) {
        /// `PATH_MAX` is 4096 with the terminating NUL.
        #[cfg(target_os = "linux")]
        const MAX_STEP_BYTES: usize = 4095;

        let is_slash = |&byte: &u8| byte == b'/';
        let end = match self.resolve {
            #[cfg(target_os = "linux")]
            Resolve::AtOnce if path.len() <= MAX_STEP_BYTES => None,
            #[cfg(target_os = "linux")]
            Resolve::AtOnce => path.get(..MAX_STEP_BYTES).and_then(|start| start.iter().rposition(is_slash)),
            Resolve::ByComponent => path.iter().position(is_slash),
        };
        match end.and_then(|end| path.split_at_checked(end)) {
            Some((step, behind)) => (step, behind.get(1..).unwrap_or_default()),
            None => (path, &[]),
        }
    }

    fn open_step(&self, path: &[u8]) -> io::Result<OwnedFd> {
        match self.resolve {
            #[cfg(target_os = "linux")]
            Resolve::AtOnce => Ok(open_at_once(&self.handle, path)?),
            Resolve::ByComponent => Ok(rustix::fs::openat(&self.handle, path, DIRECTORY, Mode::empty())?),
        }
    }

    #[cfg_attr(not(target_os = "linux"), expect(clippy::unused_self, reason = "asked for on Linux"))]
    pub(super) fn name_rules(&self) -> NameRules {
        #[cfg(target_os = "linux")]
        if let Ok(found) = rustix::fs::fstatfs(&self.handle) {
            return NameRules::of_linux_file_system(stat::convert(found.f_type));
        }
        NameRules::Unix
    }

    pub(super) fn names(&self) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
        let entries = Dir::read_from(&self.handle)?;
        Ok(entries.filter_map(|entry| match entry {
            Ok(entry) => {
                let name = entry.file_name().to_bytes();
                (!matches!(name, b"." | b"..")).then(|| Ok(name.to_vec()))
            }
            Err(error) => Some(Err(error.into())),
        }))
    }

    pub(super) fn create_folder(&self, name: &[u8], mode: u32) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.handle, name, raw_mode(mode))?)
    }

    pub(super) fn create_file(&self, name: &[u8]) -> io::Result<File> {
        let flags = OFlags::WRONLY
            .union(OFlags::CREATE)
            .union(OFlags::EXCL)
            .union(OFlags::NOFOLLOW)
            .union(OFlags::CLOEXEC);
        Ok(File::from(rustix::fs::openat(&self.handle, name, flags, raw_mode(0o600))?))
    }

    pub(super) fn create_symlink(&self, name: &[u8], target: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(target, &self.handle, name)?)
    }

    /// Creates a fifo, socket or device that only its owner may use so far.
    pub(super) fn create_special(&self, name: &[u8], kind: FileKind, rdev: Device) -> io::Result<()> {
        let file_type = match kind {
            FileKind::Fifo => FileType::Fifo,
            FileKind::Socket => FileType::Socket,
            FileKind::CharDevice => FileType::CharacterDevice,
            FileKind::BlockDevice => FileType::BlockDevice,
            FileKind::Regular | FileKind::Directory | FileKind::Symlink => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
        };
        make_node(&self.handle, name, file_type, rdev)
    }

    pub(super) fn hard_link(&self, name: &[u8], folder: &Self, existing: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::linkat(&folder.handle, existing, &self.handle, name, AtFlags::empty())?)
    }

    /// An entry as it lies, for reading.
    pub(super) fn node(&self, name: &[u8]) -> crate::Result<BoxNode> {
        crate::host_tree::node_in(&self.handle, name)
    }

    pub(super) fn kind(&self, name: &[u8]) -> io::Result<FileKind> {
        Ok(stat::kind(&rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// Removes anything but a directory.
    pub(super) fn remove_file(&self, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, name, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    pub(super) fn remove_folder(&self, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, name, AtFlags::REMOVEDIR)?)
    }

    /// Waits until all of the file system is on the disk where the system can do that in one step (Linux), else
    /// until this directory is.
    pub(super) fn sync(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        return Ok(rustix::fs::syncfs(&self.handle)?);
        #[cfg(not(target_os = "linux"))]
        return Ok(rustix::fs::fsync(&self.handle)?);
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

#[cfg(target_os = "linux")]
fn best_resolve(root: &OwnedFd) -> Resolve {
    match open_at_once(root, b".") {
        Ok(_) => Resolve::AtOnce,
        // Linux before 5.6, or a sandbox that does not know the call.
        Err(_) => Resolve::ByComponent,
    }
}

#[cfg(not(target_os = "linux"))]
fn best_resolve(_: &OwnedFd) -> Resolve {
    Resolve::ByComponent
}

#[cfg(target_os = "linux")]
fn open_at_once(folder: &OwnedFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::{ResolveFlags, openat2};
    use rustix::io::Errno;

    /// The kernel gives up, rather than be fooled, when something is renamed meanwhile.
    const MAX_TRIES: usize = 16;

    let resolve = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);
    for _ in 1..MAX_TRIES {
        match openat2(folder, path, DIRECTORY, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
    openat2(folder, path, DIRECTORY, Mode::empty(), resolve)
}

#[cfg(not(target_vendor = "apple"))]
fn make_node(folder: &OwnedFd, name: &[u8], file_type: FileType, rdev: Device) -> io::Result<()> {
    // Linux cuts larger numbers off: another device would come into being.
    if rdev.major >= 1 << 12 || rdev.minor >= 1 << 20 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let number = rustix::fs::makedev(rdev.major, rdev.minor);
    Ok(rustix::fs::mknodat(folder, name, file_type, raw_mode(0o600), number)?)
}

/// Apple's systems have no `mknodat(2)`.
#[cfg(target_vendor = "apple")]
fn make_node(_: &OwnedFd, _: &[u8], _: FileType, _: Device) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn raw_mode(mode: u32) -> Mode {
    Mode::from_bits_truncate(stat::convert(mode))
}
