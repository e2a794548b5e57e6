//! The damaged images of e2fsprogs' own tests, held against what `e2fsck -fy` makes of them.
//!
//! They are not ours and not in this repository: `E2FSPROGS_TESTS` names the folder `tests` of e2fsprogs' source. With
//! `--nocapture` the figures are printed.
#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "the figures are what this is run for")]

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ext4_reader::{Ext4, FileKind, Inode, OpenOptions, Tolerance};
use sha2::{Digest, Sha256};

use crate::allocation;
use crate::exercise::exercise;
use crate::support::{needs, sh};

const MOST_TIME: Duration = Duration::from_secs(2);
const MOST_HEAP_BYTES: usize = 64 << 20;
/// How much of each file is compared: some claim to be as large as a disk.
const MOST_BYTES: usize = 16 << 20;
/// What must be shown right of what e2fsck saves, on average.
const GOAL_PERCENT: f64 = 85.0;

/// What counts of a file: its kind, size, and a digest of its content or target.
type Shown = (char, u64, Option<[u8; 32]>);

#[test]
fn damaged_images_of_e2fsprogs_are_survived_and_read() {
    let Some(tests) = std::env::var_os("E2FSPROGS_TESTS") else {
        println!("skipped: E2FSPROGS_TESTS names no folder");
        return;
    };
    needs!("e2fsck", "gzip", "bzip2", "loop");
    let mut shares: BTreeMap<String, f64> = BTreeMap::new();
    let (mut slowest, mut largest) = (Duration::ZERO, 0);
    let images = images(Path::new(&tests));
    for (name, packed) in &images {
        let folder = tempfile::tempdir().expect("folder");
        let image = folder.path().join("disk.img");
        unpack(packed, &image);
        for tolerance in [Tolerance::Strict, Tolerance::Recover] {
            let (took, held) = survive(&image, tolerance);
            assert!(took < MOST_TIME, "{name} took {took:?}");
            assert!(held <= MOST_HEAP_BYTES, "{name} took {held} bytes");
            slowest = slowest.max(took);
            largest = largest.max(held);
        }
        let source = File::open(&image).expect("image");
        let opened = OpenOptions::new().tolerance(Tolerance::Recover).open(source);
        let ours = opened.map(|fs| tree(&fs)).unwrap_or_default();
        let Some(truth) = truth(&image) else { continue };
        let right = truth.iter().filter(|(path, shown)| ours.get(*path) == Some(shown)).count();
        if !truth.is_empty() {
            shares.insert(name.clone(), 100.0 * right as f64 / truth.len() as f64);
        }
        differences(name, &truth, &ours);
    }
    assert!(!shares.is_empty(), "there are no images");
    let mean = mean(shares.values());
    report(images.len(), &shares, mean);
    println!("at most {slowest:?} and {largest} bytes for one");
    assert!(mean >= GOAL_PERCENT, "{mean:.1} percent on average");
}

pub(crate) fn images(tests: &Path) -> Vec<(String, PathBuf)> {
    let folders = fs::read_dir(tests)
        .expect("the folder `tests` of e2fsprogs")
        .map(|entry| entry.expect("entry").path());
    let mut found: Vec<_> = folders
        .flat_map(|folder| ["image.gz", "image.bz2"].map(|file| folder.join(file)))
        .filter(|image| image.is_file())
        .map(|image| {
            (
                image.parent().and_then(Path::file_name).expect("a folder").to_string_lossy().into_owned(),
                image,
            )
        })
        .collect();
    found.sort();
    found
}

pub(crate) fn unpack(packed: &Path, image: &Path) {
    let script = "case $1 in *.gz) gzip -dc <\"$1\";; *) bzip2 -dc <\"$1\";; esac >\"$2\"";
    sh(script, [packed.as_os_str(), image.as_os_str()]);
}

/// Uses all of the API on an image; how long that took, and the most bytes it held.
fn survive(image: &Path, tolerance: Tolerance) -> (Duration, usize) {
    let started = Instant::now();
    let ((), held) = allocation::most_held_in(|| {
        let source = File::open(image).expect("image");
        if let Ok(fs) = OpenOptions::new().tolerance(tolerance).open(source) {
            exercise(&fs);
        }
    });
    (started.elapsed(), held)
}

/// What we show of an image as it lies.
fn tree(fs: &Ext4<File>) -> HashMap<Vec<u8>, Shown> {
    let mut found = HashMap::new();
    let add = |found: &mut HashMap<_, _>, path: Vec<u8>, inode: &Inode| {
        if let Some(shown) = shown(fs, inode) {
            found.entry(path).or_insert(shown);
        }
    };
    for entry in fs.root().iter().flat_map(|root| fs.walk(root)).flatten() {
        add(&mut found, entry.path, &entry.inode);
    }
    for lost in fs.lost_files() {
        let path = [b"lost+found/", &lost.name[..]].concat();
        found.entry(b"lost+found".to_vec()).or_insert(('d', 0, None));
        let Ok(inode) = fs.inode(lost.inode) else { continue };
        add(&mut found, path.clone(), &inode);
        for entry in fs.walk(&inode).flatten() {
            add(&mut found, [&path[..], b"/", &entry.path].concat(), &entry.inode);
        }
    }
    found
}

fn shown(fs: &Ext4<File>, inode: &Inode) -> Option<Shown> {
    Some(match inode.kind() {
        FileKind::Regular => ('f', inode.size(), Some(Sha256::digest(content(fs, inode)).into())),
        FileKind::Symlink => ('l', 0, Some(Sha256::digest(fs.read_link(inode).ok()?).into())),
        FileKind::Directory => ('d', 0, None),
        FileKind::Fifo => ('p', 0, None),
        FileKind::Socket => ('s', 0, None),
        FileKind::CharDevice => ('c', 0, None),
        FileKind::BlockDevice => ('b', 0, None),
    })
}

/// What can be read of a file. e2fsck takes damaged extents away; what they held then reads as zeros.
fn content(fs: &Ext4<File>, file: &Inode) -> Vec<u8> {
    let mut content = vec![0; usize::try_from(file.size()).unwrap_or(MOST_BYTES).min(MOST_BYTES)];
    for extent in fs.extents(file).expect("a file").flatten() {
        let start = usize::try_from(extent.offset).unwrap_or(MOST_BYTES).min(content.len());
        let len = usize::try_from(extent.len).unwrap_or(MOST_BYTES).min(content.len() - start);
        // Zeros remain where it cannot be read.
        let _ = fs.read_at(file, &mut content[start..start + len], extent.offset);
    }
    content
}

/// What the kernel shows after `e2fsck -fy`. `None` if e2fsck or this kernel cannot.
fn truth(image: &Path) -> Option<HashMap<Vec<u8>, Shown>> {
    let mount = image.with_extension("mnt");
    fs::create_dir(&mount).expect("folder");
    let script = "e2fsck -fy \"$1\" || e2fsck -fy \"$1\"; mount -o loop,ro \"$1\" \"$2\"";
    let output = Command::new("sh").args(["-c", script, "sh"]).arg(image).arg(&mount).output().expect("sh");
    if !output.status.success() {
        return None;
    }
    let mut found = HashMap::new();
    let mut folders = vec![mount.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let below = path.strip_prefix(&mount).expect("below the mount").as_os_str().as_bytes().to_vec();
            if let Some(shown) = shown_by_the_kernel(&path) {
                if shown.0 == 'd' {
                    folders.push(path);
                }
                found.insert(below, shown);
            }
        }
    }
    // A program that another test is starting may hold a file of this mount for a moment.
    sh("umount \"$1\" || umount -l \"$1\"", [mount.as_os_str()]);
    Some(found)
}

fn shown_by_the_kernel(path: &Path) -> Option<Shown> {
    use std::os::unix::fs::FileTypeExt as _;
    let metadata = fs::symlink_metadata(path).ok()?;
    let kind = metadata.file_type();
    Some(if kind.is_file() {
        let mut content = vec![0; usize::try_from(metadata.len()).unwrap_or(MOST_BYTES).min(MOST_BYTES)];
        File::open(path).and_then(|file| file.read_exact_at(&mut content, 0)).ok()?;
        ('f', metadata.len(), Some(Sha256::digest(&content).into()))
    } else if kind.is_symlink() {
        let target = fs::read_link(path).ok()?;
        ('l', 0, Some(Sha256::digest(target.as_os_str().as_bytes()).into()))
    } else {
        let kinds = [
            (kind.is_dir(), 'd'),
            (kind.is_fifo(), 'p'),
            (kind.is_socket(), 's'),
            (kind.is_char_device(), 'c'),
            (kind.is_block_device(), 'b'),
        ];
        (kinds.into_iter().find(|(is, _)| *is)?.1, 0, None)
    })
}

fn mean<'a>(shares: impl Iterator<Item = &'a f64>) -> f64 {
    let shares: Vec<_> = shares.collect();
    shares.iter().copied().sum::<f64>() / shares.len().max(1) as f64
}

fn report(images: usize, shares: &BTreeMap<String, f64>, mean_share: f64) {
    let count = |is: fn(&f64) -> bool| shares.values().filter(|share| is(share)).count();
    println!("{images} images, {} compared: {mean_share:.1} % right on average", shares.len());
    println!("{} at 99 % or more, {} at 0", count(|&share| share >= 99.0), count(|&share| share == 0.0));
    for class in ["d", "f", "i", "j", "m", "r"] {
        let of_class = || {
            shares.iter().filter(|(name, _)| name.starts_with(&format!("{class}_"))).map(|(_, share)| share)
        };
        println!("{class}_*: {} compared, {:.1} %", of_class().count(), mean(of_class()));
    }
    for (name, share) in shares.iter().filter(|(_, share)| **share < 99.0) {
        println!("{name}: {share:.1} %");
    }
}

fn differences(name: &str, truth: &HashMap<Vec<u8>, Shown>, ours: &HashMap<Vec<u8>, Shown>) {
    let text = |shown: Option<&Shown>| match shown {
        Some((kind, size, digest)) => format!("{kind} {size} {:02x?}", digest.map(|digest| digest[0])),
        None => "-".to_owned(),
    };
    let mut paths: Vec<_> = truth.keys().chain(ours.keys()).collect();
    paths.sort();
    paths.dedup();
    for path in paths.into_iter().filter(|path| truth.get(*path) != ours.get(*path)) {
        let path_text = String::from_utf8_lossy(path);
        println!("  {name}: {path_text}: {} is shown as {}", text(truth.get(path)), text(ours.get(path)));
    }
}
