//! Images changed at random. Opening and reading them may fail, but must neither panic nor hang nor use up memory.

use std::path::Path;
use std::time::{Duration, Instant};

use super::exercise::exercise;
use super::vhdx_log::{read_file, seal};
use super::{Lab, MIB, below, patch};
use crate::support::{Numbers, needs, sh};

/// How long a campaign takes, and how long one image may.
const CAMPAIGN: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(5);

fn exercise_in_time(image: &Path) -> bool {
    let started = Instant::now();
    let opened = exercise(image);
    assert!(started.elapsed() < PATIENCE, "{} took {:?}", image.display(), started.elapsed());
    opened
}

/// Changes some of the bytes: to random ones, to extremes, or by one.
fn mutate(numbers: &mut Numbers, bytes: &mut [u8]) {
    for _ in 0..=numbers.below(5) {
        let at = below(numbers, bytes.len());
        let width = 1 << numbers.below(4);
        let value = match numbers.below(4) {
            0 => 0,
            1 => u64::MAX,
            2 => numbers.below(u64::MAX),
            _ => u64::from(bytes[at]).wrapping_add(1).wrapping_sub(2 * numbers.below(2)),
        };
        let end = bytes.len().min(at + width);
        bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
    }
}

/// Mutates the given regions of an image one at a time, for as long as a campaign takes.
fn campaign(image: &Path, regions: &[(u64, usize)], mend: impl Fn(u64, &mut [u8])) {
    let mut numbers = Numbers::new(regions.len() as u64);
    let started = Instant::now();
    let (mut opened, mut tried) = (0, 0);
    while started.elapsed() < CAMPAIGN {
        let (offset, len) = regions[below(&mut numbers, regions.len())];
        let original = read_file(image, offset, len);
        let mut bytes = original.clone();
        mutate(&mut numbers, &mut bytes);
        mend(offset, &mut bytes);
        patch(image, offset, &bytes);
        opened += usize::from(exercise_in_time(image));
        tried += 1;
        patch(image, offset, &original);
    }
    assert!(exercise_in_time(image));
    assert!(opened > 0 && opened < tried, "{opened} of {tried} opened");
}

#[test]
fn changed_vhdx_images_do_no_harm() {
    needs!("qemu-img");
    let lab = Lab::new();
    let raw = lab.raw("disk", 4 * MIB);
    let image = lab.convert(&raw, "vhdx", "block_size=1M", "image.vhdx");
    let kib = 1 << 10;
    let regions = [
        (64 * kib, 80),
        (128 * kib, 80),
        (192 * kib, 80),
        (256 * kib, 80),
        (2 * MIB, 64),
        (3 * MIB, 192),
        (3 * MIB + 64 * kib, 64),
    ];
    campaign(&image, &regions, |_, _| {});
}

#[test]
fn changed_vhdx_structures_with_right_checksums_do_no_harm() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, table, len) = super::vhdx_log::crashed(&lab);
    super::vhdx_log::write_log(&image, table, len);
    // Without the copies, so that every change counts.
    patch(&image, 128 << 10, b"none");
    patch(&image, 256 << 10, b"none");
    let regions = [(64 << 10, 4096), (192 << 10, 64 << 10), (MIB, 8192), (MIB + 8192, 8192)];
    campaign(&image, &regions, |_, bytes| {
        // Most of each structure is reserved; more changes where it is not.
        mutate(&mut Numbers::new(u64::from(bytes[100]) + u64::from(bytes[8])), &mut bytes[..128]);
        seal(bytes);
    });
}

#[test]
fn changed_vmdk_images_do_no_harm() {
    needs!("qemu-img");
    let lab = Lab::new();
    let raw = lab.raw("disk", 4 * MIB);
    for subformat in ["monolithicSparse", "streamOptimized"] {
        let image = lab.convert(&raw, "vmdk", &format!("subformat={subformat}"), "image.vmdk");
        let len = std::fs::read(&image).expect("read").len();
        campaign(&image, &[(0, 80), (512, 300), (0, 64 << 10), (0, len)], |_, _| {});
    }
}

#[test]
fn changed_vmdk_descriptors_do_no_harm() {
    let lab = Lab::new();
    lab.write("data.bin", [1; 4096]);
    let text = "# Disk DescriptorFile\nparentCID=ffffffff\nRW 8 FLAT \"data.bin\" 0\nRW 8 ZERO\n";
    let image = lab.write("image.vmdk", text);
    campaign(&image, &[(21, text.len() - 21)], |_, _| {});
}

#[test]
fn changed_partition_tables_do_no_harm() {
    needs!("sfdisk");
    let lab = Lab::new();
    for (label, layout) in [("dos", ",2M\n,1M\n,,E\n,1M\n,1M\n"), ("gpt", ",1M\n,1M\n,1M\n")] {
        let image = lab.path(label);
        std::fs::File::create(&image).expect("created").set_len(12 * MIB).expect("sized");
        sh("printf \"$3\" | sfdisk -q -X \"$1\" \"$2\"", [label, image.to_str().expect("UTF-8"), layout]);
        let mut numbers = Numbers::new(9);
        let started = Instant::now();
        while started.elapsed() < CAMPAIGN {
            let offset = [0, 440, 512, 1024, 12 * MIB - 512, 3 * MIB][below(&mut numbers, 6)];
            let original = read_file(&image, offset, 512);
            let mut bytes = original.clone();
            mutate(&mut numbers, &mut bytes);
            patch(&image, offset, &bytes);
            assert!(exercise_in_time(&image), "a raw disk opens, whatever is on it");
            patch(&image, offset, &original);
        }
    }
}
