use std::fmt;

use super::bytes::read_vec;
use super::{Bytes, Error, Result};

/// The formats of disk images that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiskFormat {
    /// The bytes of the disk as they are.
    Raw,
    /// qemu's format, version 2 or 3; Docker for Mac, Colima, Lima.
    Qcow2,
    /// The format of Hyper-V and WSL.
    Vhdx,
    /// The format of `VMware` and `VirtualBox`; docker-machine.
    Vmdk,
}

impl fmt::Display for DiskFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vhdx => "VHDX",
            Self::Vmdk => "VMDK",
        })
    }
}

/// What a file is if these bytes stand at this place of it.
struct Mark {
    offset: usize,
    magic: &'static [u8],
    means: Meaning,
}

#[derive(Clone, Copy)]
enum Meaning {
    Disk(DiskFormat),
    Compressed(&'static str),
    Archive(&'static str),
    Convert(&'static str),
}

const fn mark(offset: usize, magic: &'static [u8], means: Meaning) -> Mark {
    Mark { offset, magic, means }
}

const AT_START: &[Mark] = &[
    mark(0, b"QFI\xfb", Meaning::Disk(DiskFormat::Qcow2)),
    mark(0, b"vhdxfile", Meaning::Disk(DiskFormat::Vhdx)),
    mark(0, b"KDMV", Meaning::Disk(DiskFormat::Vmdk)),
    mark(0, b"COWD", Meaning::Convert("a VMDK of ESX (COWD)")),
    mark(0, b"\xbe\xba\xfe\xca\0\0\0\0", Meaning::Convert("a VMDK of ESX (seSparse)")),
    mark(0, b"conectix", Meaning::Convert("VHD, the format before VHDX,")),
    mark(64, b"\x7f\x10\xda\xbe", Meaning::Convert("VDI, the format of VirtualBox,")),
    mark(0, b"WithoutFreeSpace", Meaning::Convert("the format of Parallels")),
    mark(0, b"WithouFreSpacExt", Meaning::Convert("the format of Parallels")),
    mark(0, b"QED\0", Meaning::Convert("QED")),
    mark(0, b"shdw", Meaning::Convert("ASIF, a sparse image of macOS,")),
    mark(0, b"sprs", Meaning::Convert("a sparse image of macOS")),
    mark(0, b"\x1f\x8b\x08", Meaning::Compressed("gzip")),
    mark(0, b"\x28\xb5\x2f\xfd", Meaning::Compressed("zstd")),
    mark(0, b"\xfd7zXZ\0", Meaning::Compressed("xz")),
    mark(0, b"BZh", Meaning::Compressed("bzip2")),
    mark(0, b"\x04\x22\x4d\x18", Meaning::Compressed("lz4")),
    mark(0, b"PK\x03\x04", Meaning::Archive("zip")),
    mark(0, b"7z\xbc\xaf\x27\x1c", Meaning::Archive("7z")),
    mark(257, b"ustar", Meaning::Archive("tar")),
];

/// In the last 512 bytes of the file.
const AT_END: &[Mark] = &[
    mark(0, b"conectix", Meaning::Convert("VHD, the format before VHDX,")),
    mark(0, b"koly", Meaning::Convert("a dmg of macOS")),
];

const SECTOR: usize = 512;

/// Recognises the format of a file by its content; what has no mark of a format is a raw disk.
pub(super) fn recognise(file: &Bytes) -> Result<DiskFormat> {
    let size =
        file.size().map_err(|source| Error::Io { structure: "size of the file", offset: 0, source })?;
    let len = usize::try_from(size).unwrap_or(SECTOR).min(SECTOR);
    let start = read_vec(file, "start of the file", 0, len)?;
    if is_vmdk_descriptor(&start) {
        return Ok(DiskFormat::Vmdk);
    }
    if let Some(meaning) = find(AT_START, &start) {
        return meaning.decide();
    }
    // Behind the last sector nothing needs to be readable for the disk to be.
    let end =
        size.checked_sub(SECTOR as u64).and_then(|at| read_vec(file, "end of the file", at, SECTOR).ok());
    find(AT_END, &end.unwrap_or_default()).unwrap_or(Meaning::Disk(DiskFormat::Raw)).decide()
}

fn find(marks: &[Mark], bytes: &[u8]) -> Option<Meaning> {
    let stands = |mark: &&Mark| bytes.get(mark.offset..).is_some_and(|behind| behind.starts_with(mark.magic));
    marks.iter().find(stands).map(|mark| mark.means)
}

impl Meaning {
    fn decide(self) -> Result<DiskFormat> {
        let (feature, advice) = match self {
            Self::Disk(format) => return Ok(format),
            Self::Compressed(name) => (
                format!("a file compressed with {name}"),
                "unpack it, and give the disk image that comes out",
            ),
            Self::Archive(name) => (
                format!("a disk image in a {name} archive"),
                "unpack it, and give the disk image that comes out",
            ),
            Self::Convert(name) => (name.to_owned(), "convert it with `qemu-img convert -O raw`"),
        };
        Err(Error::Unsupported { feature, advice })
    }
}

fn is_vmdk_descriptor(start: &[u8]) -> bool {
    const FIRST_LINE: &[u8] = b"# Disk DescriptorFile";
    let text = start.trim_ascii_start();
    text.get(..FIRST_LINE.len()).is_some_and(|line| line.eq_ignore_ascii_case(FIRST_LINE))
}
