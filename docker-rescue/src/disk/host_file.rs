use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use qcow2_reader::ReadAt;

use super::{Error, Result};

/// A file or block device of this computer, opened for reading.
pub(super) struct HostFile {
    file: File,
    size: u64,
}

impl HostFile {
    /// Opens a regular file or a block device. Whatever else the path leads to is refused without waiting for it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let io_error = |source| Error::Open { path: path.into(), source };
        refuse_raw_drive(path)?;
        refuse_other_kinds(path, &std::fs::metadata(path).map_err(io_error)?)?;
        let file = read_only().open(path).map_err(io_error)?;
        // Once more, of what was opened: the name may lead elsewhere by now.
        let metadata = file.metadata().map_err(io_error)?;
        refuse_other_kinds(path, &metadata)?;
        // The metadata of a block device has no length.
        let size = file.size().map_err(io_error)?;
        match size {
            0 if metadata.is_file() => Err(Error::Empty { path: path.into() }),
            0 => Err(Error::Unsupported {
                feature: format!("{}, a device that does not tell its size,", path.display()),
                advice: "copy the device into a file with dd, and use the copy",
            }),
            size => Ok(Self { file, size }),
        }
    }
}

impl ReadAt for HostFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.size) {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the file ends at byte offset {}", self.size),
            ));
        }
        self.file.read_exact_at(buf, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

fn refuse_other_kinds(path: &Path, metadata: &Metadata) -> Result<()> {
    match metadata.file_type() {
        kind if kind.is_file() || is_block_device(kind) => Ok(()),
        kind => Err(Error::NotADisk { path: path.into(), kind: kind_name(kind) }),
    }
}

/// A pipe that takes the file's place between the look at it and its opening must not make us wait for a writer.
#[cfg(unix)]
fn read_only() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;

    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags);
    options
}

#[cfg(not(unix))]
fn read_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

#[cfg(unix)]
fn is_block_device(kind: FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_block_device(&kind)
}

#[cfg(not(unix))]
fn is_block_device(_: FileType) -> bool {
    false
}

#[cfg(unix)]
fn kind_name(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;

    match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() => "a character device",
        _ => "something else",
    }
}

#[cfg(not(unix))]
fn kind_name(kind: FileType) -> &'static str {
    if kind.is_dir() { "a directory" } else { "something else" }
}

/// A drive of Windows can be read in whole sectors only.
fn refuse_raw_drive(path: &Path) -> Result<()> {
    if cfg!(windows) && path.to_string_lossy().starts_with(r"\\.\") {
        return Err(Error::Unsupported {
            feature: "a raw drive of Windows".into(),
            advice: "copy the drive into a file first, and use the copy",
        });
    }
    Ok(())
}
