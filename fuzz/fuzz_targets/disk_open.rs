//! Opens the input as a disk image of any format, and reads its tables, its partitions and some of its bytes.
//! Good seeds are what qemu-img and sfdisk make of a small disk.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;

#[path = "../../docker-rescue/tests/it/disk/exercise.rs"]
mod exercise;

fuzz_target!(|image: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(image).expect("written");
    exercise::exercise(file.path());
});
