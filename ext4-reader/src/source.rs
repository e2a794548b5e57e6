use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::sync::Arc;

/// Bytes that can be read at any offset through a shared reference: a file, a block device, memory, the
/// disk inside an image.
pub trait ReadAt {
    /// Fills `buf` with the bytes that begin at `offset`.
    ///
    /// Fails with [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if fewer are left; what `buf` then holds is
    /// unspecified.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// How many bytes there are.
    fn size(&self) -> io::Result<u64>;
}

/// Makes a source of `size` bytes out of a function that fills a buffer from an offset.
///
/// This joins a reader of another crate to this one. The function is never asked for bytes past `size`.
///
/// ```
/// use ext4_reader::{ReadAt, from_fn};
///
/// let ones = from_fn(512, |buf: &mut [u8], _offset| Ok(buf.fill(1)));
/// let mut sector = [0; 512];
/// ones.read_exact_at(&mut sector, 0)?;
/// assert_eq!(sector, [1; 512]);
/// # std::io::Result::Ok(())
/// ```
pub fn from_fn<F>(size: u64, read_exact_at: F) -> FromFn<F>
where
    F: Fn(&mut [u8], u64) -> io::Result<()>,
{
    FromFn { size, read_exact_at }
}

/// The source that [`from_fn`] makes.
#[derive(Clone, Copy)]
pub struct FromFn<F> {
    size: u64,
    read_exact_at: F,
}

impl<F> std::fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FromFn").field("size", &self.size).finish_non_exhaustive()
    }
}

impl<F: Fn(&mut [u8], u64) -> io::Result<()>> ReadAt for FromFn<F> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        match offset.checked_add(len) {
            Some(end) if end <= self.size => (self.read_exact_at)(buf, offset),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

/// Reads do not depend on the file's cursor. Asking for the size moves it to the end, since only that tells
/// the size of a block device; on Windows reads move it too.
#[cfg(any(unix, windows))]
impl ReadAt for File {
    #[cfg(unix)]
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buf, offset)
    }

    #[cfg(windows)]
    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(self, buf, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    buf = buf.get_mut(count..).unwrap_or_default();
                    offset = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        let mut file = self;
        file.seek(SeekFrom::End(0))
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let found = usize::try_from(offset).ok().and_then(|start| self.get(start..)?.get(..buf.len()));
        buf.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        u64::try_from(self.len()).map_err(io::Error::other)
    }
}

impl ReadAt for Vec<u8> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(buf, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.as_slice().size()
    }
}

macro_rules! forward {
    ($($pointer:ty),+) => {$(
        impl<T: ReadAt + ?Sized> ReadAt for $pointer {
            fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
                (**self).read_exact_at(buf, offset)
            }

            fn size(&self) -> io::Result<u64> {
                (**self).size()
            }
        }
    )+};
}

forward!(&T, Box<T>, Arc<T>);
