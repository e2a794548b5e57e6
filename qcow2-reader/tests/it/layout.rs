//! What tables say, shown by images of a few clusters made by hand.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use qcow2_reader::{Compression, Extent, ExtentKind, Header, OpenOptions, Qcow2, ReadAt};

use crate::builder::{Builder, COPIED, DATA, L2};
use crate::oracle::{extents, read_all};

/// A source that counts how often it is read.
struct Counted {
    bytes: Vec<u8>,
    reads: AtomicUsize,
}

impl ReadAt for Counted {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.read_exact_at(buf, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.bytes.size()
    }
}

/// How many reads of the source `work` needs.
fn reads<R>(source: &Counted, work: impl FnOnce() -> R) -> usize {
    let before = source.reads.load(Ordering::Relaxed);
    work();
    source.reads.load(Ordering::Relaxed) - before
}

fn kinds<S: ReadAt>(image: &Qcow2<S>) -> Vec<(u64, u64, ExtentKind)> {
    extents(image).iter().map(|extent| (extent.guest_offset, extent.len, extent.kind)).collect()
}

#[test]
fn header_is_shown_as_it_is() {
    let mut builder = Builder::new(16, 5);
    builder.put(79, &[0b1]);
    builder.put_u32(60, 7);
    let header = Header::parse(&builder.bytes[..65536]).expect("header");
    assert_eq!((header.version(), header.virtual_size(), header.cluster_bytes()), (3, 5 << 16, 65536));
    assert!(header.is_dirty() && !header.is_marked_corrupt() && !header.has_extended_l2());
    assert_eq!(
        (header.compression(), header.encryption(), header.snapshot_count()),
        (Compression::Zlib, None, 7)
    );
    assert_eq!((header.backing_name(), header.backing_format(), header.data_file_name()), (None, None, None));
}

#[test]
fn header_of_version_2_ends_before_the_feature_bits() {
    let mut builder = Builder::new(9, 1);
    builder.put_u32(4, 2);
    builder.put(72, &[0; 40]);
    builder.data(0, 6);
    let image = Qcow2::open(builder.bytes).expect("opens");
    assert_eq!(image.header().version(), 2);
    assert_eq!(read_all(&image, 512), [6; 512]);
}

#[test]
fn extensions_end_where_the_backing_name_begins() {
    let mut builder = Builder::new(9, 1);
    builder.put_u32(104, 0xe279_2aca);
    builder.put_u32(108, 3);
    builder.put(112, b"raw");
    builder.put_u64(8, 120);
    builder.put_u32(16, 9);
    builder.put(120, b"/base.raw");
    let header = Header::parse(&builder.bytes).expect("header");
    assert_eq!(header.backing_name(), Some(&b"/base.raw"[..]));
    assert_eq!(header.backing_format(), Some("raw"));
}

#[test]
fn extension_longer_than_its_area_costs_only_what_follows_it() {
    let mut builder = Builder::new(9, 1);
    builder.put_u32(104, 0xe279_2aca);
    builder.put_u32(108, 5);
    builder.put(112, b"qcow2");
    builder.put_u32(120, 0x4441_5441);
    builder.put_u32(124, u32::MAX);
    let header = Header::parse(&builder.bytes).expect("header");
    assert_eq!((header.backing_format(), header.data_file_name()), (Some("qcow2"), None));
}

#[test]
fn extents_tell_the_kinds_of_clusters() {
    let mut builder = Builder::new(9, 8);
    builder.data(1, 1);
    builder.data(2, 2);
    builder.l2_entry(4, 1);
    builder.l2_entry(5, COPIED | builder.cluster(DATA) | 1);
    builder.data(7, 7);
    let image = Qcow2::open(builder.bytes).expect("opens");
    let data = |cluster: u64| ExtentKind::Data { host_offset: cluster * 512 };
    let expected = [
        (0, 512, ExtentKind::Unallocated),
        (512, 1024, data(3)),
        (1536, 512, ExtentKind::Unallocated),
        (2048, 1024, ExtentKind::Zero),
        (3072, 512, ExtentKind::Unallocated),
        (3584, 512, data(5)),
    ];
    assert_eq!(kinds(&image), expected);
    let within = image.extent_at(700, 100).expect("extent");
    assert_eq!(
        (within.kind, within.guest_offset, within.len),
        (ExtentKind::Data { host_offset: 1536 + 188 }, 700, 100)
    );
    assert!(matches!(image.extent_at(4095, u64::MAX), Ok(Extent { len: 1, .. })));
}

#[test]
fn zero_flag_in_version_2_is_corrupt() {
    let mut builder = Builder::new(9, 2);
    builder.put_u32(4, 2);
    builder.put(72, &[0; 40]);
    builder.l2_entry(0, 1);
    builder.data(1, 3);
    let image = Qcow2::open(builder.bytes).expect("opens");
    assert!(image.read_guest(&mut [0; 512], 0).is_err());
    assert!(image.read_guest(&mut [0; 512], 512).is_ok());
}

#[test]
fn subclusters_have_states_of_their_own() {
    let mut builder = Builder::new(14, 1);
    builder.put(79, &[0b1_0000]);
    builder.data(0, 9);
    let zeros: u64 = 0b11 << 4;
    let data: u64 = 0b1111 | 1 << 31;
    builder.put_u64((L2 << 14) + 8, zeros << 32 | data);
    let image = Qcow2::open(builder.bytes).expect("opens");
    let host = (DATA as u64) << 14;
    let expected = [
        (0, 2048, ExtentKind::Data { host_offset: host }),
        (2048, 1024, ExtentKind::Zero),
        (3072, 25 * 512, ExtentKind::Unallocated),
        (31 * 512, 512, ExtentKind::Data { host_offset: host + 31 * 512 }),
    ];
    assert_eq!(kinds(&image), expected);
}

#[test]
fn contradictory_subcluster_bitmaps_are_corrupt() {
    for (allocated, bitmap) in [(true, 1 << 32 | 1), (false, 1), (true, u64::MAX)] {
        let mut builder = Builder::new(14, 2);
        builder.put(79, &[0b1_0000]);
        if allocated {
            builder.data(0, 9);
        }
        builder.put_u64((L2 << 14) + 8, bitmap);
        let image = Qcow2::open(builder.bytes).expect("opens");
        assert!(image.read_guest(&mut [0; 512], 5000).is_err(), "{bitmap:#x}");
        assert!(image.read_guest(&mut [0; 512], 16384).is_ok());
    }
}

#[test]
fn clusters_in_a_row_are_one_read_across_l2_tables() {
    // One L2 table of 512-byte clusters maps 64 of them.
    let clusters = 200;
    let mut builder = Builder::new(9, clusters as u64);
    builder.put_u32(36, 4);
    let first_data = 2 + 4;
    builder.bytes.resize((first_data + clusters) * 512, 0);
    for table in 0..4_usize {
        builder.put_u64(512 + table * 8, COPIED | ((2 + table) * 512) as u64);
    }
    for index in 0..clusters {
        builder.put_u64(2 * 512 + index * 8, COPIED | ((first_data + index) * 512) as u64);
    }
    let source = Counted { bytes: builder.bytes, reads: AtomicUsize::new(0) };
    let image = Qcow2::open(&source).expect("opens");
    let mut disk = vec![0; clusters * 512];
    assert_eq!(reads(&source, || image.read_guest(&mut disk, 0).expect("reads")), 1 + 4 + 1);
    assert_eq!(reads(&source, || image.read_guest(&mut disk, 0).expect("reads")), 1);
    assert_eq!(reads(&source, || image.extent_at(0, u64::MAX).expect("extent")), 0);
}

#[test]
fn without_table_cache_everything_reads_the_same() {
    let mut builder = Builder::new(12, 300);
    for index in (0..300).step_by(7) {
        builder.data(index, u8::try_from(index % 251).unwrap());
    }
    let image = Qcow2::open(&builder.bytes).expect("opens");
    let uncached = OpenOptions::new().table_cache_bytes(0).cluster_cache_bytes(0);
    let uncached = uncached.open(&builder.bytes).expect("opens");
    assert_eq!(read_all(&uncached, 5000), read_all(&image, 5000));
    assert_eq!(read_all(&image, 5000)[7 * 4096], 7);
}

#[test]
fn reads_past_the_end_of_the_disk_are_refused() {
    let mut builder = Builder::new(9, 2);
    builder.data(1, 1);
    let image = Qcow2::open(builder.bytes).expect("opens");
    assert!(image.read_guest(&mut [0; 512], 512).is_ok());
    assert!(image.read_guest(&mut [], 1024).is_ok());
    for (len, offset) in [(513, 512), (1, 1024), (1, u64::MAX), (0, 1025)] {
        let error = image.read_guest(&mut vec![0; len], offset).expect_err("past the end");
        assert!(matches!(error, qcow2_reader::Error::PastEnd { virtual_size: 1024, .. }));
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::UnexpectedEof);
    }
    assert!(image.extent_at(1024, 1).is_err());
}

#[test]
fn one_image_serves_many_threads() {
    let mut builder = Builder::new(9, 64);
    for index in 0..64 {
        builder.data(index, u8::try_from(index).unwrap());
    }
    // Room for few slices, so that threads drive each other's out.
    let image = OpenOptions::new().table_cache_bytes(2048).open(builder.bytes).expect("opens");
    std::thread::scope(|scope| {
        for start in 0..4_u64 {
            let image = &image;
            scope.spawn(move || {
                for round in 0..2000 {
                    let cluster = (start * 17 + round * 5) % 64;
                    let mut found = [0; 512];
                    image.read_guest(&mut found, cluster * 512).expect("reads");
                    assert_eq!(found, [u8::try_from(cluster).unwrap(); 512]);
                }
            });
        }
    });
}
