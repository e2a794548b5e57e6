use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u32};
use nom::{IResult, Parser};

/// What the header extensions tell a reader; extensions that do not concern it are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Extensions {
    pub(crate) backing_format: Option<String>,
    pub(crate) data_file_name: Option<Vec<u8>>,
    pub(crate) feature_names: Vec<FeatureName>,
}

/// How the image's writer calls a feature bit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeatureName {
    /// 0 for incompatible features, 1 for compatible, 2 for autoclear ones.
    pub(crate) class: u8,
    pub(crate) bit: u8,
    pub(crate) name: String,
}

const END: u32 = 0;
const BACKING_FORMAT: u32 = 0xe279_2aca;
const DATA_FILE_NAME: u32 = 0x4441_5441;
const FEATURE_NAMES: u32 = 0x6803_f857;

impl Extensions {
    /// Parses the area between the header and the backing file name.
    ///
    /// All that they tell a reader is names, so damage among them does not cost the image: what stands behind
    /// it is left out.
    pub(crate) fn parse(mut area: &[u8]) -> Self {
        let mut found = Self::default();
        while let Ok((rest, (kind, content))) = extension(area) {
            match kind {
                END => break,
                BACKING_FORMAT => found.backing_format = Some(text(content)),
                DATA_FILE_NAME => found.data_file_name = Some(content.to_vec()),
                FEATURE_NAMES => found.feature_names = feature_names(content),
                _ => {}
            }
            area = rest;
        }
        found
    }

    /// The name of an incompatible feature bit.
    pub(crate) fn incompatible_name(&self, bit: u8) -> Option<&str> {
        let named = self.feature_names.iter().find(|feature| feature.class == 0 && feature.bit == bit);
        named.map(|feature| feature.name.as_str())
    }
}

/// ```text
/// 0  type
/// 4  length
/// 8  content, padded to a multiple of 8 bytes
/// ```
fn extension(input: &[u8]) -> IResult<&[u8], (u32, &[u8])> {
    let (input, (kind, len)) = (be_u32, be_u32).parse(input)?;
    let (input, content) = take(len).parse(input)?;
    let padding = len.wrapping_neg() % 8;
    // The area may end without the padding of its last extension.
    let (input, _) = take(padding.min(u32::try_from(input.len()).unwrap_or(u32::MAX))).parse(input)?;
    Ok((input, (kind, content)))
}

/// ```text
/// 0  class   1  bit number   2  name, padded with zeros to 46 bytes
/// ```
fn feature_name(input: &[u8]) -> IResult<&[u8], FeatureName> {
    let (input, (class, bit, name)) = (be_u8, be_u8, take(46_usize)).parse(input)?;
    Ok((input, FeatureName { class, bit, name: text(name) }))
}

fn feature_names(mut input: &[u8]) -> Vec<FeatureName> {
    std::iter::from_fn(|| {
        let (rest, name) = feature_name(input).ok()?;
        input = rest;
        Some(name)
    })
    .collect()
}

/// Text up to its first NUL, if it has one.
fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
