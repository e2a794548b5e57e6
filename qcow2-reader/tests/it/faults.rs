//! Sources that fail now and then: the error says where, and the image stays usable.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use qcow2_reader::{Error, OpenOptions, Qcow2, ReadAt};

use crate::builder::Builder;
use crate::oracle::read_all;

/// Fails the read with the number `failing`, counted from 0.
struct Faulty {
    bytes: Vec<u8>,
    next: AtomicUsize,
    failing: usize,
}

impl Faulty {
    fn new(bytes: &[u8], failing: usize) -> Self {
        Self { bytes: bytes.to_vec(), next: AtomicUsize::new(0), failing }
    }
}

impl ReadAt for Faulty {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if self.next.fetch_add(1, Ordering::Relaxed) == self.failing {
            buf.fill(0xee);
            return Err(io::Error::other("bad sector"));
        }
        self.bytes.read_exact_at(buf, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.bytes.size()
    }
}

fn is_bad_sector(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.to_string() == "bad sector")
}

#[test]
fn after_any_failed_read_the_image_reads_as_before() {
    let mut builder = Builder::new(9, 16);
    for index in 0..8 {
        builder.data(index * 2, u8::try_from(index + 1).unwrap());
    }
    let mut stream = vec![0; 600];
    let mut compress = flate2::Compress::new(flate2::Compression::default(), false);
    compress.compress(&[0xcc; 512], &mut stream, flate2::FlushCompress::Finish).expect("compresses");
    builder.compressed(15, &stream, 2);
    let expected = read_all(&Qcow2::open(&builder.bytes).expect("opens"), 512);
    let mut failures = 0;
    for failing in 0.. {
        let source = Faulty::new(&builder.bytes, failing);
        let image = match Qcow2::open(&source) {
            Ok(image) => image,
            Err(error) => {
                assert!(is_bad_sector(&error), "{error}");
                continue;
            }
        };
        match image.read_guest(&mut vec![0; expected.len()], 0) {
            Ok(()) => break,
            Err(error) => assert!(is_bad_sector(&error), "{error}"),
        }
        failures += 1;
        assert_eq!(read_all(&image, 512), expected, "after read {failing} failed");
    }
    assert_eq!(failures, 1 + 1 + 8 + 1, "L1 table, L2 table, 8 data clusters, 1 compressed one");
}

#[test]
fn bad_sector_of_the_backing_file_names_it() {
    let mut builder = Builder::new(9, 2);
    builder.put_u64(8, 200);
    builder.put_u32(16, 4);
    let backing = Faulty::new(&[1; 1024], 0);
    let image = OpenOptions::new().backing(qcow2_reader::Backing::Source(Box::new(backing)));
    let image = image.open(builder.bytes).expect("opens");
    let error = image.read_guest(&mut [0; 100], 700).expect_err("bad sector");
    assert_eq!(error.to_string(), "cannot read the backing file at byte offset 700");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::Other);
    assert!(image.read_guest(&mut [0; 100], 700).is_ok());
}
