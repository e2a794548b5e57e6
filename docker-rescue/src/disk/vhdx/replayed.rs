use std::collections::BTreeMap;
use std::io;

use qcow2_reader::ReadAt;

use super::log::{PAGE, Replay, Write};
use crate::disk::{Bytes, Error, Result};

/// The bytes of a VHDX file as they would be had its log been replayed. The file itself stays as it is.
pub(super) struct ReplayedFile {
    file: Bytes,
    file_len: u64,
    size: u64,
    /// What the log writes, by offset; apart from each other.
    runs: BTreeMap<u64, Run>,
}

enum Run {
    Page(Box<[u8; PAGE]>),
    /// Zeros up to this offset.
    ZerosTo(u64),
}

impl ReplayedFile {
    pub(super) fn new(file: Bytes, replay: Option<Replay>) -> Result<Self> {
        let file_len =
            file.size().map_err(|source| Error::Io { structure: "size of the file", offset: 0, source })?;
        let mut replayed = Self { file, file_len, size: file_len, runs: BTreeMap::new() };
        if let Some(replay) = replay {
            // What a file that was cut off has lost does not come back as zeros.
            if file_len >= replay.flushed_len {
                replayed.size = file_len.max(replay.file_len);
            }
            for write in replay.writes {
                replayed.apply(write);
            }
        }
        Ok(replayed)
    }

    /// Length of the file as it lies.
    pub(super) fn len_on_disk(&self) -> u64 {
        self.file_len
    }

    fn apply(&mut self, write: Write) {
        let (start, run) = match write {
            Write::Zeros { len: 0, .. } => return,
            Write::Zeros { offset, len } => (offset, Run::ZerosTo(offset.saturating_add(len))),
            Write::Page { offset, bytes } => (offset, Run::Page(bytes)),
        };
        let end = run.end(start);
        while let Some((&old_start, old)) =
            self.runs.range(..end).next_back().filter(|(at, old)| old.end(**at) > start)
        {
            let old_end = old.end(old_start);
            // Pages are aligned, so only zeros are ever cut in parts.
            self.runs.remove(&old_start);
            if old_start < start {
                self.runs.insert(old_start, Run::ZerosTo(start));
            }
            if old_end > end {
                self.runs.insert(end, Run::ZerosTo(old_end));
            }
        }
        self.runs.insert(start, run);
    }
}

impl Run {
    fn end(&self, start: u64) -> u64 {
        match self {
            Self::Page(_) => start.saturating_add(PAGE as u64),
            Self::ZerosTo(end) => *end,
        }
    }
}

impl ReadAt for ReplayedFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.saturating_add(buf.len() as u64);
        if end > self.size {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the file ends at byte offset {}", self.size),
            ));
        }
        // The replay may have made the file longer, by zeros.
        let in_file =
            usize::try_from(self.file_len.saturating_sub(offset)).unwrap_or(usize::MAX).min(buf.len());
        let (head, tail) = buf.split_at_mut_checked(in_file).ok_or(io::ErrorKind::InvalidInput)?;
        if !head.is_empty() {
            self.file.read_exact_at(head, offset)?;
        }
        tail.fill(0);
        for (&start, run) in self.runs.range(..end).rev().take_while(|(start, run)| run.end(**start) > offset)
        {
            let (from, to) = (start.max(offset), run.end(start).min(end));
            let part = |base: u64| {
                let from = usize::try_from(from.saturating_sub(base)).unwrap_or(usize::MAX);
                let to = usize::try_from(to.saturating_sub(base)).unwrap_or(usize::MAX);
                from..to
            };
            let target = buf.get_mut(part(offset)).unwrap_or_default();
            match run {
                Run::ZerosTo(_) => target.fill(0),
                Run::Page(bytes) => target.copy_from_slice(bytes.get(part(start)).unwrap_or_default()),
            }
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}
