use std::io::{self, Read};

use super::extended::Extended;
use super::header::{self, RawHeader};
use super::member::{self, MemberKind, TarMember};
use super::sparse;
use super::{BLOCK_BYTES, TarLimits};
use crate::{DataRange, Error, FileKind, Result};

/// Reads a tar archive member by member, in one pass, from any stream.
///
/// It reads what POSIX's pax, GNU tar (`gnu`, `oldgnu`, `posix`, `ustar` and `v7` formats, all sparse formats),
/// star and Go write. Where such programs disagreed in the past and attackers could show each another archive, it
/// does as POSIX says: a PAX header describes the next file, not a GNU long name before it; a `size` record
/// decides where the content ends, for files that have content; of equal records the last counts; a malformed or
/// repeated extended header is an error.
///
/// ```
/// use file_tree::{Control, HostTree, TarLimits, TarOptions, TarReader, write_tar};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut archive = Vec::new();
/// let tree = HostTree::open("src")?;
/// let report = write_tar(&tree, &mut archive, &TarOptions::default(), &Control::default())?;
/// assert!(report.is_complete());
///
/// let mut reader = TarReader::new(archive.as_slice(), TarLimits::default());
/// while let Some(member) = reader.next_member()? {
///     let mut size = 0;
///     let mut buffer = vec![0; 65536];
///     while let Some(piece) = reader.read_content(&mut buffer)? {
///         size = piece.offset + piece.len;
///     }
///     assert_eq!(size, member.metadata.size, "there are no holes in these files");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TarReader<R> {
    input: R,
    limits: TarLimits,
    /// How many bytes were read so far.
    position: u64,
    members: u64,
    content_bytes: u64,
    /// What global headers said.
    global: Extended,
    global_bytes: u64,
    /// The content of the current member that was not read yet, the next range last.
    ranges: Vec<DataRange>,
    /// How many bytes come before the next header.
    rest: u64,
    is_at_end: bool,
}

/// The extended headers that stand before a member.
#[derive(Default)]
struct Before {
    long_path: Option<Vec<u8>>,
    long_link_path: Option<Vec<u8>>,
    extended: Option<Extended>,
}

/// Global headers are copied for every member. What programs write there is a comment.
const MAX_GLOBAL_BYTES: u64 = 64 << 10;

impl<R: Read> TarReader<R> {
    /// Begins to read an archive; nothing is read yet.
    pub fn new(input: R, limits: TarLimits) -> Self {
        Self {
            input,
            limits,
            position: 0,
            members: 0,
            content_bytes: 0,
            global: Extended::default(),
            global_bytes: 0,
            ranges: Vec::new(),
            rest: 0,
            is_at_end: false,
        }
    }

    /// Goes to the next member, past what was not read of the current one. `None` at the end of the archive: a
    /// block of zeros, or the end of the stream where a header would begin.
    pub fn next_member(&mut self) -> Result<Option<TarMember>> {
        if self.is_at_end {
            return Ok(None);
        }
        let member = self.read_member();
        if !matches!(member, Ok(Some(_))) {
            self.is_at_end = true;
            self.ranges.clear();
        }
        member
    }

    /// Reads the next piece of a regular file's content into `buf`, from its beginning on, and tells where in the
    /// file it belongs; `None` once all was read. What lies between pieces is a hole. The buffer must not be empty.
    pub fn read_content(&mut self, buf: &mut [u8]) -> Result<Option<DataRange>> {
        let Some(range) = self.ranges.last_mut() else { return Ok(None) };
        let wanted = usize::try_from(range.len).unwrap_or(usize::MAX).min(buf.len());
        let piece = DataRange { offset: range.offset, len: wanted as u64 };
        range.offset = range.offset.saturating_add(piece.len);
        range.len = range.len.saturating_sub(piece.len);
        if range.len == 0 {
            self.ranges.pop();
        }
        let buf = buf.get_mut(..wanted).unwrap_or_default();
        self.rest = self.rest.saturating_sub(piece.len);
        if let Err(error) = self.read_exact(buf, "file in the archive") {
            self.is_at_end = true;
            self.ranges.clear();
            return Err(error);
        }
        Ok(Some(piece))
    }

    fn read_member(&mut self) -> Result<Option<TarMember>> {
        let mut before = Before::default();
        let mut offset = None;
        loop {
            self.skip_rest()?;
            let at = self.position;
            let Some(block) = self.read_block()?.filter(|block| !header::is_zero(block)) else {
                return match offset {
                    None => Ok(None),
                    Some(_) => Err(corrupt(at, "the member an extended header describes is missing")),
                };
            };
            let header = header::parse(&block).map_err(|detail| corrupt(at, detail))?;
            let first = *offset.get_or_insert(at);
            match header.type_flag {
                b'x' | b'X' => {
                    let records = self.read_extension(&header, self.limits.extended_header_bytes)?;
                    let mut extended = self.global.clone();
                    extended.add(&records).map_err(|detail| corrupt(at, detail))?;
                    if before.extended.replace(extended).is_some() {
                        return Err(corrupt(at, "two extended headers describe one member"));
                    }
                }
                b'g' => {
                    let records = self.read_extension(&header, self.limits.extended_header_bytes)?;
                    self.add_global(&records, at)?;
                    if before.is_empty() {
                        offset = None;
                    }
                }
                b'L' | b'K' => {
                    let mut path = self.read_extension(&header, self.limits.path_bytes)?;
                    path.truncate(path.iter().position(|&byte| byte == 0).unwrap_or(path.len()));
                    let slot = if header.type_flag == b'L' {
                        &mut before.long_path
                    } else {
                        &mut before.long_link_path
                    };
                    if slot.replace(path).is_some() {
                        return Err(corrupt(at, "two long names describe one member"));
                    }
                }
                _ => return self.member(&header, before, first, at).map(Some),
            }
        }
    }

    fn member(&mut self, header: &RawHeader, before: Before, offset: u64, at: u64) -> Result<TarMember> {
        self.members = self.members.saturating_add(1);
        limit("members of the archive", self.members, self.limits.members)?;
        let extended = before.extended.unwrap_or_else(|| self.global.clone());

        let path = extended.sparse.name.clone().or(extended.path.clone()).or(before.long_path);
        let path = path.unwrap_or_else(|| header.path.clone());
        let link_path =
            extended.link_path.clone().or(before.long_link_path).unwrap_or_else(|| header.link_path.clone());
        limit("bytes of a path", path.len() as u64, self.limits.path_bytes)?;
        limit("bytes of a link target", link_path.len() as u64, self.limits.path_bytes)?;

        let kind = MemberKind::new(header.type_flag, &path);
        let stored = member::stored_bytes(header.type_flag, extended.size.unwrap_or(header.size));
        self.rest = stored
            .checked_next_multiple_of(BLOCK_BYTES as u64)
            .ok_or_else(|| corrupt(at, "the size is too large"))?;
        self.content_bytes = self.content_bytes.saturating_add(stored);
        limit("bytes of content", self.content_bytes, self.limits.content_bytes)?;

        let size = match kind {
            MemberKind::File(FileKind::Regular) => self.begin_content(header, &extended, stored, at)?,
            MemberKind::File(FileKind::Symlink) => link_path.len() as u64,
            _ => 0,
        };
        let metadata = member::metadata(kind, size, header, &extended)
            .ok_or_else(|| corrupt(at, "the owner is too large"))?;
        let (xattrs, foreign_acl) = member::xattrs(extended);
        Ok(TarMember { path, kind, link_path, metadata, xattrs, foreign_acl, offset })
    }

    /// Finds where the content of a regular file belongs, and returns the size of the file.
    fn begin_content(
        &mut self,
        header: &RawHeader,
        extended: &Extended,
        stored: u64,
        at: u64,
    ) -> Result<u64> {
        let sparse = &extended.sparse;
        let (mut ranges, size, map_bytes) = if let Some(old) = &header.old_sparse {
            let mut ranges = old.ranges.clone();
            let mut is_continued = old.is_continued;
            while is_continued {
                limit("ranges of a sparse file", ranges.len() as u64, self.limits.sparse_ranges)?;
                let block =
                    self.read_block()?.ok_or_else(|| corrupt(at, "it ends within the map of the holes"))?;
                let (more, again) = header::parse_sparse_continuation(&block)
                    .ok_or_else(|| corrupt(at, "the map of the holes is malformed"))?;
                ranges.extend(more);
                is_continued = again;
            }
            (ranges, old.real_size, 0)
        } else if sparse.is_present() {
            let size = sparse.real_size.ok_or_else(|| corrupt(at, "a sparse file lacks its real size"))?;
            match (sparse.major.unwrap_or(0), sparse.minor.unwrap_or(0)) {
                (0, _) => (sparse.ranges.clone(), size, 0),
                (1, 0) => {
                    let (ranges, map_bytes) = self.read_map(stored, at)?;
                    (ranges, size, map_bytes)
                }
                (major, minor) => {
                    return Err(Error::Unsupported(format!(
                        "version {major}.{minor} of GNU tar's sparse format"
                    )));
                }
            }
        } else {
            (vec![DataRange { offset: 0, len: stored }], stored, 0)
        };
        limit("ranges of a sparse file", ranges.len() as u64, self.limits.sparse_ranges)?;
        ranges.retain(|range| range.len > 0);
        sparse::check(&ranges, size, stored.saturating_sub(map_bytes))
            .map_err(|detail| corrupt(at, detail))?;
        ranges.reverse();
        self.ranges = ranges;
        Ok(size)
    }

    /// Reads the map that stands before the content in sparse format 1.0, whole blocks of decimal numbers.
    fn read_map(&mut self, stored: u64, at: u64) -> Result<(Vec<DataRange>, u64)> {
        let mut map = sparse::MapReader::default();
        let mut map_bytes = 0_u64;
        while !map.is_complete() {
            map_bytes = map_bytes.saturating_add(BLOCK_BYTES as u64);
            let block = if map_bytes <= stored { self.read_block()? } else { None };
            let block = block.ok_or_else(|| corrupt(at, "it ends within the map of the holes"))?;
            self.rest = self.rest.saturating_sub(BLOCK_BYTES as u64);
            map.add(&block).map_err(|detail| corrupt(at, detail))?;
            limit("ranges of a sparse file", map.announced(), self.limits.sparse_ranges)?;
        }
        Ok((map.into_ranges(), map_bytes))
    }

    fn add_global(&mut self, records: &[u8], at: u64) -> Result<()> {
        self.global_bytes = self.global_bytes.saturating_add(records.len() as u64);
        limit("bytes of global extended headers", self.global_bytes, MAX_GLOBAL_BYTES)?;
        self.global.add(records).map_err(|detail| corrupt(at, detail))?;
        if self.global.names_one_member() {
            return Err(Error::Unsupported(
                "a global extended header with the path or size of a member".to_owned(),
            ));
        }
        Ok(())
    }

    fn read_extension(&mut self, header: &RawHeader, allowed: u64) -> Result<Vec<u8>> {
        limit("bytes of an extended header", header.size, allowed)?;
        let mut content = Vec::new();
        let read = (&mut self.input).take(header.size).read_to_end(&mut content);
        let len = read.map_err(|error| Error::io("read", b"the archive", error))?;
        self.position = self.position.saturating_add(len as u64);
        if len as u64 != header.size {
            return Err(corrupt(self.position, "it ends within an extended header"));
        }
        self.rest = header.size.next_multiple_of(BLOCK_BYTES as u64).saturating_sub(header.size);
        Ok(content)
    }

    fn read_block(&mut self) -> Result<Option<[u8; BLOCK_BYTES]>> {
        let mut block = [0; BLOCK_BYTES];
        match self.read_some(&mut block)? {
            0 => Ok(None),
            BLOCK_BYTES => Ok(Some(block)),
            _ => Err(corrupt(self.position, "it ends within a block")),
        }
    }

    fn read_exact(&mut self, buf: &mut [u8], structure: &str) -> Result<()> {
        if self.read_some(buf)? == buf.len() {
            return Ok(());
        }
        Err(Error::corrupt(structure, Some(self.position), "the archive ends within it"))
    }

    /// Passes over what remains of the current member. A last one may lack what fills up its last block.
    fn skip_rest(&mut self) -> Result<()> {
        let content = self.ranges.drain(..).fold(0_u64, |sum, range| sum.saturating_add(range.len));
        let rest = std::mem::take(&mut self.rest);
        let skipped = io::copy(&mut (&mut self.input).take(rest), &mut io::sink())
            .map_err(|error| Error::io("read", b"the archive", error))?;
        self.position = self.position.saturating_add(skipped);
        if skipped < content {
            return Err(Error::corrupt(
                "file in the archive",
                Some(self.position),
                "the archive ends within it",
            ));
        }
        Ok(())
    }

    /// Fills the buffer, less only at the end of the stream.
    fn read_some(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut filled = 0_usize;
        while let Some(free) = buf.get_mut(filled..).filter(|free| !free.is_empty()) {
            match self.input.read(free) {
                Ok(0) => break,
                Ok(len) => filled = filled.saturating_add(len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("read", b"the archive", error)),
            }
        }
        self.position = self.position.saturating_add(filled as u64);
        Ok(filled)
    }
}

impl Before {
    fn is_empty(&self) -> bool {
        self.long_path.is_none() && self.long_link_path.is_none() && self.extended.is_none()
    }
}

fn corrupt(offset: u64, detail: &str) -> Error {
    Error::corrupt("tar archive", Some(offset), detail)
}

fn limit(what: &'static str, needed: u64, allowed: u64) -> Result<()> {
    if needed > allowed { Err(Error::Limit { what, needed, allowed }) } else { Ok(()) }
}
