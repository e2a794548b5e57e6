use crate::Corrupt;

/// A page and the overflow pages behind it.
///
/// ```text
/// header:          0 number u64   8 kind u16   10 count u16   12 overflow pages u32
/// branch element:  0 pos u32   4 key length u32   8 page u64
/// leaf element:    0 flags u32 (1: a bucket)   4 pos u32   8 key length u32   12 value length u32
/// ```
///
/// `pos` counts from the start of the element; the value follows the key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    pub(super) kind: u16,
    pub(super) count: usize,
    /// Where it lies in the file.
    pub(super) offset: u64,
    /// The page's bytes: fewer than its overflow count says if the file ends there.
    bytes: &'a [u8],
}

/// A key of a leaf with its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeafElement<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) is_bucket: bool,
    /// Where the value lies in the file.
    pub(super) value_offset: u64,
}

/// How many more bytes elements may claim. Those of a sound file do not overlap and stay below its size; without a
/// bound, a small file could name large values without end. The room above lets a damaged page not use up what the
/// others need.
#[derive(Debug)]
pub(super) struct Budget(usize);

pub(super) const BRANCH: u16 = 1;
pub(super) const LEAF: u16 = 2;
pub(super) const HEADER_BYTES: usize = 16;
const ELEMENT_BYTES: usize = 16;
const BUDGET_ROOM_BYTES: usize = 16 << 20;

impl<'a> Page<'a> {
    /// The page `number` of a file.
    pub(super) fn parse(file: &'a [u8], number: u64, page_size_bytes: u32) -> Result<Self, Corrupt> {
        let offset = number.saturating_mul(page_size_bytes.into());
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|at| file.get(at..))
            .ok_or_else(|| corrupt(offset, "it lies beyond the end of the file"))?;
        let overflow = u32_at(rest, 12).ok_or_else(|| corrupt(offset, "the file ends within its header"))?;
        let len = (u64::from(overflow).saturating_add(1)).saturating_mul(page_size_bytes.into());
        let bytes = usize::try_from(len).ok().and_then(|len| rest.get(..len)).unwrap_or(rest);
        if u64_at(bytes, 0) != Some(number) {
            return Err(corrupt(offset, "it bears the number of another page"));
        }
        Self::parse_at(bytes, offset)
    }

    /// The page within the value of an inline bucket, which has no number of its own and is always a leaf.
    pub(super) fn parse_inline(bytes: &'a [u8], offset: u64) -> Result<Self, Corrupt> {
        let page = Self::parse_at(bytes, offset)?;
        if page.kind == LEAF { Ok(page) } else { Err(corrupt(offset, "an inline bucket is not a leaf")) }
    }

    fn parse_at(bytes: &'a [u8], offset: u64) -> Result<Self, Corrupt> {
        let (Some(kind), Some(count)) = (u16_at(bytes, 8), u16_at(bytes, 10)) else {
            return Err(corrupt(offset, "the file ends within its header"));
        };
        if kind != BRANCH && kind != LEAF {
            return Err(corrupt(offset, &format!("{kind:#x} is neither a branch nor a leaf")));
        }
        // Of a count that is too large, one element beyond the page is enough to tell.
        let room = bytes.len().saturating_sub(HEADER_BYTES) / ELEMENT_BYTES;
        Ok(Self { kind, count: usize::from(count).min(room.saturating_add(1)), bytes, offset })
    }

    /// The number of the page below the key at `index` of a branch.
    pub(super) fn child(&self, index: usize) -> Result<u64, Corrupt> {
        let (at, element) = self.element(index)?;
        u64_at(element, 8).ok_or_else(|| self.corrupt_at(at, "it lies beyond its page"))
    }

    pub(super) fn leaf_element(&self, index: usize) -> Result<LeafElement<'a>, Corrupt> {
        let (at, element) = self.element(index)?;
        let field = |offset| u32_at(element, offset).and_then(|value| usize::try_from(value).ok());
        let ranges = || {
            let key_at = at.checked_add(field(4)?)?;
            let value_at = key_at.checked_add(field(8)?)?;
            let end = value_at.checked_add(field(12)?)?;
            Some((self.bytes.get(key_at..value_at)?, self.bytes.get(value_at..end)?, value_at))
        };
        let (key, value, value_at) =
            ranges().ok_or_else(|| self.corrupt_at(at, "its key or value lies beyond its page"))?;
        let is_bucket = u32_at(element, 0).is_some_and(|flags| flags & 1 != 0);
        Ok(LeafElement { key, value, is_bucket, value_offset: self.position(value_at) })
    }

    fn element(&self, index: usize) -> Result<(usize, &'a [u8]), Corrupt> {
        let at = index.saturating_mul(ELEMENT_BYTES).saturating_add(HEADER_BYTES);
        let element = self.bytes.get(at..).filter(|rest| rest.len() >= ELEMENT_BYTES);
        Ok((at, element.ok_or_else(|| self.corrupt_at(at, "it lies beyond its page"))?))
    }

    /// The error for elements that lie upon each other.
    pub(super) fn overlapping(&self) -> Corrupt {
        corrupt(self.offset, "its elements overlap others")
    }

    fn position(&self, at: usize) -> u64 {
        self.offset.saturating_add(at as u64)
    }

    fn corrupt_at(&self, at: usize, detail: &str) -> Corrupt {
        Corrupt { structure: "bolt element", offset: self.position(at), detail: detail.to_owned() }
    }
}

impl LeafElement<'_> {
    /// How many bytes the key and the value take.
    pub(super) fn len(&self) -> usize {
        self.key.len().saturating_add(self.value.len())
    }
}

impl Budget {
    pub(super) fn for_file(file: &[u8]) -> Self {
        Self(file.len().saturating_add(BUDGET_ROOM_BYTES))
    }

    /// Takes an element's key and value off; false if they are more than is left.
    pub(super) fn spend(&mut self, len: usize) -> bool {
        let left = self.0.checked_sub(len.saturating_add(ELEMENT_BYTES));
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

fn corrupt(offset: u64, detail: &str) -> Corrupt {
    Corrupt { structure: "bolt page", offset, detail: detail.to_owned() }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|&b| u16::from_le_bytes(b))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|&b| u32::from_le_bytes(b))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|&b| u64::from_le_bytes(b))
}
