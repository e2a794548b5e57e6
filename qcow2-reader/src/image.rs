use std::fmt;
use std::io;

use crate::compressed::CompressedClusters;
use crate::guest_map::GuestMap;
use crate::header::Header;
use crate::options::OpenOptions;
use crate::run::{Run, Target};
use crate::source::{DynSource, Measured, ReadAt};
use crate::units::{GuestOffset, HostOffset, bytes, len};
use crate::{Error, Extent, Result};

/// An open qcow2 image: the guest's disk as it was in the image's active state.
///
/// All reads take `&self`, and no lock is held while the source is read: threads may share an image.
pub struct Qcow2<S> {
    image: Measured<S>,
    header: Header,
    backing: Option<Measured<DynSource>>,
    data_file: Option<Measured<DynSource>>,
    map: GuestMap,
    compressed: CompressedClusters,
}

impl<S: ReadAt> Qcow2<S> {
    /// Opens an image that needs no other file; see [`OpenOptions`] for one that does.
    pub fn open(image: S) -> Result<Self> {
        OpenOptions::new().open(image)
    }

    pub(crate) fn new(
        image: Measured<S>,
        header: Header,
        backing: Option<Measured<DynSource>>,
        data_file: Option<Measured<DynSource>>,
        table_cache_bytes: u64,
        cluster_cache_bytes: u64,
    ) -> Self {
        let data_size = data_file.as_ref().map_or(image.size, |file| file.size);
        let map = GuestMap::new(&header, data_size, table_cache_bytes);
        let compressed =
            CompressedClusters::new(header.compression(), header.geometry(), cluster_cache_bytes);
        Self { image, header, backing, data_file, map, compressed }
    }

    /// What the image's first cluster tells of it.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The size of the guest's disk, in bytes.
    pub fn virtual_size(&self) -> u64 {
        self.header.virtual_size()
    }

    /// Fills `buf` with the guest's bytes from `offset` on.
    ///
    /// Fails if any of them cannot be read; what `buf` then holds is unspecified. Nothing unreadable is
    /// returned as zeros. The image stays usable: other ranges, and this one later, can be read.
    pub fn read_guest(&self, mut buf: &mut [u8], offset: u64) -> Result<()> {
        let mut guest = self.checked(offset, bytes(buf.len()))?;
        while !buf.is_empty() {
            let run = self.map.locate(&self.image, guest, bytes(buf.len()))?;
            let (piece, rest) = buf.split_at_mut(len(run.len).min(buf.len()));
            self.read_run(run, piece, guest)?;
            guest = guest.advance(run.len);
            buf = rest;
        }
        Ok(())
    }

    /// Where the guest's bytes lie from `guest_offset` on, for at most `max_len` bytes and as far as they lie
    /// alike.
    ///
    /// `guest_offset` must lie on the disk and `max_len` not be 0. The extent ends at the end of the disk.
    /// Damage that begins behind `guest_offset` ends the extent; ask for the offset there to learn of it.
    pub fn extent_at(&self, guest_offset: u64, max_len: u64) -> Result<Extent> {
        let guest = self.checked(guest_offset, 1)?;
        let left = self.virtual_size().saturating_sub(guest_offset);
        let run = self.map.locate(&self.image, guest, max_len.clamp(1, left))?;
        Ok(Extent { kind: run.target.into(), guest_offset, len: run.len })
    }

    fn checked(&self, offset: u64, len: u64) -> Result<GuestOffset> {
        let virtual_size = self.virtual_size();
        match offset.checked_add(len) {
            Some(end) if end <= virtual_size => Ok(GuestOffset(offset)),
            _ => Err(Error::PastEnd { offset, len, virtual_size }),
        }
    }

    fn read_run(&self, run: Run, piece: &mut [u8], guest: GuestOffset) -> Result<()> {
        match run.target {
            Target::Zero => piece.fill(0),
            Target::Unallocated => self.read_backing(piece, guest)?,
            Target::Data(host) => match &self.data_file {
                Some(file) => file.read(piece, host, "data file cluster")?,
                None => self.image.read(piece, host, "data cluster")?,
            },
            Target::Compressed(entry) => {
                let in_cluster = self.map.geometry().offset_in_cluster(guest);
                self.compressed.read(&self.image, entry, in_cluster, piece, guest)?;
            }
        }
        Ok(())
    }

    /// A backing file holds a guest offset at the same offset; past its end there are zeros.
    fn read_backing(&self, piece: &mut [u8], guest: GuestOffset) -> Result<()> {
        let at = HostOffset(guest.0);
        let available = self.backing.as_ref().map_or(0, |backing| backing.bytes_after(at));
        let (found, past_end) = piece.split_at_mut(len(available).min(piece.len()));
        past_end.fill(0);
        match &self.backing {
            Some(backing) if !found.is_empty() => backing.read(found, at, "backing file"),
            _ => Ok(()),
        }
    }
}

/// The guest's disk, so that an image can be the source of another reader, or the backing file of another
/// image. An [`Error`] is inside the [`io::Error`].
impl<S: ReadAt> ReadAt for Qcow2<S> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        Ok(self.read_guest(buf, offset)?)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.virtual_size())
    }
}

impl<S> fmt::Debug for Qcow2<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Qcow2").field("header", &self.header).finish_non_exhaustive()
    }
}
