//! The text that describes a VMDK (Virtual Disk Format 5.0, "The descriptor file"), inside the file or beside the
//! extents it names.

use super::unsupported;
use crate::disk::{Error, Result};

/// How long a descriptor may be. The longest real one names some thousand extents.
pub(super) const MAX_LEN: u64 = 1 << 20;
/// Each extent is an open file.
const MAX_EXTENTS: usize = 512;

/// What a descriptor says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) extents: Vec<Extent>,
}

/// A line that describes an extent: a stretch of the guest disk and what it is made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) sectors: u64,
    pub(super) content: Content,
}

/// What an extent is made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Zeros,
    /// The bytes of the named file from this sector on.
    Flat {
        name: String,
        first_sector: u64,
    },
    /// The named file is a sparse extent.
    Sparse {
        name: String,
    },
}

/// Parses a descriptor that lies at `offset`.
///
/// ```text
/// # Disk DescriptorFile
/// parentCID=ffffffff
/// createType="twoGbMaxExtentSparse"
/// RW 4192256 SPARSE "disk-s001.vmdk"
/// RW 2048 FLAT "disk-flat.vmdk" 0
/// ```
pub(super) fn parse(bytes: &[u8], offset: u64) -> Result<Descriptor> {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let mut extents = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some((key, value)) = line.split_once('=') {
            check_parent(key.trim(), value.trim())?;
        } else if let Some(extent) = parse_extent(line, offset)? {
            extents.push(extent);
        }
    }
    if extents.len() > MAX_EXTENTS {
        return Err(Error::Limit {
            what: "extents of the VMDK",
            needed: extents.len() as u64,
            allowed: MAX_EXTENTS as u64,
        });
    }
    Ok(Descriptor { extents })
}

/// A snapshot holds only what changed since its parent; alone, it would read as zeros between the changes.
fn check_parent(key: &str, value: &str) -> Result<()> {
    if key.eq_ignore_ascii_case("parentCID") && !value.eq_ignore_ascii_case("ffffffff") {
        return Err(Error::Unsupported {
            feature: "a VMDK snapshot, which needs its parent,".into(),
            advice: "convert it beside its parent with `qemu-img convert -O raw`",
        });
    }
    Ok(())
}

/// `None` for a line that describes no extent.
fn parse_extent(line: &str, offset: u64) -> Result<Option<Extent>> {
    let Some((access, rest)) = line.split_once(char::is_whitespace) else { return Ok(None) };
    match access {
        "RW" | "RDONLY" => {}
        "NOACCESS" => return Err(unsupported("a VMDK extent without access")),
        _ => return Ok(None),
    }
    let words = ExtentWords::parse(rest.trim_start());
    let nonsense =
        || Error::corrupt("VMDK descriptor", offset, format!("the extent {line:?} makes no sense"));
    let ExtentWords { sectors, kind, name, first_sector } = words.ok_or_else(nonsense)?;
    let named = name.filter(|name| !name.is_empty()).map(str::to_owned).ok_or_else(nonsense);
    let content = match kind {
        "ZERO" => Content::Zeros,
        "SPARSE" => Content::Sparse { name: named? },
        "FLAT" | "VMFS" => Content::Flat { name: named?, first_sector },
        kind => return Err(unsupported(format!("a VMDK extent of the type {kind}"))),
    };
    Ok(Some(Extent { sectors, content }))
}

/// What follows the access: `2048 FLAT "disk-flat.vmdk" 0`, without name or first sector where they do not apply.
struct ExtentWords<'a> {
    sectors: u64,
    kind: &'a str,
    name: Option<&'a str>,
    first_sector: u64,
}

impl<'a> ExtentWords<'a> {
    fn parse(words: &'a str) -> Option<Self> {
        let (before, quoted) = words.split_once('"').unwrap_or((words, ""));
        let (name, after) = quoted.split_once('"').unzip();
        let mut before = before.split_whitespace();
        Some(Self {
            sectors: before.next()?.parse().ok()?,
            kind: before.next()?,
            name,
            first_sector: match after.map(str::trim) {
                None | Some("") => 0,
                Some(number) => number.parse().ok()?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, Extent, parse};

    #[test]
    fn extents_of_each_kind_are_understood() {
        let text = "# Disk DescriptorFile\nversion=1\nparentCID=ffffffff\nRW 9 SPARSE \"a b-s001.vmdk\"\n\
                    RDONLY 4 FLAT \"x.vmdk\" 7\nRW 2 ZERO\nddb.adapterType = \"ide\"\n\0garbage\nRW 1 ZERO";
        let extents = parse(text.as_bytes(), 0).expect("valid").extents;
        let expected = [
            (9, Content::Sparse { name: "a b-s001.vmdk".into() }),
            (4, Content::Flat { name: "x.vmdk".into(), first_sector: 7 }),
            (2, Content::Zeros),
        ];
        assert_eq!(extents, expected.map(|(sectors, content)| Extent { sectors, content }));
    }

    #[test]
    fn what_cannot_be_read_whole_is_refused() {
        for (line, message) in [
            ("parentCID=12345678", "a VMDK snapshot, which needs its parent, is not supported"),
            ("RW 8 VMFSSPARSE \"x\"", "a VMDK extent of the type VMFSSPARSE is not supported"),
            ("NOACCESS 8 ZERO", "a VMDK extent without access is not supported"),
            (
                "RW many FLAT \"x\"",
                "the VMDK descriptor at byte offset 0 is damaged: the extent \"RW many FLAT \\\"x\\\"\" makes no sense",
            ),
        ] {
            assert_eq!(parse(line.as_bytes(), 0).expect_err(line).to_string(), message);
        }
    }
}
