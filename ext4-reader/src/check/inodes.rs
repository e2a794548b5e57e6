//! Inodes: what they say of themselves and where their content lies.

use std::ops::{ControlFlow, Range};

use super::{CheckStep, Checker, State, damage_of, len};
use crate::features::{INCOMPAT_EXTENTS, INCOMPAT_INLINE_DATA};
use crate::finding::{Amount, Cost};
use crate::mapping::tour::{Budget, Part, tour};
use crate::mapping::{Run, RunKind, inline};
use crate::salvage::is_hidden;
use crate::units::{BlockIndex, FileBlock};
use crate::{Corrupt, Error, Ext4, FileKind, Inode, InodeNumber, ReadAt, Result};

/// Their maps are no content: the first lists bad sectors, the other keeps room for more descriptors.
const BAD_BLOCKS: InodeNumber = InodeNumber(1);
const RESIZE: InodeNumber = InodeNumber(7);
/// Content may lie behind the end: fs-verity's hashes, and in old file systems what was reserved there.
const FLAGS_BEHIND_THE_END: u32 = 0x10_0000 | 0x40_0000;
/// Files may share their blocks by right, as they do in some read-only images of Android.
const RO_COMPAT_SHARED_BLOCKS: u32 = 0x4000;

impl<S: ReadAt> Checker<'_, S> {
    pub(super) fn scan(&mut self) -> ControlFlow<()> {
        let total = u64::from(self.filesystem.superblock().inodes_count());
        for (count, inode) in (0_u64..).zip(in_use(self.filesystem)) {
            if super::is_worth_saying(count) {
                let number = inode.as_ref().map_or(0, |inode| inode.number().0);
                self.report(CheckStep::Inodes, number.into(), total)?;
            }
            match inode {
                Ok(inode) => self.examine(&inode),
                // How many files that are the names tell that lead there.
                Err(error) => {
                    let offset = self.filesystem.device().offset_of_superblock();
                    if let Some(damage) = damage_of(error, "inode", offset) {
                        let lost = damage.inode().is_none();
                        let amount = if lost { Amount::default() } else { Amount::files(1) };
                        self.find(damage, Cost::Files, amount);
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// An inode that is in use.
    pub(super) fn examine(&mut self, inode: &Inode) {
        let is_hidden = is_hidden(self.filesystem, inode) && inode.number() != InodeNumber::ROOT;
        let state = State::in_use(inode.kind());
        let state = if is_hidden { state.and(State::HIDDEN) } else { state };
        if self.inodes.add(inode.number(), state).kind().is_some() {
            return;
        }
        if !is_hidden {
            let of_kind = match inode.kind() {
                FileKind::Directory => &mut self.totals.directories,
                _ => &mut self.totals.files,
            };
            *of_kind = of_kind.saturating_add(1);
        }
        self.features(inode);
        let readable = if self.has_map(inode) {
            self.map(inode, is_hidden)
        } else if inline::is_inline(inode) {
            self.inline_content(inode)
        } else {
            0
        };
        if inode.kind() == FileKind::Regular && !is_hidden {
            self.totals.bytes_readable = self.totals.bytes_readable.saturating_add(readable);
        }
        if inode.kind() == FileKind::Symlink {
            self.target(inode);
        }
        self.attributes(inode);
    }

    /// What the kernel would not read without the feature is read here: it is the flag or the superblock that is wrong.
    fn features(&mut self, inode: &Inode) {
        let features = self.filesystem.superblock().features();
        for (has, feature, name) in [
            (inode.has_extents(), INCOMPAT_EXTENTS, "extents"),
            (inline::is_inline(inode), INCOMPAT_INLINE_DATA, "inline data"),
        ] {
            if has && !features.has_incompat(feature) {
                let detail = format!("it has {name}, a feature that the superblock does not have");
                let damage = Corrupt::new("inode", inode.offset, detail).of_inode(inode.number());
                self.find(damage, Cost::Doubt, Amount::one_file(inode.content_bytes()));
            }
        }
    }

    pub(super) fn has_map(&self, inode: &Inode) -> bool {
        let may_have = match inode.kind() {
            FileKind::Regular | FileKind::Directory => true,
            FileKind::Symlink => !self.filesystem.is_fast_link(inode),
            _ => false,
        };
        may_have && !inline::is_inline(inode) && ![BAD_BLOCKS, RESIZE].contains(&inode.number())
    }

    /// Follows the map of a file, and returns how many bytes of its content can be read.
    fn map(&mut self, inode: &Inode, is_hidden: bool) -> u64 {
        let filesystem = self.filesystem;
        let block_size = filesystem.superblock().block_size;
        let end = block_size.blocks_for(inode.size());
        let mut map = Map { readable: 0, data_end: 0, told: 0 };
        let mut maps = Budget(self.maps.0);
        tour(filesystem.device(), inode, &mut maps, &mut |part| match part {
            Part::Node(block) => self.claim(inode, &(block.0..block.plus(1).0), "a block of its map"),
            Part::Run(Run { first, blocks, kind }) => {
                let within = first.min(end)..first.saturating_add(blocks).min(end);
                map.told = map.told.saturating_add(len(&within));
                match kind {
                    RunKind::Damaged(error) => self.lose(inode, is_hidden, &within, error),
                    RunKind::Data(start) => {
                        self.claim(inode, &(start.0..start.plus(blocks).0), "its content");
                        map.data_end = map.data_end.max(first.saturating_add(blocks));
                        let absent = self.absent(start, first, &within);
                        if !absent.is_empty() && !is_hidden {
                            let error = Error::corrupt(
                                "file content",
                                filesystem.device().offset_of(start),
                                "it lies behind the end of the disk, which was cut off",
                            );
                            self.lose(inode, is_hidden, &absent, error);
                        }
                        map.readable = map.readable.saturating_add(len(&within)).saturating_sub(len(&absent));
                    }
                    RunKind::Unwritten(start) => {
                        self.claim(inode, &(start.0..start.plus(blocks).0), "its content");
                        if inode.kind() == FileKind::Directory {
                            map.data_end = map.data_end.max(first.saturating_add(blocks));
                        }
                    }
                }
            }
        });
        self.maps = maps;
        self.size(inode, is_hidden, map.data_end, end);
        if inode.kind() == FileKind::Directory && map.told < end && inode.ranges.is_none() {
            let detail = format!("{} of its blocks are missing", end.saturating_sub(map.told));
            let damage = Corrupt::new("directory", inode.offset, detail).of_inode(inode.number());
            self.find(damage, Cost::Names, Amount::default());
        }
        block_size.offset_of(map.readable).min(inode.size())
    }

    /// What of a run that begins at `first` of the file and lies at `start` is behind the end of the source.
    fn absent(&self, start: BlockIndex, first: FileBlock, within: &Range<FileBlock>) -> Range<FileBlock> {
        let present = self.filesystem.device().present_blocks().saturating_sub(start.0);
        first.saturating_add(present).clamp(within.start, within.end)..within.end
    }

    fn lose(&mut self, inode: &Inode, is_hidden: bool, range: &Range<FileBlock>, error: Error) {
        let Some(damage) = damage_of(error, "inode", inode.offset) else { return };
        let damage = damage.of_inode(inode.number());
        // What a directory loses is told when it is read.
        if inode.kind() == FileKind::Directory {
            self.inodes.add(inode.number(), State::DAMAGED);
            return;
        }
        let block_size = self.filesystem.superblock().block_size;
        let start = block_size.offset_of(range.start);
        let bytes = block_size.offset_of(range.end).min(inode.size()).saturating_sub(start);
        let most = block_size.offset_of(self.filesystem.device().present_blocks());
        if is_hidden {
            self.find(damage, Cost::Nothing, Amount::default());
        } else if bytes == 0 {
            self.find(damage, Cost::Doubt, Amount::files(1));
        } else {
            self.find(damage, Cost::Content, Amount::one_file(bytes.min(most)));
        }
    }

    /// `data_end` is where the last block of the file ends that holds something, `end` where its size says it ends.
    fn size(&mut self, inode: &Inode, is_hidden: bool, data_end: FileBlock, end: FileBlock) {
        let last = self.filesystem.superblock().block_size.offset_of(data_end.saturating_sub(1));
        let goes_on = inode.flags() & FLAGS_BEHIND_THE_END != 0
            || self.truncated.binary_search(&inode.number()).is_ok();
        let detail = match inode.kind() {
            _ if is_hidden => return,
            FileKind::Directory if inode.size() == 0 => "it is a directory without blocks".to_owned(),
            FileKind::Directory
                if !inode.size().is_multiple_of(self.filesystem.superblock().block_size_bytes()) =>
            {
                format!("its size is {}, no whole number of blocks", inode.size())
            }
            FileKind::Directory if data_end > end => {
                format!("its size is {}, but it has blocks behind that", inode.size())
            }
            FileKind::Regular if last > inode.size() && !goes_on => {
                format!("its size is {}, but it has blocks behind that", inode.size())
            }
            _ => return,
        };
        let damage = Corrupt::new("inode", inode.offset, detail).of_inode(inode.number());
        let hidden = self.filesystem.superblock().block_size.offset_of(data_end.saturating_sub(end));
        self.find(damage, Cost::Doubt, Amount::one_file(hidden));
    }

    fn inline_content(&mut self, inode: &Inode) -> u64 {
        if inode.kind() == FileKind::Regular
            && let Err(error) = inline::content(inode)
        {
            if let Some(damage) = damage_of(error, "inline data", inode.offset) {
                self.find(damage, Cost::Content, Amount::one_file(inode.size().min(inode.content_bytes())));
            }
            return 0;
        }
        inode.size()
    }

    fn target(&mut self, link: &Inode) {
        let damage = match self.filesystem.read_link(link) {
            Ok(target) if crate::bytes::to_u64(target.len()) == link.size() && !target.is_empty() => return,
            Ok(_) => {
                let detail = "the target of the symbolic link is not as long as it says";
                self.find(
                    Corrupt::new("inode", link.offset, detail).of_inode(link.number()),
                    Cost::Doubt,
                    Amount::files(1),
                );
                return;
            }
            Err(error) => damage_of(error, "inode", link.offset),
        };
        if let Some(damage) = damage {
            self.find(damage.of_inode(link.number()), Cost::Files, Amount::files(1));
        }
    }

    fn claim(&mut self, inode: &Inode, blocks: &Range<u64>, what: &str) {
        let taken = self.system.count(blocks);
        if taken > 0 {
            let detail =
                format!("{what} lies where the file system keeps its own, from block {}", blocks.start);
            let damage = Corrupt::new("inode", inode.offset, detail).of_inode(inode.number());
            let bytes = self.filesystem.superblock().block_size.offset_of(taken);
            self.find(damage, Cost::Doubt, Amount::one_file(bytes));
        }
        self.claims.add(blocks);
    }

    /// Names the files that have blocks in common. Only one of them can have written what is there.
    pub(super) fn shared_blocks(&mut self) -> ControlFlow<()> {
        let filesystem = self.filesystem;
        let superblock = filesystem.superblock();
        if !self.claims.has_shared() || superblock.features().has_ro_compat(RO_COMPAT_SHARED_BLOCKS) {
            return ControlFlow::Continue(());
        }
        let total = u64::from(superblock.inodes_count());
        let mut maps = Budget(filesystem.device().present_blocks());
        for (count, inode) in (0_u64..).zip(in_use(filesystem).flatten()) {
            if super::is_worth_saying(count) {
                self.report(CheckStep::SharedBlocks, inode.number().0.into(), total)?;
            }
            let mut shared = 0_u64;
            let mut add = |blocks: Range<u64>| shared = shared.saturating_add(self.claims.shared(&blocks));
            if self.has_map(&inode) {
                tour(filesystem.device(), &inode, &mut maps, &mut |part| match part {
                    Part::Node(block) => add(block.0..block.plus(1).0),
                    Part::Run(Run {
                        blocks, kind: RunKind::Data(start) | RunKind::Unwritten(start), ..
                    }) => {
                        add(start.0..start.plus(blocks).0);
                    }
                    Part::Run(_) => {}
                });
            }
            if inode.attribute_block != 0 {
                add(inode.attribute_block..BlockIndex(inode.attribute_block).plus(1).0);
            }
            if shared > 0 {
                let detail = format!("{shared} of its blocks are in use in more than one place");
                let damage = Corrupt::new("inode", inode.offset, detail).of_inode(inode.number());
                self.find(damage, Cost::Doubt, Amount::one_file(superblock.block_size.offset_of(shared)));
            }
        }
        ControlFlow::Continue(())
    }
}

/// The inodes in use, as fast commits have them.
fn in_use<S: ReadAt>(filesystem: &Ext4<S>) -> impl Iterator<Item = Result<Inode>> + '_ {
    filesystem.scan().filter_map(|inode| match inode {
        Ok(inode) if filesystem.amendments.inode(inode.number()).is_some() => {
            let amended = filesystem.inode(inode.number());
            amended.as_ref().map_or(true, |inode| inode.links() > 0).then_some(amended)
        }
        inode => Some(inode),
    })
}

struct Map {
    /// In blocks.
    readable: u64,
    data_end: FileBlock,
    /// How many blocks the map speaks of, up to where the size says the file ends.
    told: u64,
}
