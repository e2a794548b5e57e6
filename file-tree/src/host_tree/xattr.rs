use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr, getxattr, listxattr, setxattr};
use rustix::io::{Errno, Result};

use crate::Xattr;

/// How the attributes of an open file are reached.
pub(crate) enum Access<Fd> {
    /// Through the handle.
    Handle(Fd),
    /// Through the handle's name in `/proc`, as a handle opened with `O_PATH` allows no other way.
    Proc(Fd),
}

impl<Fd: AsFd> Access<Fd> {
    pub(crate) fn read_all(&self) -> Result<Vec<Xattr>> {
        let names = match fill(|buffer| self.list(buffer)) {
            Ok(names) => names,
            Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
            match self.read(name) {
                Ok(value) => found.push(Xattr { name: name.to_vec(), value }),
                // Removed meanwhile.
                Err(Errno::NODATA) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    pub(crate) fn read(&self, name: &[u8]) -> Result<Vec<u8>> {
        fill(|buffer| match self {
            Self::Handle(file) => fgetxattr(file, name, buffer),
            Self::Proc(file) => getxattr(proc_path(file), name, buffer),
        })
    }

    pub(crate) fn write(&self, xattr: &Xattr) -> Result<()> {
        let (name, value, flags) = (xattr.name.as_slice(), xattr.value.as_slice(), XattrFlags::empty());
        match self {
            Self::Handle(file) => fsetxattr(file, name, value, flags),
            Self::Proc(file) => setxattr(proc_path(file), name, value, flags),
        }
    }

    fn list(&self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Handle(file) => flistxattr(file, buffer),
            Self::Proc(file) => listxattr(proc_path(file), buffer),
        }
    }
}

/// Linux keeps lists and values of at most 64 KiB (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const MAX_BYTES: usize = 65_536;

fn fill(read: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let mut buffer = vec![0; 256];
    loop {
        match read(&mut buffer) {
            Ok(len) => {
                buffer.truncate(len);
                return Ok(buffer);
            }
            Err(Errno::RANGE) if buffer.len() < MAX_BYTES => buffer.resize(MAX_BYTES, 0),
            Err(error) => return Err(error),
        }
    }
}

/// A name that leads to the very file the handle is open on.
pub(crate) fn proc_path(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}
