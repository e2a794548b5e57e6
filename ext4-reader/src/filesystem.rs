use std::fmt;
use std::ops::ControlFlow;

use crate::amendments::{self, Amendments};
use crate::bytes::{to_u64, to_usize};
use crate::device::{BlockDevice, Region};
use crate::features::INCOMPAT_EA_INODE;
use crate::finding::Amount;
use crate::inode::I_BLOCK_LEN;
use crate::journal::{self, FastCommits};
use crate::mapping::{RunKind, inline, next_run_of};
use crate::scrutiny::Scrutiny;
use crate::units::BlockIndex;
use crate::{
    Check, CheckProgress, Corrupt, DirEntry, Error, File, FileExtents, FileKind, Finding, Inode, InodeNumber,
    Journal, JournalState, OpenOptions, Orphan, ReadAt, ReadDir, Remains, Result, Scan, Superblock, Walk,
    Xattr, block_group, check, checksum, directory, orphans, path, salvage, superblock, superblock_search,
    xattr,
};

/// A file system of the kind ext2, ext3 or ext4, opened for reading.
///
/// All methods take `&self`, and the file system can be shared between threads if its source can.
pub struct Ext4<S> {
    device: BlockDevice<S>,
    superblock: Superblock,
    journal: JournalState,
    pub(crate) amendments: Amendments,
}

/// The kernel's bound on the target of a symbolic link, where blocks do not bound it further.
const MAX_LINK_LEN: u64 = 4096;

impl<S: ReadAt> Ext4<S> {
    /// Opens the file system that lies in `source`, with the default [`OpenOptions`].
    ///
    /// Fails with [`Error::NotExt4`] if there is none, and with [`Error::Unsupported`] if it has a feature that a
    /// reader must know and this one does not.
    pub fn open(source: S) -> Result<Self> {
        Self::open_with(source, None, &OpenOptions::default())
    }

    pub(crate) fn open_with(source: S, journal: Option<S>, options: &OpenOptions) -> Result<Self> {
        let region = Region::new(source, options.offset);
        let mut scrutiny = Scrutiny::new(options);
        let superblock = superblock_search::read(&region, &mut scrutiny)?;
        let device = BlockDevice::new(
            region,
            superblock.block_size,
            superblock.blocks_count(),
            options.cache_bytes,
            scrutiny,
        )
        .with_journal(journal.map(|journal| Region::new(journal, 0)));
        let opened = journal::open(&device, &superblock, options.journal)?;
        let device = device.with_overlay(opened.overlay, options.cache_bytes);
        let superblock = journaled_superblock(&device).unwrap_or(superblock);
        let device = device.with_blocks_count(superblock.blocks_count());
        let mut filesystem =
            Self { device, superblock, journal: opened.state, amendments: Amendments::default() };
        filesystem.apply_fast_commits(opened.fast_commits, options.journal)?;
        Ok(filesystem)
    }

    fn apply_fast_commits(&mut self, fast_commits: FastCommits, journal: Journal) -> Result<()> {
        let outcome = amendments::apply(self, fast_commits.changes);
        let JournalState::Replayed(replay) = &mut self.journal else { return Ok(()) };
        match outcome {
            Ok(()) => replay.fast_commits = fast_commits.count,
            Err(error) if journal == Journal::Require => return Err(error),
            Err(error) => replay.fast_commits_left = Some(error.to_string()),
        }
        match &replay.fast_commits_left {
            Some(reason) if journal == Journal::Require => {
                let detail = format!("its fast commits cannot be applied: {reason}");
                Err(Error::corrupt("journal", self.device.offset_of_superblock(), detail))
            }
            _ => Ok(()),
        }
    }

    /// The superblock.
    #[must_use]
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Whether the journal held changes, and whether what is shown here has them.
    #[must_use]
    pub fn journal_state(&self) -> &JournalState {
        &self.journal
    }

    /// The files that were deleted while open, or were being cut short, when the disk was last written: what the kernel
    /// would finish at the next mount. What is shown is as after that: the deleted have no names, and nothing is read
    /// behind the end of the others.
    pub fn orphans(&self) -> Result<Vec<Orphan>> {
        orphans::read(self)
    }

    /// The damage that was read past so far, by its place in the source; at most 10,000 are kept.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.device.scrutiny().findings()
    }

    /// The root directory.
    pub fn root(&self) -> Result<Inode> {
        self.inode(InodeNumber::ROOT)
    }

    /// The inode of a number.
    ///
    /// Fails with [`Error::Corrupt`] if there is no such inode or it is no file's.
    pub fn inode(&self, number: InodeNumber) -> Result<Inode> {
        let (block, offset) = inode_location(&self.device, &self.superblock, number)?;
        let source_offset = self.device.offset_of(block).saturating_add(to_u64(offset));
        let amended = self.amendments.inode(number);
        let mut inode = if let Some(bytes) = amended.and_then(|amended| amended.bytes.as_ref()) {
            // A fast commit changes an inode without its checksum.
            parse_inode(number, bytes, source_offset, &self.superblock)?
        } else {
            let table = self.device.table_block(block, "inode")?;
            let bytes = table.get(offset..).unwrap_or_default();
            let bytes = bytes.get(..self.superblock.inode_size.into()).unwrap_or_default();
            self.verified_inode(parse_inode(number, bytes, source_offset, &self.superblock)?, bytes)?
        };
        inode.ranges = amended.and_then(|amended| amended.ranges.clone());
        Ok(inode)
    }

    /// The inode that was parsed out of `bytes`, if its checksum does not stand against it.
    pub(crate) fn verified_inode(&self, inode: Inode, bytes: &[u8]) -> Result<Inode> {
        let scrutiny = self.device.scrutiny();
        if scrutiny.seed().is_some_and(|seed| !checksum::inode(seed, &inode, bytes)) {
            let damage = Corrupt::new("inode", inode.offset, "its checksum is wrong");
            let amount = Amount::one_file(inode.content_bytes());
            scrutiny.wrong_checksum(damage.of_inode(inode.number()), amount)?;
        }
        Ok(inode)
    }

    /// The bytes of an inode, and where they lie in the source.
    pub(crate) fn raw_inode(&self, number: InodeNumber) -> Result<(Vec<u8>, u64)> {
        let (bytes, offset) = read_raw_inode(&self.device, &self.superblock, number)?;
        let amended = self.amendments.inode(number).and_then(|amended| amended.bytes.clone());
        Ok((amended.unwrap_or(bytes), offset))
    }

    /// The entries of a directory, in the order they lie in, without `.` and `..`.
    pub fn read_dir<'a>(&'a self, directory: &'a Inode) -> Result<ReadDir<'a, S>> {
        directory::read(self, directory)
    }

    /// The entry `name` of a directory. Symbolic links are not followed.
    ///
    /// Fails with [`Error::NotFound`] if there is none.
    pub fn lookup_in(&self, directory: &Inode, name: &[u8]) -> Result<Inode> {
        self.inode(directory::lookup(self, directory, name)?)
    }

    /// The file at a path from the root, its components separated by `/`. Symbolic links are followed, absolute ones
    /// from the root of this file system.
    pub fn lookup(&self, path: impl AsRef<[u8]>) -> Result<Inode> {
        path::resolve(self, path.as_ref(), path::LastLink::Follow)
    }

    /// The same as [`lookup`](Self::lookup), but if the path leads to a symbolic link, that link.
    pub fn symlink_lookup(&self, path: impl AsRef<[u8]>) -> Result<Inode> {
        path::resolve(self, path.as_ref(), path::LastLink::Keep)
    }

    /// Opens the regular file at a path for `Read` and `Seek`.
    pub fn open_file(&self, path: impl AsRef<[u8]>) -> Result<File<'_, S>> {
        File::new(self, self.lookup(path)?)
    }

    /// All files below a directory, depth first, each directory before its entries.
    #[must_use]
    pub fn walk(&self, directory: &Inode) -> Walk<'_, S> {
        Walk::new(self, directory)
    }

    /// All inodes in use, in the order of their numbers, whether a path leads to them or not: the reserved ones too.
    ///
    /// Inode tables are read in large pieces and not kept, so that this is the fastest way to meet every file.
    #[must_use]
    pub fn scan(&self) -> Scan<'_, S> {
        Scan::in_use(self)
    }

    /// The files that no path leads to, as the entries of `lost+found` that `e2fsck` would make of them: `#` and the
    /// number of the inode. What a lost directory holds is found in it.
    ///
    /// This walks the whole tree and scans all inodes. What cannot be read in doing so is passed over; a directory that
    /// cannot be read may be why its files are here.
    #[must_use]
    pub fn lost_files(&self) -> Vec<DirEntry> {
        salvage::lost_files(self)
    }

    /// Examines the whole file system: all that `e2fsck -fn` would find and that matters to a reader, with what it costs.
    /// Checksums are looked at as the [options](OpenOptions::checksums) say. Nothing is written. Contents of files are not
    /// read, so that bad sectors show only where they hold metadata.
    ///
    /// `watch` is told now and then how far it is, and may end it.
    ///
    /// ```no_run
    /// use std::ops::ControlFlow;
    /// # fn f(fs: ext4_reader::Ext4<std::fs::File>) {
    /// let check = fs.check(|_| ControlFlow::Continue(()));
    /// println!("{} files, {} bytes are lost", check.files, check.bytes_lost);
    /// for finding in &check.findings {
    ///     println!("{finding}");
    /// }
    /// # }
    /// ```
    pub fn check(&self, mut watch: impl FnMut(CheckProgress) -> ControlFlow<()>) -> Check {
        check::check(self, &mut watch)
    }

    /// The inodes of deleted files, in the order of their numbers, as far as their places were not used again. What they
    /// were called is not known.
    #[must_use]
    pub fn deleted(&self) -> Scan<'_, S> {
        Scan::deleted(self)
    }

    /// What remains of a deleted file's content, by its map and by the bitmaps of what is in use. It is read like any
    /// other file's.
    pub fn remains(&self, deleted: &Inode) -> Result<Remains> {
        salvage::remains(self, deleted)
    }

    /// The target of a symbolic link, byte for byte.
    pub fn read_link(&self, link: &Inode) -> Result<Vec<u8>> {
        if link.kind() != FileKind::Symlink {
            return Err(Error::NotASymlink);
        }
        if link.is_encrypted() {
            return Err(Error::Unsupported("an encrypted symbolic link".to_owned()));
        }
        if link.size() > MAX_LINK_LEN.min(self.superblock.block_size_bytes()) {
            let detail = format!("a symbolic link of {} bytes", link.size());
            return Err(Error::corrupt("inode", link.offset, detail).of_inode(link.number()));
        }
        let mut target = vec![0; to_usize(link.size())];
        if self.is_fast_link(link) {
            target.iter_mut().zip(link.i_block).for_each(|(to, from)| *to = from);
        } else {
            self.read_content(link, &mut target, 0)?;
        }
        // The kernel takes targets for C strings.
        if let Some(end) = target.iter().position(|&byte| byte == 0) {
            target.truncate(end);
        }
        Ok(target)
    }

    /// Whether the target stands in `i_block`, in place of pointers: the link then has no block but that of attributes.
    /// With `ea_inode` the blocks of attributes in inodes count as the link's own, and its length alone decides.
    pub(crate) fn is_fast_link(&self, link: &Inode) -> bool {
        let attribute_bytes =
            if link.attribute_block == 0 { 0 } else { self.superblock.cluster_size_bytes() };
        link.size() < to_u64(I_BLOCK_LEN)
            && !link.has_extents()
            && !link.has_inline_data()
            && (self.superblock.features().has_incompat(INCOMPAT_EA_INODE)
                || link.allocated_bytes() <= attribute_bytes)
    }

    /// The extended attributes of a file, POSIX ACLs among them.
    pub fn xattrs(&self, inode: &Inode) -> Result<Vec<Xattr>> {
        xattr::read(self, inode).map_err(|error| error.of_inode(inode.number()))
    }

    /// The ranges of a regular file that are no holes, ascending.
    ///
    /// Fails with [`Error::NotAFile`] for other kinds.
    pub fn extents<'a>(&'a self, file: &'a Inode) -> Result<FileExtents<'a, S>> {
        match file.kind() {
            FileKind::Regular => Ok(FileExtents::new(&self.device, file)),
            _ => Err(Error::NotAFile),
        }
    }

    /// Reads a regular file's bytes at `offset`; holes and storage never written read as zeros. Returns how many bytes
    /// were read: fewer than `buf.len()` only where the file ends.
    pub fn read_at(&self, file: &Inode, buf: &mut [u8], offset: u64) -> Result<usize> {
        if file.kind() != FileKind::Regular {
            return Err(Error::NotAFile);
        }
        if file.is_encrypted() {
            return Err(Error::Unsupported("an encrypted file".to_owned()));
        }
        let left = to_usize(file.size().saturating_sub(offset));
        let len = buf.len().min(left);
        self.read_content(file, buf.get_mut(..len).unwrap_or_default(), offset)?;
        Ok(len)
    }

    /// Fills `buf` with what a file of any kind keeps in blocks or inline, from `offset`.
    pub(crate) fn read_content(&self, file: &Inode, buf: &mut [u8], offset: u64) -> Result<()> {
        if inline::is_inline(file) {
            let content = inline::content(file)?;
            buf.fill(0);
            let found = content.get(to_usize(offset)..).unwrap_or_default();
            buf.iter_mut().zip(found).for_each(|(to, from)| *to = *from);
            return Ok(());
        }
        let block_size = self.superblock.block_size;
        let mut buf = buf;
        let mut position = offset;
        while !buf.is_empty() {
            let first = block_size.blocks_before(position);
            let end = block_size.blocks_for(position.saturating_add(to_u64(buf.len())));
            let Some(run) = next_run_of(&self.device, file, first, end.saturating_sub(first)) else {
                buf.fill(0);
                return Ok(());
            };
            let start = block_size.offset_of(run.first);
            let hole = to_usize(start.saturating_sub(position)).min(buf.len());
            let (zeros, rest) = std::mem::take(&mut buf).split_at_mut(hole);
            zeros.fill(0);
            position = position.saturating_add(to_u64(hole));

            let within = position.saturating_sub(start);
            let left = to_usize(block_size.offset_of(run.blocks).saturating_sub(within)).min(rest.len());
            let (piece, rest) = rest.split_at_mut(left);
            if !piece.is_empty() {
                match run.kind {
                    RunKind::Data(first) => self.device.read(piece, first, within, "file content")?,
                    RunKind::Unwritten(_) => piece.fill(0),
                    RunKind::Damaged(error) => return Err(error),
                }
            }
            position = position.saturating_add(to_u64(left));
            buf = rest;
        }
        Ok(())
    }

    pub(crate) fn device(&self) -> &BlockDevice<S> {
        &self.device
    }
}

/// The inode of a number, as it lies on the disk.
pub(crate) fn read_inode<S: ReadAt>(
    device: &BlockDevice<S>,
    superblock: &Superblock,
    number: InodeNumber,
) -> Result<Inode> {
    let (bytes, offset) = read_raw_inode(device, superblock, number)?;
    parse_inode(number, &bytes, offset, superblock)
}

fn parse_inode(number: InodeNumber, bytes: &[u8], offset: u64, superblock: &Superblock) -> Result<Inode> {
    Inode::parse(number, bytes, offset, superblock)
        .ok_or_else(|| Error::corrupt("inode", offset, "its mode is no file's").of_inode(number))
}

fn read_raw_inode<S: ReadAt>(
    device: &BlockDevice<S>,
    superblock: &Superblock,
    number: InodeNumber,
) -> Result<(Vec<u8>, u64)> {
    let (block, offset) = inode_location(device, superblock, number)?;
    let bytes = device.metadata(block, "inode")?;
    let bytes = bytes.get(offset..).unwrap_or_default();
    let bytes = bytes.get(..superblock.inode_size.into()).unwrap_or_default();
    Ok((bytes.to_vec(), device.offset_of(block).saturating_add(to_u64(offset))))
}

/// The block an inode lies in, and its byte offset there.
fn inode_location<S: ReadAt>(
    device: &BlockDevice<S>,
    superblock: &Superblock,
    number: InodeNumber,
) -> Result<(BlockIndex, usize)> {
    let Some(index) = number.0.checked_sub(1).filter(|&index| index < superblock.inodes_count) else {
        let detail = format!("there is none of number {number}, only {}", superblock.inodes_count);
        return Err(Error::corrupt("inode", device.offset_of(BlockIndex(0)), detail));
    };
    let per_group = superblock.inodes_per_group;
    let (group, index) = (u64::from(index / per_group), u64::from(index % per_group));
    if group >= superblock.group_count() {
        let detail = format!("it belongs to group {group} of {}", superblock.group_count());
        return Err(Error::corrupt("inode", device.offset_of(BlockIndex(0)), detail).of_inode(number));
    }

    let table = block_group::read(device, superblock, group)?.inode_table;
    let at = index.saturating_mul(superblock.inode_size.into());
    let block_size = superblock.block_size;
    Ok((table.plus(block_size.blocks_before(at)), to_usize(block_size.offset_in_block(at))))
}

/// The superblock as the journal has it, if it does and that one can be used.
fn journaled_superblock<S: ReadAt>(device: &BlockDevice<S>) -> Option<Superblock> {
    let block = BlockIndex(device.block_size().blocks_before(superblock::OFFSET));
    if !device.is_journaled(block) {
        return None;
    }
    let mut bytes = [0; superblock::LEN];
    let within = device.block_size().offset_in_block(superblock::OFFSET);
    device.read(&mut bytes, block, within, "superblock").ok()?;
    let superblock = Superblock::parse(&bytes, device.offset_of(block).saturating_add(within)).ok()?;
    (superblock.block_size == device.block_size()).then_some(superblock)
}

impl<S> fmt::Debug for Ext4<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ext4").field("superblock", &self.superblock).finish_non_exhaustive()
    }
}
