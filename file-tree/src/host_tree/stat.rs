use rustix::fs::{FileType, Stat};

use crate::{Device, FileId, FileKind, Metadata, Timestamp};

pub(crate) fn metadata(stat: &Stat) -> Metadata {
    let kind = kind(stat);
    let rdev = match kind {
        FileKind::CharDevice | FileKind::BlockDevice => {
            Device { major: rustix::fs::major(stat.st_rdev), minor: rustix::fs::minor(stat.st_rdev) }
        }
        _ => Device::default(),
    };
    let size = match kind {
        FileKind::Regular | FileKind::Symlink => convert(stat.st_size),
        _ => 0,
    };
    Metadata {
        kind,
        mode: convert::<_, u32>(stat.st_mode) & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size,
        allocated_bytes: convert::<_, u64>(stat.st_blocks).saturating_mul(512),
        links: convert(stat.st_nlink),
        id: id(stat),
        rdev,
        accessed: timestamp(stat.st_atime, stat.st_atime_nsec),
        modified: modified(stat),
        changed: timestamp(stat.st_ctime, stat.st_ctime_nsec),
        created: None,
    }
}

pub(crate) fn kind(stat: &Stat) -> FileKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        FileType::Fifo => FileKind::Fifo,
        FileType::CharacterDevice => FileKind::CharDevice,
        FileType::BlockDevice => FileKind::BlockDevice,
        FileType::Socket => FileKind::Socket,
        _ => FileKind::Regular,
    }
}

pub(crate) fn id(stat: &Stat) -> FileId {
    FileId { device: convert(stat.st_dev), inode: convert(stat.st_ino) }
}

pub(crate) fn modified(stat: &Stat) -> Timestamp {
    timestamp(stat.st_mtime, stat.st_mtime_nsec)
}

fn timestamp(seconds: impl TryInto<i64>, nanoseconds: impl TryInto<u32>) -> Timestamp {
    Timestamp { seconds: convert(seconds), nanoseconds: convert(nanoseconds) }
}

/// The fields of `struct stat` differ in width and sign between platforms, not in the values they hold.
pub(crate) fn convert<T: TryInto<U>, U: Default>(value: T) -> U {
    value.try_into().unwrap_or_default()
}
