use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;
use std::ops::AddAssign;

use tar::EntryType;

use super::encode::Member;
use super::{BLOCK_BYTES, TarOptions};
use crate::content::{ContentReader, Piece, each_range};
use crate::sidecar::{Lost, Sidecar};
use crate::{
    Attributes, Control, DataRange, Error, Event, FileId, FileKind, FileTree, Node, Report, Result, Step,
    Walk, walk,
};

/// Writes a tree as a tar archive, in the order of [`walk`], so that one tree always gives the same archive.
///
/// The archive is POSIX's (PAX): it holds names and link targets of any bytes and length, owners of any number,
/// times to the nanosecond and before 1970, hard links, fifos, devices, all extended attributes
/// (`SCHILY.xattr.*`, ACLs and capabilities among them) and holes. Sockets have no form in it: they go into the
/// sidecar ([`TarOptions::sidecar`]) and are counted in the report. GNU tar restores all of it with
/// `tar --xattrs --xattrs-include='*' --numeric-owner -xpf`.
///
/// Damage does not stop the work: what cannot be read of a file is written as zeros and reported. What does is an
/// error of `out`, and cancellation: an archive that ends in the middle is of little use, so these are errors.
///
/// The memory it takes is that of [`walk`] and of the map of one file's holes.
pub fn write_tar(
    tree: &dyn FileTree,
    out: impl Write,
    options: &TarOptions,
    control: &Control<'_>,
) -> Result<Report> {
    if tree.root()?.metadata().kind != FileKind::Directory {
        return Err(Error::NotADirectory);
    }
    let mut archive = Archive {
        out,
        options,
        content: ContentReader::new(control),
        first_names: HashMap::new(),
        sidecar: Sidecar::new(options.sidecar.clone())?,
        report: Report::default(),
    };
    let outcome = archive.all(walk(tree), control);
    let recorded = archive.sidecar.finish();
    outcome.and(recorded).map(|()| archive.report)
}

struct Archive<'a, W> {
    out: W,
    options: &'a TarOptions,
    content: ContentReader<'a>,
    first_names: HashMap<FileId, Vec<u8>>,
    sidecar: Sidecar,
    report: Report,
}

impl<W: Write> Archive<'_, W> {
    fn all(&mut self, steps: Walk<'_>, control: &Control<'_>) -> Result<()> {
        for step in steps {
            control.check()?;
            match step {
                Step::Entry { path, node } => {
                    control.tell(Event::Entry(&path));
                    self.entry(&path, &*node)?;
                }
                Step::Leave { .. } => {}
                Step::Unreadable { path, error } => self.report.fail(&path, &error),
            }
        }
        self.put(&[0; 2 * BLOCK_BYTES])?;
        self.out.flush().map_err(|error| Error::io("write", b"the archive", error))
    }

    /// An error is one of `out`, of the sidecar, or cancellation.
    fn entry(&mut self, path: &[u8], node: &dyn Node) -> Result<()> {
        let metadata = node.metadata();
        if path.is_empty() && self.options.prefix.is_empty() && metadata.kind == FileKind::Directory {
            self.report.written.add(FileKind::Directory);
            return Ok(());
        }
        let name = self.name(path, metadata.kind);
        let may_have_names = metadata.links > 1 && metadata.kind != FileKind::Directory;
        if may_have_names && let Some(first) = self.first_names.get(&metadata.id) {
            let attributes = Attributes { metadata, xattrs: &[] };
            let member = Member {
                entry_type: EntryType::Link,
                link_path: first,
                ..member(EntryType::Link, &name, attributes, self.options)
            };
            put(&mut self.out, &member.headers())?;
            self.report.written.add_hard_link();
            return Ok(());
        }
        let xattrs = node.xattrs().unwrap_or_else(|error| {
            self.report.damage(path, 0, 0, &error);
            Vec::new()
        });
        let mut attributes = Attributes { metadata, xattrs: &xattrs };
        let mut lost = Lost { kind: metadata.kind == FileKind::Socket, ..Lost::default() };
        if lost.kind || (metadata.kind == FileKind::Symlink && !self.options.symlink_xattrs) {
            attributes.xattrs = &[];
            lost.xattrs.clone_from(&xattrs);
        }

        let mut target = None;
        match metadata.kind {
            FileKind::Regular => self.file(path, &name, node, attributes)?,
            FileKind::Symlink => match node.read_link() {
                Ok(link) => {
                    self.headers(&name, &link, EntryType::Symlink, attributes)?;
                    self.report.written.add(FileKind::Symlink);
                    target = Some(link);
                }
                Err(error) => {
                    self.report.fail(path, &error);
                    return Ok(());
                }
            },
            FileKind::Directory => {
                self.headers(&name, b"", EntryType::Directory, attributes)?;
                self.report.written.add(FileKind::Directory);
            }
            FileKind::Fifo => self.special(&name, EntryType::Fifo, attributes)?,
            FileKind::CharDevice => self.special(&name, EntryType::Char, attributes)?,
            FileKind::BlockDevice => self.special(&name, EntryType::Block, attributes)?,
            FileKind::Socket => {}
        }
        if may_have_names && !lost.kind {
            self.first_names.insert(metadata.id, name);
        }
        if lost.is_nothing() {
            return Ok(());
        }
        self.report.not_kept.add_assign(lost.count());
        self.sidecar.record(path, &lost, metadata, target.as_deref())
    }

    fn name(&self, path: &[u8], kind: FileKind) -> Vec<u8> {
        let mut name = [self.options.prefix.as_slice(), path].concat();
        if kind == FileKind::Directory && !name.ends_with(b"/") {
            name.push(b'/');
        }
        name
    }

    fn special(&mut self, name: &[u8], entry_type: EntryType, attributes: Attributes<'_>) -> Result<()> {
        self.report.written.add(attributes.metadata.kind);
        self.headers(name, b"", entry_type, attributes)
    }

    fn headers(
        &mut self,
        name: &[u8],
        link_path: &[u8],
        entry_type: EntryType,
        attributes: Attributes<'_>,
    ) -> Result<()> {
        let member = Member { link_path, ..member(entry_type, name, attributes, self.options) };
        self.put(&member.headers())
    }

    fn file(&mut self, path: &[u8], name: &[u8], node: &dyn Node, attributes: Attributes<'_>) -> Result<()> {
        let size = attributes.metadata.size;
        let ranges = block_ranges(node, path, size, &mut self.report)?;
        let data_bytes = ranges.iter().fold(0_u64, |sum, range| sum.saturating_add(range.len));
        let member = member(EntryType::Regular, name, attributes, self.options);
        if self.options.sparse && data_bytes < size {
            let map = sparse_map(&ranges, size);
            let stored_bytes = data_bytes.saturating_add(map.len() as u64);
            let member = Member { stored_bytes, sparse_size: Some(size), ..member };
            self.put(&member.headers())?;
            self.put(&map)?;
            for range in &ranges {
                self.content(node, path, *range)?;
            }
            self.zeros(padding(stored_bytes))?;
        } else {
            self.put(&Member { stored_bytes: size, ..member }.headers())?;
            let mut at = 0;
            for range in &ranges {
                self.zeros(range.offset.saturating_sub(at))?;
                self.content(node, path, *range)?;
                at = range.offset.saturating_add(range.len);
            }
            self.zeros(size.saturating_sub(at).saturating_add(padding(size)))?;
        }
        self.report.written.add(FileKind::Regular);
        self.report.written.add_content(size, data_bytes);
        Ok(())
    }

    fn content(&mut self, node: &dyn Node, path: &[u8], range: DataRange) -> Result<()> {
        let out = &mut self.out;
        self.content.read_range(node, path, range, &mut self.report, &mut |_, piece| match piece {
            Piece::Data(data) => put(out, data),
            Piece::Lost(len) => put_zeros(out, len),
        })
    }

    fn zeros(&mut self, len: u64) -> Result<()> {
        put_zeros(&mut self.out, len)
    }

    fn put(&mut self, data: &[u8]) -> Result<()> {
        put(&mut self.out, data)
    }
}

fn member<'a>(
    entry_type: EntryType,
    path: &'a [u8],
    attributes: Attributes<'a>,
    options: &TarOptions,
) -> Member<'a> {
    Member {
        entry_type,
        path,
        link_path: b"",
        stored_bytes: 0,
        sparse_size: None,
        attributes,
        access_times: options.access_times,
    }
}

/// More ranges than these in one file are not worth the memory of a map: the last one then reaches to the end.
const MAX_RANGES: usize = 1 << 20;

/// The data of a file in whole blocks of the archive, as the sparse format demands of all but the last.
fn block_ranges(node: &dyn Node, path: &[u8], size: u64, report: &mut Report) -> Result<Vec<DataRange>> {
    let block = BLOCK_BYTES as u64;
    let mut ranges: Vec<DataRange> = Vec::new();
    each_range(node, path, report, |range, _| {
        let start = range.offset & !block.saturating_sub(1);
        let end =
            range.offset.saturating_add(range.len).checked_next_multiple_of(block).unwrap_or(size).min(size);
        let is_full = ranges.len() >= MAX_RANGES;
        match ranges.last_mut() {
            Some(last) if is_full => last.len = size.saturating_sub(last.offset),
            Some(last) if last.offset.saturating_add(last.len) >= start => {
                last.len = end.saturating_sub(last.offset);
            }
            _ => ranges.push(DataRange { offset: start, len: end.saturating_sub(start) }),
        }
        Ok(())
    })?;
    Ok(ranges)
}

/// The map of GNU tar's sparse format 1.0: decimal numbers, each with a newline: how many ranges, then offset and
/// length of each; filled up to a block. A hole at the end shows as an empty range there.
fn sparse_map(ranges: &[DataRange], size: u64) -> Vec<u8> {
    let last_end = ranges.last().map_or(0, |last| last.offset.saturating_add(last.len));
    let end = (last_end < size).then_some(DataRange { offset: size, len: 0 });
    let mut map = format!("{}\n", ranges.len().saturating_add(usize::from(end.is_some())));
    for range in ranges.iter().chain(&end) {
        // Writing to a string cannot fail.
        let _ = write!(map, "{}\n{}\n", range.offset, range.len);
    }
    let mut map = map.into_bytes();
    map.resize(map.len().next_multiple_of(BLOCK_BYTES), 0);
    map
}

/// How many bytes fill up the last block.
fn padding(len: u64) -> u64 {
    len.checked_next_multiple_of(BLOCK_BYTES as u64).map_or(0, |full| full.saturating_sub(len))
}

fn put(out: &mut impl Write, data: &[u8]) -> Result<()> {
    out.write_all(data).map_err(|error| Error::io("write", b"the archive", error))
}

fn put_zeros(out: &mut impl Write, mut len: u64) -> Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

    while len > 0 {
        let step = usize::try_from(len).unwrap_or(usize::MAX).min(ZEROS.len());
        put(out, ZEROS.get(..step).unwrap_or_default())?;
        len = len.saturating_sub(step as u64);
    }
    Ok(())
}
