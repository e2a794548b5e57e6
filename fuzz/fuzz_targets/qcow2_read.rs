//! Opens any bytes as a qcow2 image and touches what they map.

#![no_main]

use libfuzzer_sys::fuzz_target;
use qcow2_reader::{Backing, OpenOptions, ReadAt};

fuzz_target!(|image: &[u8]| {
    let options = OpenOptions::new().backing(Backing::Source(Box::new(vec![1_u8; 3000])));
    let Ok(image) = options.data_file(vec![2_u8; 70_000]).open(image) else { return };
    let size = image.virtual_size();
    let mut offset = 0;
    for _ in 0..64 {
        match image.extent_at(offset, u64::MAX) {
            Ok(extent) => {
                assert!(extent.len > 0 && extent.guest_offset == offset);
                offset += extent.len;
            }
            Err(_) => offset = offset.saturating_add(image.header().cluster_bytes()),
        }
    }
    let mut buf = vec![0; 20_000];
    for offset in [0, 511, 4096, 65_000, size / 2, size.saturating_sub(20_000)] {
        let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = buf.len().min(left);
        let _ = image.read_exact_at(&mut buf[..len], offset);
    }
});
