//! VHDX, the disk format of Hyper-V and WSL, dynamic and fixed ([MS-VHDX]). A log left by a crash is replayed in
//! memory.

mod blocks;
mod header;
mod log;
mod metadata;
mod regions;
mod replayed;

use std::io;

use qcow2_reader::ReadAt;

use self::blocks::{Block, BlockTable};
use self::metadata::Metadata;
use self::replayed::ReplayedFile;
use super::bytes::read_in_pieces;
use super::{Bytes, Error, Guid, Note, Result};

/// The guest disk inside a VHDX file.
pub(super) struct Vhdx {
    file: ReplayedFile,
    blocks: BlockTable,
    metadata: Metadata,
}

impl Vhdx {
    pub(super) fn open(file: Bytes, notes: &mut Vec<Note>) -> Result<Self> {
        let header = header::read_header(&file, notes)?;
        let replay = if header.log_guid == Guid::ZERO { None } else { log::read_log(&file, &header)? };
        if header.log_guid != Guid::ZERO && replay.is_none() {
            notes.push(Note::warning(
                "the VHDX was not closed, and its log is unreadable: the last changes to it may be missing",
            ));
        }
        let log = replay.as_ref().map(|replay| (replay.writes.len(), replay.flushed_len));
        let file = ReplayedFile::new(file, replay)?;
        if let Some((writes, flushed_len)) = log {
            notes.push(Note::info(format!(
                "the VHDX was not closed; the changes in its log are applied in memory, {writes} in all"
            )));
            if flushed_len > file.len_on_disk() {
                notes.push(Note::warning(format!(
                    "the file ends at byte offset {}, but was {flushed_len} bytes long when last written",
                    file.len_on_disk()
                )));
            }
        }
        let regions = regions::read_regions(&file, notes)?;
        let metadata = metadata::read_metadata(&file, regions.metadata)?;
        let blocks = BlockTable::new(regions.block_table, &metadata)?;
        Ok(Self { file, blocks, metadata })
    }

    pub(super) fn sector_bytes(&self) -> u32 {
        self.metadata.sector_bytes
    }

    /// How many bytes of the guest disk the file does not hold, though its table says so: it was cut off, or the
    /// table is damaged.
    pub(super) fn missing_bytes(&self) -> Result<u64> {
        let size = self.file.size().unwrap_or_default();
        let block_bytes = self.metadata.block_bytes.get();
        let mut missing = 0_u64;
        self.blocks.for_each(&self.file, |block| {
            missing = missing.saturating_add(match block {
                Ok(Block::Zeros) => 0,
                Ok(Block::At(offset)) => {
                    offset.saturating_add(block_bytes).saturating_sub(size).min(block_bytes)
                }
                Err(_) => block_bytes,
            });
        })?;
        Ok(missing)
    }

    fn read_piece(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let block_bytes = self.metadata.block_bytes;
        let in_block = offset % block_bytes;
        let len =
            usize::try_from(block_bytes.get().saturating_sub(in_block)).unwrap_or(usize::MAX).min(buf.len());
        let piece = buf.get_mut(..len).unwrap_or_default();
        match self.blocks.read_block(&self.file, offset / block_bytes)? {
            Block::Zeros => piece.fill(0),
            Block::At(block) => {
                let at = block.saturating_add(in_block);
                self.file.read_exact_at(piece, at).map_err(|source| Error::Io {
                    structure: "VHDX block",
                    offset: at,
                    source,
                })?;
            }
        }
        Ok(len)
    }
}

impl ReadAt for Vhdx {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        read_in_pieces(buf, offset, self.metadata.disk_bytes, |buf, offset| Ok(self.read_piece(buf, offset)?))
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata.disk_bytes)
    }
}

fn unsupported(feature: String) -> Error {
    Error::Unsupported {
        feature,
        advice: "convert it with `qemu-img convert -O raw` or Hyper-V's Convert-VHD",
    }
}
