use std::cell::RefCell;
use std::collections::HashMap;

use super::Database;
use super::meta::Meta;
use super::page::{Budget, LEAF, LeafElement, Page, u64_at};
use crate::Corrupt;

/// The database as one transaction left it.
#[derive(Debug)]
pub struct State<'a> {
    database: Database<'a>,
    meta: Meta,
    /// From where each page was reached. Exactly one element points to each page of a sound tree. Where another does
    /// too, it is refused: no walk loops, and none sees a page twice.
    reached_from: RefCell<HashMap<u64, Origin>>,
}

/// The element that points to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Origin {
    page_offset: u64,
    index: usize,
}

/// A bucket: keys in bytewise order, each with a value or a bucket of its own.
#[derive(Debug, Clone, Copy)]
pub struct Bucket<'a, 's> {
    state: &'s State<'a>,
    root: Root<'a>,
}

/// What a key of a bucket holds.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a, 's> {
    /// A value.
    Value {
        /// Its bytes.
        bytes: &'a [u8],
        /// Where they lie in the file.
        offset: u64,
    },
    /// A bucket.
    Bucket(Bucket<'a, 's>),
}

/// The entries of a bucket in order; each `Err` is one damaged page or element, and the iteration goes on behind it.
#[derive(Debug)]
pub struct Entries<'a, 's> {
    state: &'s State<'a>,
    bucket_root: Root<'a>,
    has_started: bool,
    /// The pages from the root to where the walk stands, each with the index of its next element.
    stack: Vec<(Page<'a>, usize)>,
    budget: Budget,
}

/// Where a bucket's tree begins.
#[derive(Debug, Clone, Copy)]
enum Root<'a> {
    /// At a page of the file.
    Page { number: u64, from: Origin },
    /// In a page within the bucket's own value.
    Inline { bytes: &'a [u8], offset: u64 },
}

/// A bucket's value: root page u64, sequence u64, and the inline page if the root page is 0.
const BUCKET_HEADER_BYTES: usize = 16;

impl<'a> State<'a> {
    pub(super) fn new(database: Database<'a>, meta: Meta) -> Self {
        Self { database, meta, reached_from: RefCell::default() }
    }

    /// The number of the transaction; the newer state has the greater.
    #[must_use]
    pub fn transaction(&self) -> u64 {
        self.meta.transaction
    }

    /// The bucket that holds all others.
    #[must_use]
    pub fn root(&self) -> Bucket<'a, '_> {
        let from = Origin { page_offset: 0, index: 0 };
        Bucket { state: self, root: Root::Page { number: self.meta.root_page, from } }
    }

    /// The page `number`, to which the element `from` points.
    fn page(&self, number: u64, from: Origin) -> Result<Page<'a>, Corrupt> {
        let page = self.database.page(number)?;
        if *self.reached_from.borrow_mut().entry(number).or_insert(from) != from {
            let detail =
                format!("its element {} points to page {number}, which belongs elsewhere", from.index);
            return Err(Corrupt { structure: "bolt page", offset: from.page_offset, detail });
        }
        Ok(page)
    }
}

impl<'a, 's> Bucket<'a, 's> {
    /// The entries, in bytewise order of their keys.
    #[must_use]
    pub fn entries(&self) -> Entries<'a, 's> {
        let budget = Budget::for_file(self.state.database.bytes);
        let (state, bucket_root) = (self.state, self.root);
        Entries { state, bucket_root, has_started: false, stack: Vec::new(), budget }
    }

    /// The bucket under `key`, if this bucket has one.
    ///
    /// # Errors
    ///
    /// If it was not found and part of this bucket is damaged: it may have been there.
    pub fn bucket(&self, key: &[u8]) -> Result<Option<Self>, Corrupt> {
        let mut damage = None;
        for entry in self.entries() {
            match entry {
                Ok((found, Entry::Bucket(bucket))) if found == key => return Ok(Some(bucket)),
                Ok(_) => {}
                Err(corrupt) => damage = damage.or(Some(corrupt)),
            }
        }
        damage.map_or(Ok(None), Err)
    }
}

impl<'a, 's> Entries<'a, 's> {
    fn open_root(&self) -> Result<Page<'a>, Corrupt> {
        match self.bucket_root {
            Root::Page { number, from } => self.state.page(number, from),
            Root::Inline { bytes, offset } => Page::parse_inline(bytes, offset),
        }
    }

    fn entry(&self, page: &Page<'a>, index: usize, element: LeafElement<'a>) -> Item<'a, 's> {
        let LeafElement { key, value, is_bucket, value_offset } = element;
        if !is_bucket {
            return Ok((key, Entry::Value { bytes: value, offset: value_offset }));
        }
        let corrupt = |detail: &str| Corrupt {
            structure: "bolt bucket",
            offset: value_offset,
            detail: detail.to_owned(),
        };
        // bbolt inlines no bucket that has buckets; were it allowed, a page could be reached twice by one element.
        if matches!(self.bucket_root, Root::Inline { .. }) {
            return Err(corrupt("it lies in an inline bucket"));
        }
        let (Some(number), Some(inline)) = (u64_at(value, 0), value.get(BUCKET_HEADER_BYTES..)) else {
            return Err(corrupt("it is shorter than its header"));
        };
        let root = if number == 0 {
            let offset = value_offset.saturating_add(BUCKET_HEADER_BYTES as u64);
            Root::Inline { bytes: inline, offset }
        } else {
            Root::Page { number, from: Origin { page_offset: page.offset, index } }
        };
        Ok((key, Entry::Bucket(Bucket { state: self.state, root })))
    }
}

type Item<'a, 's> = Result<(&'a [u8], Entry<'a, 's>), Corrupt>;

impl<'a, 's> Iterator for Entries<'a, 's> {
    type Item = Item<'a, 's>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.has_started {
            self.has_started = true;
            match self.open_root() {
                Ok(page) => self.stack.push((page, 0)),
                Err(corrupt) => return Some(Err(corrupt)),
            }
        }
        loop {
            let (page, next) = self.stack.last_mut()?;
            let (page, index) = (*page, *next);
            if index >= page.count {
                self.stack.pop();
                continue;
            }
            *next = index.saturating_add(1);
            let leaf_element = (page.kind == LEAF).then(|| page.leaf_element(index));
            let len = leaf_element.as_ref().map_or(0, |element| element.as_ref().map_or(0, LeafElement::len));
            if !self.budget.spend(len) {
                self.stack.clear();
                return Some(Err(page.overlapping()));
            }
            if let Some(element) = leaf_element {
                return Some(element.and_then(|element| self.entry(&page, index, element)));
            }
            let from = Origin { page_offset: page.offset, index };
            match page.child(index).and_then(|number| self.state.page(number, from)) {
                Ok(page) => self.stack.push((page, 0)),
                Err(corrupt) => return Some(Err(corrupt)),
            }
        }
    }
}
