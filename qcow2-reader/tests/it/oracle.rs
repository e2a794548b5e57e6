//! Images made by qemu-img, opened with their chains, and compared with what qemu-img reads.

use std::fs::File;
use std::path::{Path, PathBuf};

use qcow2_reader::{Backing, ExtentKind, Header, OpenOptions, Qcow2, ReadAt};

use crate::support::{Numbers, sh};

/// What every script begins with: it runs in a new folder where `disk.raw` is a disk of 6 MiB and 512 bytes.
const PRELUDE: &str = r#"
cd "$1"
create() { qemu-img create -q -f qcow2 "$@"; }
convert() { qemu-img convert -q -O qcow2 "$@"; }
io() { file=$1; shift; for command in "$@"; do qemu-io -f qcow2 -c "$command" "$file" >/dev/null; done; }
"#;

/// A folder with the image `image.qcow2` that a script made, and whatever belongs to it.
pub(crate) struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    pub(crate) fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join("disk.raw"), disk()).expect("disk.raw");
        sh(&format!("{PRELUDE}{script}"), [folder.path()]);
        Self { folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("image.qcow2")
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).expect("image")
    }

    /// The guest's disk as qemu-img reads it. It looks for a data file in the current folder.
    pub(crate) fn expected(&self) -> Vec<u8> {
        sh(r#"cd "$1"; qemu-img convert -O raw image.qcow2 expected.raw"#, [self.folder.path()]);
        std::fs::read(self.folder.path().join("expected.raw")).expect("expected.raw")
    }

    /// The ranges of data that `qemu-img map` shows, as guest offset, length and host offset; none of a chain
    /// that has compressed clusters, of which it refuses to speak.
    fn map(&self) -> Vec<(u64, u64, u64)> {
        let script = r#"cd "$1"; if qemu-img map image.qcow2 >map 2>errors; then cat map; fi"#;
        let table = String::from_utf8(sh(script, [self.folder.path()])).expect("text");
        let hex = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).expect("hexadecimal");
        let rows = table.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row.last() == Some(&"image.qcow2"))
            .map(|row| (hex(row[0]), hex(row[1]), hex(row[2])))
            .collect()
    }
}

/// Zeros, bytes that compress and bytes that do not, in pieces of many sizes.
fn disk() -> Vec<u8> {
    let mut numbers = Numbers::new(6);
    let mut disk = Vec::new();
    let size = (6 << 20) + 512;
    while disk.len() < size {
        let len = usize::try_from(512 << numbers.below(9)).expect("small");
        match numbers.below(3) {
            0 => disk.resize(disk.len() + len, 0),
            1 => disk.extend(b"all work and no play ".iter().cycle().take(len)),
            _ => disk.extend(numbers.bytes(len)),
        }
    }
    disk.truncate(size);
    disk
}

/// Opens an image with its backing files and its data file, as a caller that trusts them does.
pub(crate) fn open(path: &Path) -> Qcow2<File> {
    let beside = |name: &[u8]| path.with_file_name(str::from_utf8(name).expect("a name of ours"));
    let file = File::open(path).expect("image");
    let header = Header::read(&file).expect("header");
    let mut options = OpenOptions::new();
    if let Some(name) = header.backing_name() {
        let source: Box<dyn ReadAt + Send + Sync> = match header.backing_format() {
            Some("raw") => Box::new(File::open(beside(name)).expect("backing file")),
            Some("qcow2") => Box::new(open(&beside(name))),
            other => panic!("backing format {other:?}"),
        };
        options = options.backing(Backing::Source(source));
    }
    if header.has_data_file() {
        let name = header.data_file_name().expect("qemu-img names the data file");
        options = options.data_file(File::open(beside(name)).expect("data file"));
    }
    options.open(file).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads the whole disk, in reads of `step` bytes.
pub(crate) fn read_all<S: ReadAt>(image: &Qcow2<S>, step: usize) -> Vec<u8> {
    let mut disk = vec![0xa5; usize::try_from(image.virtual_size()).expect("fits")];
    let mut offset = 0;
    for piece in disk.chunks_mut(step) {
        image.read_guest(piece, offset).unwrap_or_else(|error| panic!("at {offset}: {error}"));
        offset += piece.len() as u64;
    }
    disk
}

/// Compares all that can be read of an image with what qemu-img says: the disk in large and in small reads,
/// at random places, and where its data lies.
pub(crate) fn compare(name: &str, made: &Made) {
    let image = open(&made.path());
    let expected = made.expected();
    assert_eq!(image.virtual_size(), expected.len() as u64, "{name}: size");
    for step in [1 << 20, 4096, 100_000] {
        let found = read_all(&image, step);
        let differs = found.iter().zip(&expected).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{name}: first difference in reads of {step}");
    }
    let mut numbers = Numbers::new(1);
    for _ in 0..if expected.is_empty() { 0 } else { 300 } {
        let start = numbers.below(expected.len() as u64);
        let longest = (expected.len() as u64 - start).min(200_000);
        let (start, len) =
            (usize::try_from(start).unwrap(), usize::try_from(numbers.below(longest) + 1).unwrap());
        let mut found = vec![0xa5; len];
        image.read_guest(&mut found, start as u64).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(found == expected[start..start + len], "{name}: {len} bytes at {start} differ");
    }
    let extents = extents(&image);
    for extent in &extents {
        let start = usize::try_from(extent.guest_offset).unwrap();
        let content = &expected[start..start + usize::try_from(extent.len).unwrap()];
        let is_hole = extent.kind == ExtentKind::Zero
            || (extent.kind == ExtentKind::Unallocated && image.header().backing_name().is_none());
        assert!(!is_hole || content.iter().all(|&byte| byte == 0), "{name}: {extent:?} is not zeros");
    }
    for (guest, len, host_offset) in made.map() {
        let extent = image.extent_at(guest, len).expect("extent");
        assert_eq!((extent.kind, extent.len), (ExtentKind::Data { host_offset }, len), "{name}: at {guest}");
    }
}

pub(crate) fn extents<S: ReadAt>(image: &Qcow2<S>) -> Vec<qcow2_reader::Extent> {
    let mut extents: Vec<qcow2_reader::Extent> = Vec::new();
    let mut offset = 0;
    while offset < image.virtual_size() {
        let extent = image.extent_at(offset, u64::MAX).expect("extent");
        assert_eq!(extent.guest_offset, offset);
        assert!(extent.len > 0);
        offset += extent.len;
        extents.push(extent);
    }
    assert_eq!(offset, image.virtual_size());
    extents
}
