//! Any bytes as a tar archive: members and contents are read to the end, with limits that keep a run short.
#![no_main]

use file_tree::{TarLimits, TarReader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|archive: &[u8]| {
    let mut limits = TarLimits::default();
    limits.extended_header_bytes = 1 << 16;
    limits.sparse_ranges = 1 << 12;
    let mut reader = TarReader::new(archive, limits);
    let mut buffer = [0; 1024];
    let mut given = 0;
    while let Ok(Some(member)) = reader.next_member() {
        assert!(member.offset < archive.len() as u64);
        let mut end = 0;
        while let Ok(Some(piece)) = reader.read_content(&mut buffer) {
            assert!(piece.offset >= end, "content comes in order");
            end = piece.offset + piece.len;
            assert!(end <= member.metadata.size, "content lies within the file");
            given += piece.len;
        }
    }
    assert!(given <= archive.len() as u64, "content comes from the archive");
});
