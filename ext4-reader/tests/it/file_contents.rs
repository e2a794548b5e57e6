//! Holes lie where the kernel says, and bytes read at any position are the kernel's.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt;

use ext4_reader::{Error, Ext4, ExtentKind, FileKind, Inode, ReadAt};

use crate::image::Image;
use crate::manifest;
use crate::support::{Numbers, needs, run};

const VARIANTS: [&str; 7] = [
    "-t ext4 -b 4096",
    "-t ext4 -b 1024",
    "-t ext2 -b 1024",
    "-t ext3 -b 4096",
    "-t ext4 -b 1024 -O ^extent,^64bit",
    "-t ext4 -b 4096 -O bigalloc -C 16384",
    "-t ext4 -b 4096 -O inline_data",
];

/// For each file of the lines on stdin, where lseek(2) finds data.
const SEEK: &str = "import os, sys\n\
    for path in sys.stdin.buffer.read().split(b'\\0'):\n\
    \tfile = os.open(path, os.O_RDONLY)\n\
    \tsize, at, runs = os.fstat(file).st_size, 0, []\n\
    \twhile at < size:\n\
    \t\ttry: start = os.lseek(file, at, os.SEEK_DATA)\n\
    \t\texcept OSError: break\n\
    \t\tat = os.lseek(file, start, os.SEEK_HOLE)\n\
    \t\truns.append('%d-%d' % (start, at))\n\
    \tprint(' '.join(runs))\n\
    \tos.close(file)\n";

#[test]
fn holes_are_where_the_kernel_finds_them() {
    needs!("mke2fs", "python3", "loop", "fallocate");
    for variant in VARIANTS {
        let image = Image::new(variant);
        image.populate(700);
        let mount = image.mount("ro");
        let fs = image.open();
        let files = regular_files(&fs);
        let paths: Vec<_> =
            files.iter().map(|(path, _)| mount.path().join(OsStr::from_bytes(path))).collect();
        let list = image.path().with_extension("list");
        std::fs::write(&list, paths.iter().map(|p| p.as_os_str().as_bytes()).collect::<Vec<_>>().join(&0))
            .expect("list");
        let output = crate::support::sh("python3 -c \"$1\" <\"$2\"", [OsStr::new(SEEK), list.as_os_str()]);
        let output = String::from_utf8(output).expect("ASCII");
        assert_eq!(output.lines().count(), files.len());
        for ((path, inode), theirs) in files.iter().zip(output.lines()) {
            assert_eq!(data_runs(&fs, inode), theirs, "{variant}: {}", manifest::encode(path));
        }
    }
}

/// Neighbouring extents of data, joined. Preallocated space is a hole to a reader.
fn data_runs<S: ReadAt>(fs: &Ext4<S>, inode: &Inode) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    let mut end = 0;
    for extent in fs.extents(inode).expect("a file") {
        let extent = extent.expect("an extent");
        assert!(extent.offset >= end && extent.len > 0, "extents are in order and apart");
        end = extent.offset + extent.len;
        assert!(end <= inode.size(), "extents end with the file");
        match runs.last_mut() {
            _ if extent.kind == ExtentKind::Unwritten => {}
            Some(last) if last.1 == extent.offset => last.1 = end,
            _ => runs.push((extent.offset, end)),
        }
    }
    runs.iter().fold(String::new(), |mut text, (start, end)| {
        let _ = write!(text, "{}{start}-{end}", if text.is_empty() { "" } else { " " });
        text
    })
}

#[test]
fn preallocated_space_is_told_from_holes_and_data() {
    needs!("mke2fs", "loop", "fallocate");
    let image = Image::new("-t ext4 -b 4096");
    let mount = image.mount("rw");
    let file = mount.path().join("file");
    run("fallocate", ["-l".as_ref(), "1M".as_ref(), file.as_os_str()]);
    let open = std::fs::OpenOptions::new().write(true).open(&file).expect("file");
    open.write_all_at(&[1; 8192], 65536).expect("written");
    open.set_len(3 << 20).expect("longer");
    drop(open);
    drop(mount);
    let fs = image.open();
    let inode = fs.lookup("/file").expect("file");
    let extents: Vec<_> = fs
        .extents(&inode)
        .expect("file")
        .map(|e| e.map(|e| (e.offset, e.len, e.kind)).expect("extent"))
        .collect();
    let block = image.debugfs("bmap /file 16").trim().parse::<u64>().expect("a block");
    let source_offset = block * 4096;
    let unwritten_rest = (1 << 20) - 65536 - 8192;
    assert_eq!(
        extents,
        [
            (0, 65536, ExtentKind::Unwritten),
            (65536, 8192, ExtentKind::Data { source_offset }),
            (65536 + 8192, unwritten_rest, ExtentKind::Unwritten),
        ]
    );
}

#[test]
fn reads_at_any_position_are_the_kernels() {
    needs!("mke2fs", "python3", "loop", "fallocate");
    let mut numbers = Numbers::new(1);
    for variant in VARIANTS {
        let image = Image::new(variant);
        image.populate(700);
        let mount = image.mount("ro");
        let fs = image.open();
        for (path, inode) in regular_files(&fs) {
            let kernel = std::fs::File::open(mount.path().join(OsStr::from_bytes(&path))).expect("file");
            for _ in 0..if inode.size() > 100_000 { 40 } else { 3 } {
                let offset = numbers.below(inode.size() + 10);
                let len = numbers.below(70_000);
                assert_same_bytes(&fs, &inode, &kernel, offset, len, &path);
            }
        }
    }
}

fn assert_same_bytes<S: ReadAt>(
    fs: &Ext4<S>,
    inode: &Inode,
    kernel: &std::fs::File,
    offset: u64,
    len: u64,
    path: &[u8],
) {
    let wanted = len.min(inode.size().saturating_sub(offset));
    let mut theirs = vec![0; usize::try_from(wanted).expect("len")];
    FileExt::read_exact_at(kernel, &mut theirs, offset).expect("kernel");
    let mut ours = vec![0x55; usize::try_from(len).expect("len")];
    let mut done = 0;
    loop {
        let got = fs.read_at(inode, &mut ours[done..], offset + done as u64).expect("read");
        done += got;
        if got == 0 || done == ours.len() {
            break;
        }
    }
    ours.truncate(done);
    assert!(ours == theirs, "{}: {len} bytes at {offset}", manifest::encode(path));
}

/// Block maps reach through one, two and three levels of indirect blocks; the far places are sparse.
#[test]
fn bytes_behind_each_level_of_a_block_map_are_read() {
    needs!("mke2fs", "loop");
    for (variant, block, size) in [
        ("-t ext2 -b 1024", 1024, 16_u64 << 30),
        ("-t ext3 -b 2048", 2048, 250 << 30),
        ("-t ext3 -b 4096", 4096, 1 << 40),
    ] {
        let per_block = block / 4;
        let (double, triple) = (12 + per_block, 12 + per_block + per_block * per_block);
        // Across the border of each level; then from the first block that a pointer leads to, behind others of 0.
        let borders = [2, 12, double, triple, size / block - 4].map(|border| border - 2);
        let firsts = [double + 5 * per_block, triple + 5 * per_block * per_block + 3 * per_block];
        let places = borders.into_iter().chain(firsts);
        let image = Image::new(variant);
        let mount = image.mount("rw");
        let file = std::fs::File::create(mount.path().join("far")).expect("file");
        let mut numbers = Numbers::new(2);
        for place in places.clone() {
            let bytes = numbers.bytes(usize::try_from(block * 3).expect("len"));
            file.write_all_at(&bytes, place * block).expect("written");
        }
        drop(file);
        drop(mount);

        let mount = image.mount("ro");
        let kernel = std::fs::File::open(mount.path().join("far")).expect("file");
        let fs = image.open();
        let inode = fs.lookup("/far").expect("file");
        assert_eq!(inode.size(), kernel.metadata().expect("size").len());
        for place in places.clone() {
            let before = place.saturating_sub(4) * block;
            assert_same_bytes(&fs, &inode, &kernel, before, block * 9, variant.as_bytes());
            assert_same_bytes(&fs, &inode, &kernel, place * block + 7, 20, variant.as_bytes());
        }
        // Holes of missing indirect blocks are passed over as wholes, or this would not end.
        let extents = fs.extents(&inode).expect("file").map(|extent| extent.expect("extent").len);
        assert_eq!(extents.sum::<u64>(), block * 3 * places.count() as u64, "{variant}");
    }
}

/// Short targets stand in the inode, except where an older system has put one into a block.
#[test]
fn a_short_link_in_a_block_is_read() {
    needs!("mke2fs", "debugfs", "loop");
    for variant in ["-t ext2 -b 1024", "-t ext4 -b 4096"] {
        let image = Image::new(variant);
        image.debugfs(&format!("symlink link {}", "target/".repeat(12)));
        image.debugfs("set_inode_field link size 20");
        let theirs = std::fs::read_link(image.mount("ro").path().join("link")).expect("link");
        let fs = image.open();
        let ours = fs.read_link(&fs.symlink_lookup("/link").expect("link")).expect("target");
        assert_eq!(OsStr::from_bytes(&ours), theirs.as_os_str(), "{variant}");
    }
}

#[test]
fn extent_trees_of_three_levels_are_read() {
    needs!("mke2fs", "debugfs", "python3", "loop");
    let image = Image::with_size("-t ext4 -b 1024", 128);
    let mount = image.mount("rw");
    // Every other block: as many extents as blocks.
    let script = "import os, sys\n\
        file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n\
        [os.pwrite(file, b'%08d' % block, block * 2048) for block in range(30000)]";
    let file = mount.path().join("comb");
    run("python3", ["-c".as_ref(), script.as_ref(), file.as_os_str()]);
    drop(mount);
    let header = image.debugfs("dump_extents /comb");
    assert!(header.contains("2/ 2"), "not deep enough: {}", header.lines().nth(1).unwrap_or_default());

    let fs = image.open();
    let inode = fs.lookup("/comb").expect("file");
    assert_eq!(fs.extents(&inode).expect("file").count(), 30_000);
    let mut buf = [0; 2048];
    for block in (0..29_999_u64).rev().step_by(7) {
        fs.read_at(&inode, &mut buf, block * 2048).expect("read");
        assert_eq!(buf[..8], *format!("{block:08}").as_bytes());
        assert!(buf[8..].iter().all(|&byte| byte == 0));
    }
}

#[test]
fn a_file_reads_and_seeks_like_one() {
    needs!("mke2fs", "loop");
    let image = Image::new("-t ext4 -b 1024");
    let mount = image.mount("rw");
    let bytes = Numbers::new(3).bytes(100_000);
    std::fs::write(mount.path().join("file"), &bytes).expect("file");
    drop(mount);
    let fs = image.open();
    let mut file = fs.open_file("/file").expect("file");
    let mut all = Vec::new();
    file.read_to_end(&mut all).expect("read");
    assert!(all == bytes);
    assert_eq!(file.read(&mut [0; 10]).expect("end"), 0);
    assert_eq!(file.seek(SeekFrom::Start(50_001)).expect("seek"), 50_001);
    assert_eq!(file.seek(SeekFrom::Current(-2)).expect("seek"), 49_999);
    let mut some = [0; 3000];
    file.read_exact(&mut some).expect("read");
    assert!(some[..] == bytes[49_999..52_999]);
    assert_eq!(file.seek(SeekFrom::End(-1)).expect("seek"), 99_999);
    assert_eq!(file.read(&mut some).expect("read"), 1);
    assert!(file.seek(SeekFrom::End(-100_001)).is_err());
    assert_eq!(file.stream_position().expect("position"), 100_000, "a failed seek moves nothing");
    assert_eq!(file.seek(SeekFrom::Start(u64::MAX)).expect("seek"), u64::MAX);
    assert_eq!(file.read(&mut some).expect("past the end"), 0);
}

#[test]
fn only_files_have_contents() {
    needs!("mke2fs", "debugfs");
    let image = Image::new("-t ext4 -b 4096");
    image.debugfs("symlink link target");
    let fs = image.open();
    let root = fs.root().expect("root");
    let link = fs.symlink_lookup("/link").expect("link");
    assert!(matches!(fs.read_at(&root, &mut [0; 10], 0), Err(Error::NotAFile)));
    assert!(matches!(fs.open_file("/"), Err(Error::NotAFile)));
    assert!(matches!(fs.read_link(&root), Err(Error::NotASymlink)));
    assert!(matches!(fs.read_dir(&link), Err(Error::NotADirectory)));
    assert!(matches!(fs.lookup_in(&link, b"x"), Err(Error::NotADirectory)));
}

fn regular_files<S: ReadAt>(fs: &Ext4<S>) -> Vec<(Vec<u8>, Inode)> {
    manifest::tree(fs).into_iter().filter(|(_, inode)| inode.kind() == FileKind::Regular).collect()
}
