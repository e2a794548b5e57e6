//! Any bytes as a bbolt database: every bucket of every state, and every stray record.
#![no_main]

use data_root_reader::bolt::{Bucket, Database, Entry, stray_leaf_elements};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(database) = Database::parse(bytes) {
        for state in database.states() {
            walk(state.root(), 64);
        }
        let held: usize = database.leaf_elements().map(|(key, value)| key.len() + value.len()).sum();
        assert!(held <= bytes.len() + (16 << 20));
    }
    stray_leaf_elements(bytes).count();
});

fn walk(bucket: Bucket<'_, '_>, depth: usize) {
    for entry in bucket.entries() {
        if let Ok((_, Entry::Bucket(below))) = entry {
            if let Some(depth) = depth.checked_sub(1) {
                walk(below, depth);
            }
        }
    }
}
