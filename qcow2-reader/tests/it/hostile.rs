//! Images that contradict themselves. Nothing panics, hangs or allocates beyond the size of the file, and what
//! cannot be read is an error and never zeros.

use qcow2_reader::{Corrupt, Error, OpenOptions, Qcow2};

use crate::builder::{Builder, COPIED, DATA, L1, L2};

const CLUSTER: u64 = 512;

/// Guest clusters 0 and 1 hold data, 2 is unallocated, 3 holds data.
fn sound() -> Builder {
    let mut builder = Builder::new(9, 4);
    builder.data(0, 1);
    builder.data(1, 2);
    builder.data(3, 4);
    builder
}

fn read(image: &[u8], cluster: u64) -> Result<[u8; 512], Error> {
    let image = Qcow2::open(image).expect("opens");
    let mut found = [0; 512];
    image.read_guest(&mut found, cluster * CLUSTER)?;
    Ok(found)
}

fn corrupt(image: &[u8], cluster: u64) -> Corrupt {
    match read(image, cluster) {
        Err(Error::Corrupt(corrupt)) => {
            assert_eq!(corrupt.guest_offset(), Some(cluster * CLUSTER));
            corrupt
        }
        other => panic!("cluster {cluster}: {other:?}"),
    }
}

fn refused(builder: &Builder) -> Error {
    Qcow2::open(&builder.bytes).expect_err("is refused")
}

#[test]
fn data_cluster_beyond_the_end_of_the_file_is_corrupt() {
    let mut builder = sound();
    builder.l2_entry(1, COPIED | 1 << 20);
    let found = corrupt(&builder.bytes, 1);
    assert_eq!((found.structure(), found.offset()), ("data cluster", 1 << 20));
    assert_eq!(read(&builder.bytes, 0).expect("its neighbours"), [1; 512]);
    assert_eq!(read(&builder.bytes, 2).expect("are read"), [0; 512]);
}

#[test]
fn truncation_costs_what_is_cut_off() {
    let builder = sound();
    let two_clusters_left = &builder.bytes[..(DATA + 2) * 512];
    assert_eq!(read(two_clusters_left, 1).expect("left"), [2; 512]);
    assert_eq!(corrupt(two_clusters_left, 3).offset(), 5 * CLUSTER);
    let short_last_cluster = &builder.bytes[..DATA * 512 + 700];
    let found = read(short_last_cluster, 1).expect("the last cluster may be short");
    assert_eq!(found, *[[2; 188].as_slice(), &[0; 324]].concat());
    let one_read = Qcow2::open(short_last_cluster).expect("opens").read_guest(&mut [0; 2048], 0);
    assert!(matches!(one_read, Err(Error::Corrupt(corrupt)) if corrupt.guest_offset() == Some(3 * CLUSTER)));
}

#[test]
fn tables_beyond_the_end_of_the_file_are_corrupt() {
    let builder = sound();
    let without_tables = &builder.bytes[..L1 * 512];
    assert_eq!(corrupt(without_tables, 2).structure(), "L1 table");
    let without_l2 = &builder.bytes[..L2 * 512];
    assert_eq!(corrupt(without_l2, 2).structure(), "L2 table");
    let with_part_of_l2 = &builder.bytes[..L2 * 512 + 12];
    assert_eq!(corrupt(with_part_of_l2, 1).offset(), L2 as u64 * CLUSTER + 8);
    for offset in [1 << 20, 1 << 50, u64::MAX << 9] {
        let mut builder = sound();
        builder.put_u64(40, offset);
        assert_eq!(corrupt(&builder.bytes, 2).structure(), "L1 table");
        let mut builder = sound();
        builder.l1_entry(offset);
        assert_eq!(corrupt(&builder.bytes, 2).structure(), "L2 table");
    }
}

#[test]
fn misaligned_offsets_cost_what_they_map() {
    let mut builder = Builder::new(12, 2 * 512);
    builder.put_u32(36, 2);
    builder.data(5, 1);
    builder.data(6, 2);
    builder.l2_entry(6, COPIED | 0x5200);
    builder.put_u64((L1 << 12) + 8, COPIED | builder.cluster(L2) | 512);
    let image = Qcow2::open(builder.bytes).expect("opens");
    assert!(image.read_guest(&mut [0; 4096], 5 << 12).is_ok());
    for (cluster, structure) in [(6, "L2 table"), (512, "L1 table"), (1023, "L1 table")] {
        match image.read_guest(&mut [0; 1], cluster << 12) {
            Err(Error::Corrupt(corrupt)) => assert_eq!(corrupt.structure(), structure),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn reserved_bits_of_entries_cost_nothing() {
    let mut builder = sound();
    builder.l1_entry(COPIED | builder.cluster(L2) | 0x7f << 56 | 0x1ff);
    builder.l2_entry(1, COPIED | builder.cluster(DATA + 1) | 0x3f << 56 | 0x1fe);
    assert_eq!(read(&builder.bytes, 1).expect("reads"), [2; 512]);
}

#[test]
fn l1_table_shorter_than_the_disk_costs_what_it_does_not_map() {
    let mut builder = sound();
    builder.put_u64(24, 65 * CLUSTER);
    assert_eq!(read(&builder.bytes, 3).expect("mapped"), [4; 512]);
    assert_eq!(corrupt(&builder.bytes, 64).structure(), "L1 table");
}

#[test]
fn tables_that_are_each_other_end_and_are_bounded() {
    let mut builder = sound();
    builder.l1_entry(builder.cluster(L1));
    assert!(read(&builder.bytes, 0).is_ok(), "the L1 entry, read as an L2 entry, points into the file");
    // 2^32 - 1 L1 entries claimed, a huge disk, and every L1 entry the same table.
    let mut builder = Builder::new(9, 1 << 30);
    builder.put_u32(36, u32::MAX);
    builder.bytes.resize(64 << 10, 0);
    for at in (1024..64 << 10).step_by(8) {
        builder.put_u64(at, 1024);
    }
    let image = OpenOptions::new().table_cache_bytes(u64::MAX).open(&builder.bytes).expect("opens");
    assert!(image.extent_at(0, u64::MAX).expect("extent").len <= 1 << 39);
    assert!(image.read_guest(&mut [0; 4096], 1 << 38).is_err());
}

#[test]
fn impossible_cluster_sizes_are_refused() {
    for bits in [0, 1, 8, 22, 30, 31, 32, 63, 64, 255, u32::MAX] {
        let mut builder = sound();
        builder.put_u32(20, bits);
        assert!(matches!(refused(&builder), Error::Corrupt(_) | Error::Limit { .. }), "{bits}");
    }
    let mut builder = Builder::new(13, 1);
    builder.put(79, &[0b1_0000]);
    assert!(matches!(refused(&builder), Error::Corrupt(_)), "subclusters below a sector");
}

#[test]
fn impossible_disks_are_refused() {
    for size in [1 << 63, u64::MAX] {
        let mut builder = sound();
        builder.put_u64(24, size);
        assert!(matches!(refused(&builder), Error::Limit { needed, .. } if needed == size));
    }
    let mut builder = sound();
    builder.put_u64(24, i64::MAX.unsigned_abs());
    let image = Qcow2::open(&builder.bytes).expect("the largest disk");
    assert!(image.read_guest(&mut [0; 1], i64::MAX.unsigned_abs() - 1).is_err());
    assert_eq!(image.extent_at(1024, u64::MAX).expect("extent").len, 512);
}

#[test]
fn impossible_headers_are_refused() {
    for (at, value) in
        [(100, 0_u32), (100, 103), (100, 513), (100, u32::MAX), (16, 1024), (16, u32::MAX), (12, 511)]
    {
        let mut builder = sound();
        builder.put_u32(12, 200);
        builder.put_u32(16, 8);
        builder.put_u32(at, value);
        assert!(matches!(refused(&builder), Error::Corrupt(_)), "{value} at {at}");
    }
    let mut builder = sound();
    builder.put_u64(40, 513);
    assert!(matches!(refused(&builder), Error::Corrupt(corrupt) if corrupt.offset() == 40));
}

#[test]
fn what_is_not_qcow2_is_told_apart_from_what_is_cut_off() {
    for bytes in [&b""[..], b"QFI", b"QFI\xfb\0\0\0", b"conectix", &[0; 4096]] {
        assert!(matches!(Qcow2::open(bytes), Err(Error::NotQcow2)));
    }
    let builder = sound();
    for len in 8..104 {
        assert!(matches!(Qcow2::open(&builder.bytes[..len]), Err(Error::Corrupt(_))), "{len} bytes");
    }
}

#[test]
fn refcounts_and_snapshots_do_not_concern_a_reader() {
    let mut builder = sound();
    for at in [48, 56, 60, 64, 96] {
        builder.put_u32(at, u32::MAX);
    }
    assert_eq!(read(&builder.bytes, 3).expect("reads"), [4; 512]);
}
