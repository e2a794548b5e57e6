//! qcow2-reader beside imago and beside plain reads of the raw disk; see RESULTS.md for how to run it.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use imago::{FormatAccess, FormatDriverBuilder, PermissiveImplicitOpenGate};
use qcow2_reader::{Qcow2, ReadAt};

type Imago = FormatAccess<imago::file::File>;

const GUEST_BYTES: u64 = 512 << 20;
const SPARSE_BYTES: u64 = 1 << 40;
const SPARSE_STEP: u64 = 512 << 20;

/// One disk as a raw file and in images of many kinds.
struct Images {
    folder: tempfile::TempDir,
}

impl Images {
    fn make() -> Self {
        let images = Self { folder: tempfile::tempdir().expect("temporary folder") };
        write_disk(&images.path("raw"));
        images.convert("64k", &["-o", "cluster_size=64k"]);
        images.convert("512", &["-o", "cluster_size=512"]);
        images.convert("zlib", &["-c"]);
        images.convert("zstd", &["-c", "-o", "compression_type=zstd"]);
        images.make_sparse();
        images
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn convert(&self, name: &str, options: &[&str]) {
        let mut convert = Command::new("qemu-img");
        convert.args(["convert", "-O", "qcow2"]).args(options).arg(self.path("raw")).arg(self.path(name));
        assert!(convert.status().expect("qemu-img runs").success());
    }

    /// 1 TiB with one cluster of data in each of its 2048 L2 tables.
    fn make_sparse(&self) {
        let path = self.path("sparse");
        let size = SPARSE_BYTES.to_string();
        let create =
            Command::new("qemu-img").args(["create", "-q", "-f", "qcow2"]).arg(&path).arg(size).status();
        assert!(create.expect("qemu-img runs").success());
        let mut io = Command::new("qemu-io")
            .args(["-f", "qcow2"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("qemu-io runs");
        let mut commands = io.stdin.take().expect("piped");
        for offset in (0..SPARSE_BYTES).step_by(usize::try_from(SPARSE_STEP).expect("64 bits")) {
            writeln!(commands, "write -P 1 {offset} 64k").expect("qemu-io listens");
        }
        drop(commands);
        assert!(io.wait().expect("qemu-io ends").success());
    }

    fn ours(&self, name: &str) -> Qcow2<File> {
        Qcow2::open(File::open(self.path(name)).expect("image")).expect("opens")
    }

    fn imago(&self, name: &str) -> Imago {
        let image = imago::qcow2::Qcow2::<imago::file::File>::builder_path(self.path(name));
        FormatAccess::new(image.open(PermissiveImplicitOpenGate::default()).expect("opens"))
    }
}

/// About 3 parts of data, half of it compressible, to 2 parts of holes, in pieces of up to 4 MiB.
fn write_disk(path: &Path) {
    let mut file = File::create(path).expect("raw disk");
    let mut numbers = Numbers(1);
    let mut at = 0;
    while at < GUEST_BYTES {
        let len = ((numbers.below(64) + 1) << 16).min(GUEST_BYTES - at);
        let words = len / 8;
        let bytes: Vec<u8> = match numbers.below(5) {
            0 | 1 => Vec::new(),
            2 => (0..words).flat_map(|_| numbers.next().to_le_bytes()).collect(),
            _ => (0..words).flat_map(|_| (numbers.below(1 << 20) * 3).to_le_bytes()).collect(),
        };
        file.seek(SeekFrom::Start(at)).expect("seek");
        file.write_all(&bytes).expect("write");
        at += len;
    }
    file.set_len(GUEST_BYTES).expect("size");
}

struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Places on the disk that hold data, aligned to `align`, in random order.
fn data_offsets(image: &Qcow2<File>, align: u64) -> Vec<u64> {
    let mut numbers = Numbers(7);
    let places = std::iter::repeat_with(|| numbers.below(image.virtual_size() / align) * align);
    let is_data = |&offset: &u64| {
        let extent = image.extent_at(offset, align).expect("extent");
        !matches!(extent.kind, qcow2_reader::ExtentKind::Unallocated | qcow2_reader::ExtentKind::Zero)
    };
    places.filter(is_data).take(8192).collect()
}

fn translation(criterion: &mut Criterion) {
    let images = Images::make();
    for name in ["64k", "512"] {
        let (ours, imago) = (images.ours(name), images.imago(name));
        let offsets = data_offsets(&ours, 512);
        let mut group = criterion.benchmark_group(format!("translate random, clusters of {name}"));
        let mut next = offsets.iter().cycle();
        group.bench_function("ours", |b| {
            b.iter(|| ours.extent_at(*next.next().expect("cycles"), 1).expect("extent"));
        });
        group.bench_function("imago", |b| {
            b.iter(|| imago.get_mapping(*next.next().expect("cycles"), 1).expect("mapping").1);
        });
        group.finish();

        walks(&mut criterion.benchmark_group(format!("walk the disk, clusters of {name}")), &ours, &imago);
        let mut group = criterion.benchmark_group(format!("read 4 KiB at random, clusters of {name}"));
        random_reads(&mut group, &images, name);
        group.finish();
        let mut group = criterion.benchmark_group(format!("read all by 1 MiB, clusters of {name}"));
        sequential_reads(&mut group, &images, name, 1 << 20);
        group.finish();
    }
    for name in ["zlib", "zstd"] {
        sequential_reads(
            &mut criterion.benchmark_group(format!("read all by 1 MiB, {name}")),
            &images,
            name,
            1 << 20,
        );
    }
    sequential_reads(&mut criterion.benchmark_group("read all by 4 KiB, zlib"), &images, "zlib", 4096);
    sparse_reads(&mut criterion.benchmark_group("read 4 KiB at random, 1 TiB sparse"), &images);
    threads(&mut criterion.benchmark_group("read 4 KiB at random, 2 threads"), &images);
}

fn walks(group: &mut BenchmarkGroup<'_, WallTime>, ours: &Qcow2<File>, imago: &Imago) {
    let our_len = |offset| ours.extent_at(offset, u64::MAX).expect("extent").len;
    group.bench_function("ours", |b| b.iter(|| walk(our_len)));
    let imago_len = |offset| imago.get_mapping(offset, u64::MAX).expect("mapping").1;
    group.bench_function("imago", |b| b.iter(|| walk(imago_len)));
}

/// Counts the extents of the disk.
fn walk(extent_len: impl Fn(u64) -> u64) -> u64 {
    let (mut offset, mut extents) = (0, 0);
    while offset < GUEST_BYTES {
        offset += extent_len(offset);
        extents += 1;
    }
    extents
}

fn random_reads(group: &mut BenchmarkGroup<'_, WallTime>, images: &Images, name: &str) {
    let (raw, ours, imago) =
        (File::open(images.path("raw")).expect("raw"), images.ours(name), images.imago(name));
    let offsets = data_offsets(&ours, 4096);
    let mut next = offsets.iter().cycle();
    let mut buf = [0; 4096];
    group.bench_function("raw", |b| {
        b.iter(|| raw.read_exact_at(&mut buf, *next.next().expect("cycles")).expect("reads"));
    });
    group.bench_function("ours", |b| {
        b.iter(|| ours.read_guest(&mut buf, *next.next().expect("cycles")).expect("reads"));
    });
    group.bench_function("imago", |b| {
        b.iter(|| imago.read(buf.as_mut_slice(), *next.next().expect("cycles")).expect("reads"));
    });
}

fn sequential_reads(group: &mut BenchmarkGroup<'_, WallTime>, images: &Images, name: &str, step: usize) {
    group.sample_size(10).throughput(Throughput::Bytes(GUEST_BYTES));
    let (raw, ours) = (File::open(images.path("raw")).expect("raw"), images.ours(name));
    let mut buf = vec![0; step];
    let offsets = || (0..GUEST_BYTES).step_by(step);
    group.bench_function("raw", |b| {
        b.iter(|| offsets().for_each(|at| raw.read_exact_at(&mut buf, at).expect("reads")));
    });
    group.bench_function("ours", |b| {
        b.iter(|| offsets().for_each(|at| ours.read_guest(&mut buf, at).expect("reads")));
    });
    // imago does not read zstd.
    if name != "zstd" {
        let imago = images.imago(name);
        group.bench_function("imago", |b| {
            b.iter(|| offsets().for_each(|at| imago.read(buf.as_mut_slice(), at).expect("reads")));
        });
    }
}

fn sparse_reads(group: &mut BenchmarkGroup<'_, WallTime>, images: &Images) {
    let (ours, imago) = (images.ours("sparse"), images.imago("sparse"));
    let mut numbers = Numbers(9);
    let mut place = || numbers.below(SPARSE_BYTES / SPARSE_STEP) * SPARSE_STEP + numbers.below(16) * 4096;
    let mut buf = [0; 4096];
    group.bench_function("ours", |b| b.iter(|| ours.read_guest(&mut buf, place()).expect("reads")));
    group.bench_function("imago", |b| b.iter(|| imago.read(buf.as_mut_slice(), place()).expect("reads")));
}

/// The same reads by one thread, and by two that share the image.
fn threads(group: &mut BenchmarkGroup<'_, WallTime>, images: &Images) {
    group.sample_size(10);
    let (ours, imago) = (images.ours("64k"), images.imago("64k"));
    let offsets = data_offsets(&ours, 4096);
    for threads in [1, 2] {
        group.bench_function(BenchmarkId::new("ours", threads), |b| {
            b.iter(|| divide(&offsets, threads, |buf, at| ours.read_guest(buf, at).expect("reads")));
        });
        group.bench_function(BenchmarkId::new("imago", threads), |b| {
            b.iter(|| divide(&offsets, threads, |buf, at| imago.read(buf, at).expect("reads")));
        });
    }
}

fn divide(offsets: &[u64], threads: usize, read: impl Fn(&mut [u8], u64) + Sync) {
    std::thread::scope(|scope| {
        for part in offsets.chunks(offsets.len() / threads) {
            let read = &read;
            scope.spawn(move || {
                let mut buf = [0; 4096];
                for &at in part {
                    read(&mut buf, at);
                }
            });
        }
    });
}

criterion_group!(benches, translation);
criterion_main!(benches);
