//! ext4-reader beside the kernel's loop mount and other readers; see RESULTS.md for how to run it.

#[path = "ext4/images.rs"]
mod images;
#[path = "ext4/numbers.rs"]
mod numbers;
#[path = "ext4/readers.rs"]
mod readers;

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};

use images::{FRAGMENTED_BLOCKS, Images, LARGE_BYTES};
use numbers::Numbers;
use readers::{Ext4View, Ext4fsCore, Kernel, Kind, Ours, Place, Reader, Rsext4, RustFsExt4, root};

type Open = fn(&Path) -> Box<dyn Reader>;

const READERS: [(&str, Open); 7] = [
    ("ours", |image| Box::new(Ours::new(image))),
    ("ours, checksums ignored", |image| Box::new(Ours::without_checksums(image))),
    ("kernel", |image| Box::new(Kernel::new(image))),
    ("ext4-view", |image| Box::new(Ext4View::new(image))),
    ("rust-fs-ext4", |image| Box::new(RustFsExt4::new(image))),
    ("rsext4", |image| Box::new(Rsext4::new(image))),
    ("ext4fs-core", |image| Box::new(Ext4fsCore::new(image))),
];

/// What is done in a row of the table; what it returns must be the same for every reader.
type Work<'a> = &'a dyn Fn(&dyn Reader) -> u64;

fn reading(criterion: &mut Criterion) {
    let Some(images) = Images::make() else {
        // The words go to whoever started the bench by hand.
        #[expect(clippy::print_stderr, reason = "a bench talks to its user")]
        return eprintln!("skipped: needs root, mke2fs and loop devices");
    };
    let (ext4, ext3) = (images.path("ext4"), images.path("ext3"));
    count_reads(&ext4);
    let places = Places::find(&ext4);
    let names = &places.big_names;
    let rows: [(&str, Work<'_>); 6] = [
        ("walk", &walk),
        ("contents", &|reader| contents(reader, &places.files)),
        ("sparse files", &|reader| contents(reader, &places.sparse)),
        ("4 KiB at random, 200 MB", &|reader| at_random(reader, &places.large, LARGE_BYTES)),
        ("4 KiB at random, 120,000 extents", &|reader| {
            at_random(reader, &places.fragmented, FRAGMENTED_BLOCKS << 12)
        }),
        ("lookups", &|reader| {
            let big = reader.lookup(&root(), b"big");
            names.iter().map(|name| reader.lookup(&big, name).path.len() as u64).sum()
        }),
    ];
    for (name, work) in rows {
        compare(criterion, name, &ext4, work);
    }
    let places = Places::find(&ext3);
    compare(criterion, "ext3: walk", &ext3, &walk);
    compare(criterion, "ext3: contents", &ext3, &|reader| contents(reader, &places.files));
    compare(criterion, "ext3: 4 KiB at random, 200 MB", &ext3, &|reader| {
        at_random(reader, &places.large, LARGE_BYTES)
    });
}

/// Who takes longer is measured once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Every sample opens the file system afresh: the image is in memory, nothing of what lies in it is known.
fn compare(criterion: &mut Criterion, row: &str, image: &Path, work: Work<'_>) {
    let mut group = criterion.benchmark_group(row);
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(1));
    let expected = work(&Ours::new(image));
    for (name, open) in READERS {
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&*open(image)))).ok();
        let remark = match outcome {
            Some(seen) if seen == expected && start.elapsed() < PATIENCE => None,
            Some(seen) if seen == expected => Some(format!("takes {:?}, once", start.elapsed())),
            _ => Some("fails or reads something else".to_owned()),
        };
        if let Some(remark) = remark {
            #[expect(clippy::print_stderr, reason = "a bench talks to its user")]
            {
                eprintln!("{row}: {name} {remark}");
            }
            continue;
        }
        group.bench_function(name, |b| {
            b.iter_custom(|rounds| (0..rounds).map(|_| time(open, image, work)).sum());
        });
    }
    group.finish();
}

fn time(open: Open, image: &Path, work: Work<'_>) -> Duration {
    let reader = open(image);
    let start = Instant::now();
    work(&*reader);
    start.elapsed()
}

/// The files that the rows are about.
struct Places {
    files: Vec<(Place, u64)>,
    sparse: Vec<(Place, u64)>,
    large: Place,
    fragmented: Place,
    big_names: Vec<Vec<u8>>,
}

impl Places {
    fn find(image: &Path) -> Self {
        let (mut files, mut sparse, mut big_names) = (Vec::new(), Vec::new(), Vec::new());
        let (mut large, mut fragmented) = (root(), root());
        Ours::new(image).walk(&mut |place, kind, size| {
            let path = place.path.as_slice();
            if let Some(name) = path.strip_prefix(b"/big/") {
                big_names.push(name.to_vec());
            } else if kind != Kind::File {
            } else if path.starts_with(b"/sparse/") {
                sparse.push((place.clone(), size));
            } else {
                match path {
                    b"/large" => large = place.clone(),
                    b"/fragmented" => fragmented = place.clone(),
                    _ => {}
                }
                files.push((place.clone(), size));
            }
        });
        let mut numbers = Numbers(5);
        let chosen =
            |_| big_names[usize::try_from(numbers.below(big_names.len() as u64)).expect("fits")].clone();
        let big_names = if big_names.is_empty() { Vec::new() } else { (0..2000).map(chosen).collect() };
        Self { files, sparse, large, fragmented, big_names }
    }
}

/// Counts entries, and adds up sizes of files.
fn walk(reader: &dyn Reader) -> u64 {
    let (mut entries, mut bytes) = (0, 0);
    reader.walk(&mut |_, kind, size| {
        entries += 1;
        bytes += if kind == Kind::File { size } else { 0 };
    });
    entries + bytes
}

fn contents(reader: &dyn Reader, files: &[(Place, u64)]) -> u64 {
    let mut buf = vec![0; 1 << 20];
    let mut sum = 0;
    for (place, size) in files {
        let mut read_at = reader.open(place);
        for offset in (0..*size).step_by(buf.len()) {
            let count = read_at(&mut buf, offset);
            sum += count as u64 + u64::from(buf[count / 2]);
        }
    }
    sum
}

fn at_random(reader: &dyn Reader, file: &Place, size: u64) -> u64 {
    let mut read_at = reader.open(file);
    let mut numbers = Numbers(11);
    let mut buf = [0; 4096];
    let read = |_| read_at(&mut buf, numbers.below(size >> 12) << 12) as u64 + u64::from(buf[0]);
    (0..2000).map(read).sum()
}

/// Prints how often a walk reads the source.
#[expect(clippy::print_stderr, reason = "a bench talks to its user")]
fn count_reads(image: &Path) {
    struct Counting(File, AtomicU64, AtomicU64);

    impl ext4_reader::ReadAt for &Counting {
        fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.2.fetch_add(buf.len() as u64, Ordering::Relaxed);
            ext4_reader::ReadAt::read_exact_at(&self.0, buf, offset)
        }

        fn size(&self) -> io::Result<u64> {
            ext4_reader::ReadAt::size(&self.0)
        }
    }

    let source = Counting(File::open(image).expect("image"), AtomicU64::new(0), AtomicU64::new(0));
    let mut entries = 0;
    Ours(ext4_reader::Ext4::open(&source).expect("opens")).walk(&mut |_, _, _| entries += 1);
    let (reads, bytes) = (source.1.load(Ordering::Relaxed), source.2.load(Ordering::Relaxed));
    eprintln!("a walk over {entries} entries reads the source {reads} times, {} MiB", bytes >> 20);
}

criterion_group!(benches, reading);
criterion_main!(benches);
