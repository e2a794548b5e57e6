use docker_rescue::disk::DiskFormat;

use super::{Lab, LoopDevice, MIB, assert_holds, open, qemu_view, read, read_all};
use crate::support::{Numbers, needs};

/// Every way in which qemu-img writes the formats that are read.
const IMAGES: &[(&str, &str, DiskFormat)] = &[
    ("raw", "", DiskFormat::Raw),
    ("qcow2", "", DiskFormat::Qcow2),
    ("qcow2", "compat=0.10,cluster_size=4096", DiskFormat::Qcow2),
    ("qcow2", "lazy_refcounts=on,extended_l2=on", DiskFormat::Qcow2),
    ("vhdx", "subformat=dynamic,block_size=1M", DiskFormat::Vhdx),
    ("vhdx", "subformat=dynamic,block_size=8M", DiskFormat::Vhdx),
    ("vhdx", "subformat=dynamic", DiskFormat::Vhdx),
    ("vhdx", "subformat=fixed,block_size=1M", DiskFormat::Vhdx),
    ("vhdx", "subformat=fixed,block_size=32M,log_size=4M", DiskFormat::Vhdx),
    ("vmdk", "subformat=monolithicSparse", DiskFormat::Vmdk),
    ("vmdk", "subformat=monolithicSparse,compat6=on,zeroed_grain=on", DiskFormat::Vmdk),
    ("vmdk", "subformat=streamOptimized", DiskFormat::Vmdk),
    ("vmdk", "subformat=monolithicFlat", DiskFormat::Vmdk),
    ("vmdk", "subformat=twoGbMaxExtentSparse", DiskFormat::Vmdk),
    ("vmdk", "subformat=twoGbMaxExtentFlat", DiskFormat::Vmdk),
];

#[test]
fn every_format_gives_the_bytes_that_qemu_gives() {
    needs!("qemu-img");
    for size in [21 * MIB + 3 * 512, 512, 64 << 10] {
        let lab = Lab::new();
        let raw = lab.raw("disk", size);
        for (format, options, recognised) in IMAGES {
            if size < MIB && options.contains("fixed") {
                continue;
            }
            let image = lab.convert(&raw, format, options, "image");
            let disk = open(&image);
            assert_eq!(disk.format(), *recognised, "{options}");
            assert_eq!(disk.notes(), [], "{options}");
            assert_eq!(disk.check().expect("checked"), [], "{options}");
            assert_holds(&disk, &qemu_view(&image));
        }
    }
}

#[test]
fn a_disk_larger_than_two_gb_is_read_across_its_extents() {
    needs!("qemu-img");
    let lab = Lab::new();
    let raw = lab.path("disk");
    let file = std::fs::File::create(&raw).expect("created");
    file.set_len(4200 * MIB).expect("sized");
    let data = Numbers::new(3).bytes(300_000);
    let places = [0, 2047 * MIB - 150_000, 2048 * MIB - 150_000, 4095 * MIB, 4200 * MIB - 300_000];
    for at in places {
        super::patch(&raw, at, &data);
    }
    for subformat in ["twoGbMaxExtentSparse", "twoGbMaxExtentFlat"] {
        let image = lab.convert(&raw, "vmdk", &format!("subformat={subformat}"), "image.vmdk");
        let disk = open(&image);
        assert_eq!(disk.also_read().len(), 3);
        for at in places {
            assert!(read(&disk, at, data.len()).expect("readable") == data, "{subformat} at {at}");
        }
        assert!(read(&disk, 3000 * MIB, 4096).expect("readable") == [0; 4096]);
    }
}

#[test]
fn reads_beyond_the_end_fail() {
    needs!("qemu-img");
    let lab = Lab::new();
    let raw = lab.raw("disk", 2 * MIB);
    for (format, options, _) in IMAGES {
        let disk = open(&lab.convert(&raw, format, options, "image"));
        for (offset, len) in [(2 * MIB - 1, 2), (2 * MIB, 1), (u64::MAX, 1), (u64::MAX - 4096, 8192)] {
            let error = read(&disk, offset, len).expect_err("beyond the end");
            assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{disk:?} {offset}");
        }
        assert!(read(&disk, 2 * MIB, 0).is_ok(), "{disk:?}");
    }
}

#[test]
fn threads_share_a_disk() {
    needs!("qemu-img");
    let lab = Lab::new();
    let raw = lab.raw("disk", 9 * MIB);
    let truth = std::fs::read(&raw).expect("read");
    for (format, options, _) in IMAGES {
        let disk = open(&lab.convert(&raw, format, options, "image"));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!(read_all(&disk.clone()) == truth, "{format} {options}"));
            }
        });
    }
}

#[test]
fn a_block_device_is_a_raw_disk() {
    needs!("loop", "losetup");
    let lab = Lab::new();
    let raw = lab.raw("disk", 3 * MIB);
    let device = LoopDevice::new(&raw, &["--read-only"]);
    assert_holds(&open(device.0.as_ref()), &std::fs::read(raw).expect("read"));
}
