//! Names are found in directories of every shape: through the index of each hash, and without one.

use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use ext4_reader::{DirEntry, Error, Ext4, OpenOptions, ReadAt};

use crate::image::Image;
use crate::support::{needs, run};

#[test]
fn every_name_is_found_through_each_hash() {
    needs!("mke2fs", "tune2fs", "loop");
    for hash in ["legacy", "half_md4", "tea"] {
        for variant in ["-t ext4 -b 4096", "-t ext4 -b 1024 -O ^metadata_csum", "-t ext2 -b 2048"] {
            let image = Image::new(variant);
            image.tune2fs(&format!("-E hash_alg={hash}"));
            finds_all_names(&image, READS_THROUGH_INDEX, &format!("{variant}, {hash}"));
        }
    }
}

/// The hash of bytes above 127 depends on the machine that made the file system, which the superblock names.
#[test]
fn every_name_is_found_whatever_the_signs_of_its_bytes() {
    needs!("mke2fs", "tune2fs", "debugfs", "loop");
    for flags in ["1", "2"] {
        for hash in ["legacy", "half_md4", "tea"] {
            let image = Image::new("-t ext4 -b 1024");
            image.tune2fs(&format!("-E hash_alg={hash}"));
            image.debugfs(&format!("set_super_value flags {flags}"));
            finds_all_names(&image, READS_THROUGH_INDEX, &format!("flags {flags}, {hash}"));
        }
    }
}

#[test]
fn every_name_is_found_without_an_index() {
    needs!("mke2fs", "loop");
    finds_all_names(&Image::new("-t ext4 -b 1024 -O ^dir_index"), usize::MAX, "^dir_index");
}

/// The way to a name through an index, with the smallest cache. Without one it is half of the directory.
const READS_THROUGH_INDEX: usize = 6;

/// An image that counts how often it is read.
struct Counted {
    disk: File,
    reads: AtomicUsize,
}

impl Counted {
    fn new(image: &Image) -> Self {
        Self { disk: File::open(image.path()).expect("image"), reads: AtomicUsize::new(0) }
    }

    fn open(&self) -> Ext4<&Self> {
        OpenOptions::new().cache_bytes(0).open(self).expect("a file system")
    }

    fn assert_reads_per(&self, names: usize, most: usize, what: &str) {
        let reads = self.reads.load(Ordering::Relaxed) / names;
        assert!(reads <= most, "{what}: {reads} reads for a name");
    }
}

impl ReadAt for Counted {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.disk.read_exact_at(buf, offset)
    }

    fn size(&self) -> std::io::Result<u64> {
        self.disk.size()
    }
}

/// 6,000 names of all lengths and bytes, and a few that are not there.
fn finds_all_names(image: &Image, most_reads: usize, what: &str) {
    let mount = image.mount("rw");
    let folder = mount.path().join("many");
    std::fs::create_dir(&folder).expect("folder");
    let first = folder.join("first");
    std::fs::write(&first, "").expect("file");
    for number in 0..6000 {
        std::fs::hard_link(&first, folder.join(std::ffi::OsStr::from_bytes(&name(number)))).expect("link");
    }
    let number = std::fs::metadata(&first).expect("file").ino();
    drop(mount);

    let disk = Counted::new(image);
    let fs = disk.open();
    let folder = fs.lookup("/many").expect("folder");
    for present in 0..6000 {
        let found =
            fs.lookup_in(&folder, &name(present)).unwrap_or_else(|e| panic!("{what}: name {present}: {e}"));
        assert_eq!(u64::from(found.number().0), number, "{what}");
    }
    disk.assert_reads_per(6000, most_reads, what);
    for absent in 6000..6500 {
        let found = fs.lookup_in(&folder, &name(absent));
        assert!(matches!(found, Err(Error::NotFound)), "{what}: {found:?}");
    }
    let mut listed: Vec<_> =
        fs.read_dir(&folder).expect("folder").map(|entry| entry.expect("entry").name).collect();
    let mut expected: Vec<_> = (0..6000).map(name).chain([b"first".to_vec()]).collect();
    listed.sort();
    expected.sort();
    assert!(listed == expected, "{what}: the listing is another");
}

/// A name of 5 to 250 bytes, with all bytes but the two that no name holds.
fn name(number: u32) -> Vec<u8> {
    let mut name = format!("{number:05}").into_bytes();
    let more = if number.is_multiple_of(10) { 245 } else { number % 40 };
    let bytes = (0..more).map(|at| number.wrapping_mul(31).wrapping_add(at * 7).to_le_bytes()[0]);
    name.extend(bytes.filter(|byte| ![0, b'/'].contains(byte)));
    name
}

/// With `large_dir` the index may have three levels.
#[test]
fn an_index_of_three_levels_is_searched() {
    needs!("mke2fs", "debugfs", "python3", "loop");
    let image = Image::new("-t ext4 -b 1024 -O large_dir");
    let mount = image.mount("rw");
    let script = "import os, sys\n\
        os.chdir(sys.argv[1]); os.mkdir('many'); open('many/0', 'w').close()\n\
        [os.link('many/0', 'many/%05d-' % n + 'x' * 249) for n in range(60000)]";
    run("python3", ["-c".as_ref(), script.as_ref(), mount.path().as_os_str()]);
    drop(mount);
    let tree = image.debugfs("htree_dump /many");
    assert!(tree.contains("Indirect levels: 2"), "{}", tree.lines().take(10).collect::<Vec<_>>().join("\n"));

    let disk = Counted::new(&image);
    let fs = disk.open();
    let folder = fs.lookup("/many").expect("folder");
    let only = fs.lookup_in(&folder, b"0").expect("file").number();
    for number in (0..60_000).step_by(37) {
        let name = format!("{number:05}-{}", "x".repeat(249));
        let found = fs.lookup_in(&folder, name.as_bytes()).unwrap_or_else(|e| panic!("{number}: {e}"));
        assert_eq!(found.number(), only);
    }
    disk.assert_reads_per(60_000 / 37, READS_THROUGH_INDEX, "three levels");
    let absent = format!("60000-{}", "x".repeat(249));
    assert!(matches!(fs.lookup_in(&folder, absent.as_bytes()), Err(Error::NotFound)));
    assert_eq!(fs.read_dir(&folder).expect("folder").count(), 60_001);
}

/// Four names of one hash, found by trying 50 million: three fill a block, so the fourth lies in the next.
#[test]
fn names_of_one_hash_are_found_across_blocks() {
    needs!("mke2fs", "debugfs", "loop");
    let image = Image::new("-t ext4 -b 1024 -E hash_seed=11111111-1111-1111-1111-111111111111");
    let colliding =
        [1_733_661, 19_112_406, 20_380_769, 33_614_204, 12_719_697, 20_462_033, 22_815_188, 42_547_301];
    let names: Vec<_> =
        (0..300).chain(colliding).map(|number| format!("{}{number:08}", "x".repeat(247))).collect();
    let mount = image.mount("rw");
    let folder = mount.path().join("many");
    std::fs::create_dir(&folder).expect("folder");
    for name in &names {
        std::fs::write(folder.join(name), "").expect("file");
    }
    drop(mount);
    // The lowest bit of a hash in the index says that names of it lie in the block before, too.
    let tree = image.debugfs("htree_dump /many");
    assert!(tree.contains("Hash 0x0220c869") && tree.contains("Hash 0x0ed9fe55"), "{tree}");

    let fs = image.open();
    let folder = fs.lookup("/many").expect("folder");
    for name in &names {
        fs.lookup_in(&folder, name.as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn dot_and_dot_dot_are_no_names() {
    needs!("mke2fs", "debugfs");
    for variant in ["-t ext4 -b 4096", "-t ext4 -b 4096 -O inline_data", "-t ext2 -b 1024"] {
        let image = Image::new(variant);
        image.debugfs("mkdir outer");
        image.debugfs("mkdir outer/inner");
        let fs = image.open();
        let outer = fs.lookup("/outer").expect("outer");
        let inner = fs.lookup_in(&outer, b"inner").expect("inner");
        for name in [&b"."[..], b"..", b""] {
            assert!(matches!(fs.lookup_in(&inner, name), Err(Error::NotFound)), "{variant}");
        }
        let names: Vec<_> = fs.read_dir(&outer).expect("outer").map(|e| e.expect("entry").name).collect();
        assert_eq!(names, [b"inner"], "{variant}");
    }
}

/// An index that says nonsense costs speed: the names lie in ordinary blocks that can be read through.
#[test]
fn names_are_found_behind_a_broken_index() {
    needs!("mke2fs", "debugfs", "loop");
    let image = Image::new("-t ext4 -b 1024");
    let mount = image.mount("rw");
    run("mkdir", [mount.path().join("many")]);
    for number in 0..600 {
        std::fs::write(mount.path().join(format!("many/{number:05}")), "").expect("file");
    }
    drop(mount);
    let whole = names_in(&image, "/many");
    assert_eq!(whole.len(), 600);
    let block = image.debugfs("bmap /many 0").trim().parse::<u64>().expect("a block");

    // The version of the hash, the counts of the root, and where its first child lies.
    for (offset, bytes) in
        [(0x1c, &[0xee][..]), (0x20, &[0xff, 0xff]), (0x22, &[0xff, 0xff]), (0x24, &[0xff; 4])]
    {
        let mut disk = std::fs::read(image.path()).expect("image");
        let at = usize::try_from(block).expect("offset") * 1024 + offset;
        disk[at..at + bytes.len()].copy_from_slice(bytes);
        let fs = Ext4::open(disk).expect("a file system");
        let folder = fs.lookup("/many").expect("folder");
        for name in &whole {
            fs.lookup_in(&folder, name).unwrap_or_else(|e| panic!("byte {offset:#x}: {e}"));
        }
        assert!(matches!(fs.lookup_in(&folder, b"absent"), Err(Error::NotFound)), "byte {offset:#x}");
    }
}

fn names_in(image: &Image, path: &str) -> Vec<Vec<u8>> {
    let fs = image.open();
    let folder = fs.lookup(path).expect("folder");
    let names = |entry: Result<DirEntry, Error>| entry.expect("entry").name;
    fs.read_dir(&folder).expect("folder").map(names).collect()
}
