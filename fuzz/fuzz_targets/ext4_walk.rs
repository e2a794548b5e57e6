//! Opens the input as an ext2, ext3 or ext4 file system and reads everything that can be reached in it.
//! Good seeds are the images of `ext4-reader/tests/fixtures`.
#![no_main]

use ext4_reader::Ext4;
use libfuzzer_sys::fuzz_target;

#[path = "../../ext4-reader/tests/it/exercise.rs"]
mod exercise;

fuzz_target!(|image: &[u8]| {
    if let Ok(fs) = Ext4::open(image) {
        exercise::exercise(&fs);
    }
});
