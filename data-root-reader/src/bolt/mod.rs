//! A reader for [bbolt](https://github.com/etcd-io/bbolt) databases: one file of pages, a B+tree of buckets.
//!
//! dockerd, containerd and `BuildKit` keep their records in such files, and panic when one is damaged. This reader
//! ignores the free list, checks every bound, and goes on behind a damaged page. [`Database::states`] gives the newest
//! state and the one before it, of which bbolt's copy-on-write leaves much in place, and [`Database::leaf_elements`]
//! gives what any page still holds when no state can be reached.

mod meta;
mod page;
mod state;

use crate::{Corrupt, Error, Result};
use meta::Meta;
use page::{Budget, LEAF, LeafElement, Page};
pub use state::{Bucket, Entries, Entry, State};

/// The sizes of pages that bbolt uses: the operating system's page size.
const PAGE_SIZES: [u32; 8] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];

/// A database in memory.
#[derive(Debug, Clone, Copy)]
pub struct Database<'a> {
    bytes: &'a [u8],
    page_size_bytes: u32,
    metas: [Option<Meta>; 2],
}

impl<'a> Database<'a> {
    /// Finds the two meta pages of a database, of which one is enough.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if neither is whole, [`Error::Unsupported`] if they are of another version.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        // The second meta page lies one page behind the first, which says how far that is, or else is damaged.
        let first = Meta::parse(bytes);
        let page_size_bytes = match &first {
            Ok(meta) => meta.page_size_bytes,
            Err(problem) => {
                let second = PAGE_SIZES.into_iter().find(|&size| {
                    bytes
                        .get(size as usize..)
                        .is_some_and(|page| Meta::parse(page).is_ok_and(|meta| meta.page_size_bytes == size))
                });
                second.ok_or_else(|| problem.clone().into_error())?
            }
        };
        let second = bytes
            .get(page_size_bytes as usize..)
            .and_then(|page| Meta::parse(page).ok())
            .filter(|meta| meta.page_size_bytes == page_size_bytes);
        Ok(Self { bytes, page_size_bytes, metas: [first.ok(), second] })
    }

    /// The states that the meta pages describe, newest first.
    pub fn states(&self) -> impl Iterator<Item = State<'a>> + use<'a> {
        let mut metas: Vec<Meta> = self.metas.into_iter().flatten().collect();
        metas.sort_by_key(|meta| std::cmp::Reverse(meta.transaction));
        let database = *self;
        metas.into_iter().map(move |meta| State::new(database, meta))
    }

    /// The damage to one of the two meta pages, if there is any: the last transaction may be lost with it.
    #[must_use]
    pub fn damaged_meta(&self) -> Option<Corrupt> {
        let number = self.metas.iter().position(Option::is_none)?;
        let offset = if number == 0 { 0 } else { self.page_size_bytes.into() };
        let detail = "the other one is used".to_owned();
        Some(Corrupt { structure: "bolt meta page", offset, detail })
    }

    /// The keys and values in any page that looks like a leaf, in the order of the file, whether a state still reaches
    /// it or not: deleted and outdated records are among them.
    pub fn leaf_elements(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        leaf_elements(self.bytes, self.page_size_bytes)
    }

    fn page(&self, number: u64) -> Result<Page<'a>, Corrupt> {
        Page::parse(self.bytes, number, self.page_size_bytes)
    }
}

/// As [`Database::leaf_elements`], for a file whose meta pages are both lost; tries the usual sizes of pages.
pub fn stray_leaf_elements(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    // A page says its own number, so that pages of another size do not pass for leaves.
    PAGE_SIZES.into_iter().filter(|&size| size >= 4096).flat_map(|size| leaf_elements(bytes, size))
}

fn leaf_elements(bytes: &[u8], page_size_bytes: u32) -> impl Iterator<Item = (&[u8], &[u8])> {
    let offsets = (0..bytes.len()).step_by(page_size_bytes as usize);
    (0_u64..)
        .zip(offsets)
        .map(|(number, _)| number)
        .filter_map(move |number| Page::parse(bytes, number, page_size_bytes).ok())
        .filter(|page| page.kind == LEAF)
        .flat_map(|page| (0..page.count).map(move |index| page.leaf_element(index)))
        .scan(Budget::for_file(bytes), |budget, element| {
            budget.spend(element.as_ref().map_or(0, LeafElement::len)).then_some(element)
        })
        .filter_map(|element| element.ok().filter(|element| !element.is_bucket))
        .map(|element| (element.key, element.value))
}

impl meta::Problem {
    fn into_error(self) -> Error {
        match self {
            Self::Damaged(detail) => Corrupt { structure: "bolt meta page", offset: 0, detail }.into(),
            Self::OtherVersion(version) => {
                Error::Unsupported(format!("version {version} of the bolt format"))
            }
        }
    }
}
