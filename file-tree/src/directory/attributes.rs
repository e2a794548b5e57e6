//! Gives a file its owner, mode, extended attributes and times, through its handle.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, Gid, Mode, Stat, Timespec, Timestamps, Uid};

use super::beneath::{Folder, raw_mode};
use crate::host_tree::stat::{self, convert};
use crate::sidecar::Lost;
use crate::{Attributes, FileKind, Metadata, Timestamp, Xattr};

/// Who we are, and so what is worth trying.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rights {
    privileged: bool,
}

impl Rights {
    pub(super) fn of_this_process() -> Self {
        Self { privileged: rustix::process::geteuid().is_root() }
    }

    /// Whether we can still work inside a directory that has this mode and is ours.
    pub(super) fn can_use_directory(self, mode: u32) -> bool {
        self.privileged || mode & 0o700 == 0o700
    }
}

pub(super) fn apply_to_file(file: &File, wanted: &Attributes<'_>, rights: Rights) -> Lost {
    apply(&Target::Open(file), wanted, rights)
}

pub(super) fn apply_to_folder(folder: &Folder, wanted: &Attributes<'_>, rights: Rights) -> Lost {
    apply(&Target::Open(folder), wanted, rights)
}

/// Gives an entry that cannot be opened (a symbolic link, fifo, socket or device) its attributes.
pub(super) fn apply_to_name(
    folder: &Folder,
    name: &[u8],
    wanted: &Attributes<'_>,
    rights: Rights,
) -> io::Result<Lost> {
    let node = Node::open(folder, name)?;
    if stat::kind(&node.stat()?) != wanted.metadata.kind {
        return Err(io::Error::other("it was replaced by another file meanwhile"));
    }
    Ok(apply(&Target::<&File>::Node(node), wanted, rights))
}

/// Removes a default ACL, which every new entry would inherit.
pub(super) fn forget_default_acl(folder: &Folder) {
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fremovexattr(folder, "system.posix_acl_default");
    #[cfg(not(target_os = "linux"))]
    let _ = folder;
}

/// The order matters: a change of owner clears setuid bits and capabilities; attributes are set while the mode still
/// allows it, and the mode then agrees with the ACL's; every change sets a time. What was kept is judged by what the
/// file system then says, since some accept silently what they do not store.
fn apply<Fd: AsFd>(target: &Target<'_, Fd>, wanted: &Attributes<'_>, rights: Rights) -> Lost {
    let metadata = wanted.metadata;
    let before = target.stat().ok();
    let (uid, gid) = (before.map(|now| now.st_uid), before.map(|now| now.st_gid));
    if (uid, gid) != (Some(metadata.uid), Some(metadata.gid)) {
        let owner = rights.privileged.then(|| Uid::from_raw(metadata.uid));
        // Refusals show below, in what `stat` then says.
        let _ = target.chown(owner, Gid::from_raw(metadata.gid));
    }
    let owner_kept = target.stat().is_ok_and(|now| (now.st_uid, now.st_gid) == (metadata.uid, metadata.gid));

    let mut lost = Lost { owner: !owner_kept, ..Lost::default() };
    for xattr in wanted.xattrs {
        // A capability would go to whoever owns the file instead.
        let misplaced = !owner_kept && xattr.name == b"security.capability";
        if misplaced || target.set_xattr(xattr).is_err() {
            lost.xattrs.push(xattr.clone());
        }
    }
    if metadata.kind != FileKind::Symlink {
        let _ = target.chmod(raw_mode(safe_mode(metadata, owner_kept)));
    }
    let _ = target.set_times(metadata.accessed, metadata.modified);

    let after = target.stat().ok();
    lost.mode = metadata.kind != FileKind::Symlink
        && after.is_none_or(|now| convert::<_, u32>(now.st_mode) & 0o7777 != metadata.mode & 0o7777);
    lost.times = after.is_none_or(|now| stat::modified(&now) != metadata.modified);
    lost
}

/// A file that runs as its owner must not do so for an owner it did not have.
fn safe_mode(metadata: &Metadata, owner_kept: bool) -> u32 {
    if owner_kept { metadata.mode } else { metadata.mode & !0o6000 }
}

enum Target<'a, Fd> {
    Open(&'a Fd),
    Node(Node<'a>),
}

impl<Fd: AsFd> Target<'_, Fd> {
    fn stat(&self) -> io::Result<Stat> {
        match self {
            Self::Open(file) => Ok(rustix::fs::fstat(file)?),
            Self::Node(node) => node.stat(),
        }
    }

    fn chown(&self, owner: Option<Uid>, group: Gid) -> io::Result<()> {
        match self {
            Self::Open(file) => Ok(rustix::fs::fchown(file, owner, Some(group))?),
            Self::Node(node) => node.chown(owner, group),
        }
    }

    fn chmod(&self, mode: Mode) -> io::Result<()> {
        match self {
            Self::Open(file) => Ok(rustix::fs::fchmod(file, mode)?),
            Self::Node(node) => node.chmod(mode),
        }
    }

    #[cfg(target_os = "linux")]
    fn set_xattr(&self, xattr: &Xattr) -> io::Result<()> {
        use crate::host_tree::xattr::Access;

        let access = match self {
            Self::Open(file) => Access::Handle(file.as_fd()),
            Self::Node(node) => Access::Proc(node.handle.as_fd()),
        };
        access.write(xattr)?;
        if access.read(&xattr.name)? == xattr.value { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "possible on Linux")]
    fn set_xattr(&self, _: &Xattr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_times(&self, accessed: Timestamp, modified: Timestamp) -> io::Result<()> {
        let times = Timestamps { last_access: timespec(accessed)?, last_modification: timespec(modified)? };
        match self {
            Self::Open(file) => Ok(rustix::fs::futimens(file, &times)?),
            Self::Node(node) => node.set_times(&times),
        }
    }
}

/// Larger numbers of nanoseconds have meanings of their own to the system.
fn timespec(time: Timestamp) -> io::Result<Timespec> {
    if time.nanoseconds > 999_999_999 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(Timespec { tv_sec: time.seconds, tv_nsec: convert(time.nanoseconds) })
}

/// An entry held by a handle that gives no access to its content, and by its name where such handles do not exist.
struct Node<'a> {
    folder: &'a Folder,
    name: &'a [u8],
    #[cfg(target_os = "linux")]
    handle: std::os::fd::OwnedFd,
}

#[cfg(target_os = "linux")]
impl<'a> Node<'a> {
    fn open(folder: &'a Folder, name: &'a [u8]) -> io::Result<Self> {
        use rustix::fs::OFlags;

        let flags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
        let handle = rustix::fs::openat(folder, name, flags, Mode::empty())?;
        Ok(Self { folder, name, handle })
    }

    fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(&self.handle)?)
    }

    fn chown(&self, owner: Option<Uid>, group: Gid) -> io::Result<()> {
        Ok(rustix::fs::chownat(&self.handle, "", owner, Some(group), AtFlags::EMPTY_PATH)?)
    }

    /// Not for symbolic links.
    fn chmod(&self, mode: Mode) -> io::Result<()> {
        Ok(rustix::fs::chmod(self.proc_path(), mode)?)
    }

    fn set_times(&self, times: &Timestamps) -> io::Result<()> {
        // Handles of this kind have been accepted here only since Linux 5.8.
        Ok(rustix::fs::utimensat(self.folder, self.name, times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn proc_path(&self) -> String {
        crate::host_tree::xattr::proc_path(&self.handle)
    }
}

#[cfg(not(target_os = "linux"))]
impl<'a> Node<'a> {
    #[expect(clippy::unnecessary_wraps, reason = "may fail on Linux")]
    fn open(folder: &'a Folder, name: &'a [u8]) -> io::Result<Self> {
        Ok(Self { folder, name })
    }

    fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::statat(self.folder, self.name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn chown(&self, owner: Option<Uid>, group: Gid) -> io::Result<()> {
        Ok(rustix::fs::chownat(self.folder, self.name, owner, Some(group), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn chmod(&self, mode: Mode) -> io::Result<()> {
        Ok(rustix::fs::chmodat(self.folder, self.name, mode, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn set_times(&self, times: &Timestamps) -> io::Result<()> {
        Ok(rustix::fs::utimensat(self.folder, self.name, times, AtFlags::SYMLINK_NOFOLLOW)?)
    }
}
