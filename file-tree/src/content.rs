//! Reading the content of a file that may be damaged: everything that can be read is, the rest is reported.

use crate::{Control, DataRange, Error, Event, Node, Report, Result};

/// How much is read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// A read that fails is repeated in pieces of these sizes, to lose no more than the medium lost.
const RETRY_BYTES: [usize; 2] = [64 << 10, 4 << 10];

/// A file whose map reports errors, or leads nowhere, without end is given up after this many steps.
const MAX_MAP_ERRORS: usize = 1000;

/// Part of a file's content.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    Data(&'a [u8]),
    /// So many bytes could not be read; the report says so already.
    Lost(u64),
}

/// Reads files piece by piece and keeps account of what it meets.
pub(crate) struct ContentReader<'a> {
    control: &'a Control<'a>,
    buffer: Vec<u8>,
}

impl<'a> ContentReader<'a> {
    pub(crate) fn new(control: &'a Control<'a>) -> Self {
        Self { control, buffer: Vec::new() }
    }

    /// Calls `put` with every piece of `range` in order. An error is the sink's own, or cancellation.
    pub(crate) fn read_range(
        &mut self,
        node: &dyn Node,
        path: &[u8],
        range: DataRange,
        report: &mut Report,
        put: &mut dyn FnMut(u64, Piece<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(CHUNK_BYTES, 0);
        let mut source = Source { node, path, report, put };
        let result = pieces(range, CHUNK_BYTES).try_for_each(|piece| {
            self.control.check()?;
            source.read(piece, &mut buffer, &RETRY_BYTES)?;
            self.control.tell(Event::Bytes(piece.len));
            Ok(())
        });
        self.buffer = buffer;
        result
    }
}

struct Source<'a> {
    node: &'a dyn Node,
    path: &'a [u8],
    report: &'a mut Report,
    put: &'a mut dyn FnMut(u64, Piece<'_>) -> Result<()>,
}

impl Source<'_> {
    fn read(&mut self, range: DataRange, buffer: &mut [u8], retries: &[usize]) -> Result<()> {
        let wanted = to_usize(range.len).min(buffer.len());
        let window = buffer.get_mut(..wanted).unwrap_or_default();
        let error = match self.node.read_at(window, range.offset) {
            Ok(len) if len >= wanted => return (self.put)(range.offset, Piece::Data(window)),
            Ok(len) => {
                if let Some(read @ [_, ..]) = window.get(..len) {
                    (self.put)(range.offset, Piece::Data(read))?;
                }
                let error = Error::corrupt("file", None, "the content ends before the size of the file");
                return self.lose(skip(range, len as u64), &error);
            }
            Err(error) => error,
        };
        match retries {
            [] => self.lose(range, &error),
            [size, smaller @ ..] => {
                pieces(range, *size).try_for_each(|piece| self.read(piece, buffer, smaller))
            }
        }
    }

    fn lose(&mut self, range: DataRange, error: &Error) -> Result<()> {
        self.report.damage(self.path, range.offset, range.len, error);
        (self.put)(range.offset, Piece::Lost(range.len))
    }
}

/// Cuts a range at the multiples of `size`.
fn pieces(range: DataRange, size: usize) -> impl Iterator<Item = DataRange> {
    let size = size as u64;
    let end = range.offset.saturating_add(range.len);
    let mut at = range.offset;
    std::iter::from_fn(move || {
        let next = at.saturating_add(1).checked_next_multiple_of(size).unwrap_or(end).min(end);
        let piece = DataRange { offset: at, len: next.saturating_sub(at) };
        at = next;
        (piece.len > 0).then_some(piece)
    })
}

fn skip(range: DataRange, len: u64) -> DataRange {
    DataRange { offset: range.offset.saturating_add(len), len: range.len.saturating_sub(len) }
}

fn to_usize(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// The ranges of a file that hold data, made sound: ascending, apart and within the size. A part of the file's
/// map that cannot be read counts as a hole and is reported.
pub(crate) fn each_range(
    node: &dyn Node,
    path: &[u8],
    report: &mut Report,
    mut put: impl FnMut(DataRange, &mut Report) -> Result<()>,
) -> Result<()> {
    let size = node.metadata().size;
    let mut at = 0;
    let mut unknown: Option<Error> = None;
    let mut errors = 0_usize;
    let ranges = match node.data_ranges() {
        Ok(ranges) => ranges,
        Err(error) => Box::new(std::iter::once(Err(error))),
    };
    for range in ranges {
        match range {
            Ok(range) => {
                let start = range.offset.clamp(at, size);
                let end = range.offset.saturating_add(range.len).min(size);
                if let Some(error) = unknown.take()
                    && start > at
                {
                    report.damage(path, at, start.saturating_sub(at), &error);
                }
                if end <= start {
                    errors = errors.saturating_add(1);
                } else {
                    put(DataRange { offset: start, len: end.saturating_sub(start) }, report)?;
                    at = end;
                }
            }
            Err(error) => {
                unknown.get_or_insert(error);
                errors = errors.saturating_add(1);
            }
        }
        if errors >= MAX_MAP_ERRORS {
            unknown.get_or_insert_with(|| Error::corrupt("file", None, "the map of its data does not end"));
        }
        if at >= size || errors >= MAX_MAP_ERRORS {
            break;
        }
    }
    if let Some(error) = unknown
        && size > at
    {
        report.damage(path, at, size.saturating_sub(at), &error);
    }
    Ok(())
}
