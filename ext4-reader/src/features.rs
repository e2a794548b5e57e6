//! The feature bits of the superblock, by the names that `mke2fs` and `dumpe2fs` give them.

use crate::{Error, Result};

/// The features of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// `s_feature_compat`: what nobody need know.
    pub compat: u32,
    /// `s_feature_incompat`: what a reader must know.
    pub incompat: u32,
    /// `s_feature_ro_compat`: what a writer must know.
    pub ro_compat: u32,
}

pub(crate) const COMPAT_HAS_JOURNAL: u32 = 0x4;
pub(crate) const COMPAT_SPARSE_SUPER2: u32 = 0x200;
pub(crate) const COMPAT_ORPHAN_FILE: u32 = 0x1000;

pub(crate) const INCOMPAT_FILETYPE: u32 = 0x2;
pub(crate) const INCOMPAT_RECOVER: u32 = 0x4;
pub(crate) const INCOMPAT_JOURNAL_DEV: u32 = 0x8;
pub(crate) const INCOMPAT_META_BG: u32 = 0x10;
pub(crate) const INCOMPAT_EXTENTS: u32 = 0x40;
pub(crate) const INCOMPAT_64BIT: u32 = 0x80;
pub(crate) const INCOMPAT_FLEX_BG: u32 = 0x200;
pub(crate) const INCOMPAT_EA_INODE: u32 = 0x400;
pub(crate) const INCOMPAT_CSUM_SEED: u32 = 0x2000;
pub(crate) const INCOMPAT_LARGEDIR: u32 = 0x4000;
pub(crate) const INCOMPAT_INLINE_DATA: u32 = 0x8000;

pub(crate) const RO_COMPAT_SPARSE_SUPER: u32 = 0x1;
pub(crate) const RO_COMPAT_HUGE_FILE: u32 = 0x8;
pub(crate) const RO_COMPAT_UNINIT_BG: u32 = 0x10;
pub(crate) const RO_COMPAT_BIGALLOC: u32 = 0x200;
pub(crate) const RO_COMPAT_METADATA_CSUM: u32 = 0x400;
pub(crate) const RO_COMPAT_ORPHAN_PRESENT: u32 = 0x10000;

const COMPAT: [(u32, &str); 13] = [
    (0x1, "dir_prealloc"),
    (0x2, "imagic_inodes"),
    (COMPAT_HAS_JOURNAL, "has_journal"),
    (0x8, "ext_attr"),
    (0x10, "resize_inode"),
    (0x20, "dir_index"),
    (0x40, "lazy_bg"),
    (0x80, "snapshot_inode"),
    (0x100, "exclude_bitmap"),
    (COMPAT_SPARSE_SUPER2, "sparse_super2"),
    (0x400, "fast_commit"),
    (0x800, "stable_inodes"),
    (COMPAT_ORPHAN_FILE, "orphan_file"),
];

/// Each with whether this crate reads file systems that have it.
const INCOMPAT: [(u32, &str, bool); 16] = [
    (0x1, "compression", false),
    (INCOMPAT_FILETYPE, "filetype", true),
    (INCOMPAT_RECOVER, "needs_recovery", true),
    (INCOMPAT_JOURNAL_DEV, "journal_dev", false),
    (INCOMPAT_META_BG, "meta_bg", true),
    (INCOMPAT_EXTENTS, "extent", true),
    (INCOMPAT_64BIT, "64bit", true),
    (0x100, "mmp", true),
    (INCOMPAT_FLEX_BG, "flex_bg", true),
    (INCOMPAT_EA_INODE, "ea_inode", true),
    (0x1000, "dirdata", false),
    (INCOMPAT_CSUM_SEED, "metadata_csum_seed", true),
    (INCOMPAT_LARGEDIR, "large_dir", true),
    (INCOMPAT_INLINE_DATA, "inline_data", true),
    (0x10000, "encrypt", true),
    (0x20000, "casefold", true),
];

const RO_COMPAT: [(u32, &str); 17] = [
    (RO_COMPAT_SPARSE_SUPER, "sparse_super"),
    (0x2, "large_file"),
    (0x4, "btree_dir"),
    (RO_COMPAT_HUGE_FILE, "huge_file"),
    (RO_COMPAT_UNINIT_BG, "uninit_bg"),
    (0x20, "dir_nlink"),
    (0x40, "extra_isize"),
    (0x80, "snapshot"),
    (0x100, "quota"),
    (RO_COMPAT_BIGALLOC, "bigalloc"),
    (RO_COMPAT_METADATA_CSUM, "metadata_csum"),
    (0x800, "replica"),
    (0x1000, "read-only"),
    (0x2000, "project"),
    (0x4000, "shared_blocks"),
    (0x8000, "verity"),
    (RO_COMPAT_ORPHAN_PRESENT, "orphan_present"),
];

impl Features {
    /// The names of all features, unknown ones as their sort and bit: `incompat_0x80000`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let incompat: Vec<_> = INCOMPAT.iter().map(|&(bit, name, _)| (bit, name)).collect();
        let mut names = named("compat", self.compat, &COMPAT);
        names.extend(named("incompat", self.incompat, &incompat));
        names.extend(named("ro_compat", self.ro_compat, &RO_COMPAT));
        names
    }

    pub(crate) fn has_compat(&self, bit: u32) -> bool {
        self.compat & bit != 0
    }

    pub(crate) fn has_incompat(&self, bit: u32) -> bool {
        self.incompat & bit != 0
    }

    pub(crate) fn has_ro_compat(&self, bit: u32) -> bool {
        self.ro_compat & bit != 0
    }

    /// A journal device has a superblock too, but no files.
    pub(crate) fn refuse_journal_device(&self) -> Result<()> {
        if self.has_incompat(INCOMPAT_JOURNAL_DEV) {
            return Err(Error::Unsupported("a journal device, which holds no files,".to_owned()));
        }
        Ok(())
    }

    /// Refuses what a reader must know and this one does not.
    pub(crate) fn refuse_unknown(&self) -> Result<()> {
        self.unknown_to_reader().map_or(Ok(()), |unknown| Err(Error::Unsupported(unknown)))
    }

    /// What a reader must know and this one does not.
    pub(crate) fn unknown_to_reader(&self) -> Option<String> {
        let read = INCOMPAT.iter().filter(|feature| feature.2).fold(0, |bits, feature| bits | feature.0);
        let refused = Self { compat: 0, incompat: self.incompat & !read, ro_compat: 0 };
        let names = refused.names();
        (!names.is_empty()).then(|| format!("the feature {}", names.join(", ")))
    }
}

fn named(sort: &str, bits: u32, table: &[(u32, &str)]) -> Vec<String> {
    (0..u32::BITS)
        .map(|position| 1_u32.wrapping_shl(position))
        .filter(|bit| bits & bit != 0)
        .map(|bit| match table.iter().find(|(known, _)| *known == bit) {
            Some((_, name)) => (*name).to_owned(),
            None => format!("{sort}_{bit:#x}"),
        })
        .collect()
}
