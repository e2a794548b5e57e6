//! Every kind of image that qemu-img, qemu-io and e2image write, read as qemu-img reads it.

use crate::oracle::{Made, compare, open};
use crate::support::needs;

/// Scripts that make images, each with the name a failure is told by.
type Kinds<'a> = &'a [(&'a str, &'a str)];

fn check(kinds: Kinds<'_>) {
    for (name, script) in kinds {
        compare(name, &Made::new(script));
    }
}

/// Makes one image per cluster size; `SIZE` in the script stands for it.
fn check_cluster_sizes(sizes: &[&str], script: &str) {
    for size in sizes {
        let script = script.replace("SIZE", size);
        compare(&script, &Made::new(&script));
    }
}

#[test]
fn uncompressed_images_of_every_cluster_size() {
    needs!("qemu-img", "qemu-io");
    let sizes = ["512", "1k", "2k", "4k", "16k", "64k", "512k", "2M"];
    check_cluster_sizes(&sizes, "convert -o compat=1.1,cluster_size=SIZE disk.raw image.qcow2");
    check_cluster_sizes(
        &["512", "4k", "64k", "2M"],
        "convert -o compat=0.10,cluster_size=SIZE disk.raw image.qcow2",
    );
}

#[test]
fn compressed_images_of_every_cluster_size() {
    needs!("qemu-img", "qemu-io");
    let sizes = ["512", "1k", "4k", "64k", "2M"];
    check_cluster_sizes(&sizes, "convert -c -o compat=1.1,cluster_size=SIZE disk.raw image.qcow2");
    check_cluster_sizes(&["512", "64k"], "convert -c -o compat=0.10,cluster_size=SIZE disk.raw image.qcow2");
    #[cfg(feature = "zstd")]
    check_cluster_sizes(&sizes, "convert -c -o compression_type=zstd,cluster_size=SIZE disk.raw image.qcow2");
}

#[test]
fn images_with_subclusters() {
    needs!("qemu-img", "qemu-io");
    check_cluster_sizes(
        &["16k", "64k", "256k", "2M"],
        "convert -o extended_l2=on,cluster_size=SIZE disk.raw image.qcow2",
    );
    check_cluster_sizes(
        &["16k", "64k", "2M"],
        r#"create -o extended_l2=on,cluster_size=SIZE image.qcow2 8M
        io image.qcow2 "write -P 1 3k 5k" "write -P 2 100k 1k" "write -z 102k 8k" "write -P 3 1M 3M" \
            "discard 1500k 40k" "write -z 2M 64k" "write -P 4 2050k 2k" "write -z 6M 1M" "write -P 5 6200k 12k""#,
    );
    check(&[
        ("compressed", "convert -c -o extended_l2=on disk.raw image.qcow2"),
        ("preallocated", "create -o extended_l2=on,preallocation=metadata image.qcow2 5M"),
        (
            "partly over a backing file",
            r#"create -F raw -b disk.raw -o extended_l2=on,cluster_size=128k image.qcow2
            io image.qcow2 "write -P 1 6k 3k" "write -z 20k 8k" "write -P 2 1M 200k" "write -z 3M 300k" "discard 5M 4k""#,
        ),
    ]);
}

#[test]
fn sizes_and_preallocations() {
    needs!("qemu-img", "qemu-io");
    check(&[
        ("empty disk", "create image.qcow2 0"),
        ("one sector", r#"create image.qcow2 512; io image.qcow2 "write -P 7 0 512""#),
        ("nothing written", "create image.qcow2 20M"),
        ("odd size", r#"create image.qcow2 1000448; io image.qcow2 "write -P 7 960k 8k""#),
        (
            "odd size, 2 MiB clusters",
            r#"create -o cluster_size=2M image.qcow2 5001728; io image.qcow2 "write -P 7 4M 100k""#,
        ),
        ("preallocated metadata", "create -o preallocation=metadata image.qcow2 7M"),
        (
            "preallocated metadata, written",
            r#"create -o preallocation=metadata,cluster_size=4k image.qcow2 7M; io image.qcow2 "write -P 9 1M 1M""#,
        ),
        ("preallocated in full", "create -o preallocation=full image.qcow2 3M"),
        ("preallocated with fallocate", "create -o preallocation=falloc image.qcow2 3M"),
        ("refcounts of 1 bit", "convert -o refcount_bits=1 disk.raw image.qcow2"),
        ("refcounts of 64 bits", "convert -o refcount_bits=64 disk.raw image.qcow2"),
        ("grown", "convert disk.raw image.qcow2; qemu-img resize -q image.qcow2 70M"),
        (
            "shrunk",
            "convert -o cluster_size=4k disk.raw image.qcow2; qemu-img resize -q --shrink image.qcow2 2M",
        ),
        (
            "version 3 made version 2",
            "convert disk.raw image.qcow2; qemu-img amend -o compat=0.10 image.qcow2",
        ),
        (
            "version 2 made version 3",
            "convert -o compat=0.10 disk.raw image.qcow2; qemu-img amend -o compat=1.1 image.qcow2",
        ),
        (
            "last cluster cut off at its data",
            r#"create image.qcow2 1M; io image.qcow2 "write -P 3 0 192k"; truncate -s -60k image.qcow2"#,
        ),
    ]);
}

#[test]
fn zeros_and_discards() {
    needs!("qemu-img", "qemu-io");
    check(&[
        ("zeros never allocated", r#"create image.qcow2 4M; io image.qcow2 "write -z 64k 1M""#),
        ("zeros over data", r#"convert disk.raw image.qcow2; io image.qcow2 "write -z 64k 1M""#),
        ("zeros over data, unmapped", r#"convert disk.raw image.qcow2; io image.qcow2 "write -z -u 64k 1M""#),
        ("discarded", r#"convert disk.raw image.qcow2; io image.qcow2 "discard 64k 1M""#),
        (
            "discarded, version 2",
            r#"convert -o compat=0.10 disk.raw image.qcow2; io image.qcow2 "discard 64k 1M""#,
        ),
        (
            "data over zeros",
            r#"create image.qcow2 4M; io image.qcow2 "write -z 0 4M" "write -P 1 1000k 70k""#,
        ),
        (
            "written in disorder",
            r#"create -o cluster_size=4k image.qcow2 4M
            for place in 900 20 3000 24 16 28 2500 904 896 12 3996; do
                io image.qcow2 "write -P $((place % 251)) ${place}k 4k"
            done"#,
        ),
    ]);
}

#[test]
fn backing_files() {
    needs!("qemu-img", "qemu-io");
    check(&[
        ("raw", r#"create -F raw -b disk.raw image.qcow2; io image.qcow2 "write -P 1 1M 1M""#),
        ("raw, nothing written", "create -F raw -b disk.raw image.qcow2"),
        (
            "qcow2",
            r#"convert disk.raw base.qcow2; create -F qcow2 -b base.qcow2 image.qcow2; io image.qcow2 "write -P 1 1M 9k""#,
        ),
        (
            "compressed qcow2",
            r#"convert -c disk.raw base.qcow2; create -F qcow2 -b base.qcow2 image.qcow2; io image.qcow2 "write -P 1 1M 9k""#,
        ),
        (
            "version 2 over version 2",
            r#"convert -o compat=0.10 disk.raw base.qcow2; create -o compat=0.10 -F qcow2 -b base.qcow2 image.qcow2; io image.qcow2 "write -P 1 1M 9k""#,
        ),
        ("shorter", r#"create -F raw -b disk.raw image.qcow2 10M; io image.qcow2 "write -P 1 9M 9k""#),
        ("shorter, ends within a cluster", "create -o cluster_size=2M -F raw -b disk.raw image.qcow2 20M"),
        ("longer", r#"create -F raw -b disk.raw image.qcow2 3M; io image.qcow2 "write -P 1 1M 9k""#),
        (
            "smaller clusters below",
            r#"convert -o cluster_size=4k disk.raw base.qcow2; create -F qcow2 -b base.qcow2 image.qcow2; io image.qcow2 "write -P 1 1M 9k""#,
        ),
        (
            "larger clusters below",
            r#"convert -o cluster_size=2M disk.raw base.qcow2; create -o cluster_size=1k -F qcow2 -b base.qcow2 image.qcow2; io image.qcow2 "write -P 1 1M 9k""#,
        ),
        (
            "zeros hide the backing file",
            r#"create -F raw -b disk.raw image.qcow2; io image.qcow2 "write -z 1M 1M""#,
        ),
        (
            "a discard in version 2 shows the backing file",
            r#"create -o compat=0.10 -F raw -b disk.raw image.qcow2; io image.qcow2 "write -P 1 1M 1M" "discard 1M 1M""#,
        ),
        (
            "compressed over raw",
            r#"create -F raw -b disk.raw image.qcow2; io image.qcow2 "write -c -P 1 1M 64k""#,
        ),
        (
            "three deep, each with writes",
            r#"convert -o cluster_size=4k disk.raw one.qcow2
            create -o cluster_size=64k -F qcow2 -b one.qcow2 two.qcow2 8M; io two.qcow2 "write -P 2 1M 100k" "write -z 2M 1M"
            create -o cluster_size=512 -F qcow2 -b two.qcow2 image.qcow2 7M; io image.qcow2 "write -P 3 1050k 3k" "write -P 3 2500k 9k""#,
        ),
        (
            "a short file in the middle",
            r#"create -F raw -b disk.raw two.qcow2 1M; create -F qcow2 -b two.qcow2 image.qcow2 5M; io image.qcow2 "write -P 1 4M 9k""#,
        ),
        (
            "rebased away",
            "convert disk.raw base.qcow2; create -F qcow2 -b base.qcow2 image.qcow2; qemu-img rebase -q -b '' image.qcow2",
        ),
    ]);
}

#[test]
fn external_data_files() {
    needs!("qemu-img", "qemu-io");
    check(&[
        ("data file", "convert -o data_file=data.bin disk.raw image.qcow2"),
        ("data file, raw", "convert -o data_file=data.bin,data_file_raw=on disk.raw image.qcow2"),
        (
            "data file, sparse",
            r#"create -o data_file=data.bin image.qcow2 8M; io image.qcow2 "write -P 1 0 4k" "write -P 2 3M 1M" "write -z 3500k 64k""#,
        ),
        (
            "data file, raw, sparse",
            r#"create -o data_file=data.bin,data_file_raw=on image.qcow2 8M; io image.qcow2 "write -P 1 0 4k" "write -P 2 3M 1M" "write -z 3500k 64k""#,
        ),
        (
            "data file, preallocated",
            "create -o data_file=data.bin,preallocation=metadata image.qcow2 5001728",
        ),
        (
            "data file, subclusters",
            r#"create -o data_file=data.bin,extended_l2=on image.qcow2 8M; io image.qcow2 "write -P 1 0 4k" "write -P 2 3M 1M" "write -z 3500k 6k""#,
        ),
    ]);
}

#[test]
fn snapshots_bitmaps_and_feature_bits() {
    needs!("qemu-img", "qemu-io");
    check(&[
        (
            "snapshots",
            r#"convert disk.raw image.qcow2; qemu-img snapshot -c a image.qcow2; io image.qcow2 "write -P 1 1M 1M"; qemu-img snapshot -c b image.qcow2; io image.qcow2 "write -P 2 1500k 9k""#,
        ),
        (
            "snapshot applied",
            r#"convert disk.raw image.qcow2; qemu-img snapshot -c a image.qcow2; io image.qcow2 "write -P 1 1M 1M"; qemu-img snapshot -a a image.qcow2"#,
        ),
        (
            "snapshot deleted",
            r#"convert disk.raw image.qcow2; qemu-img snapshot -c a image.qcow2; io image.qcow2 "write -P 1 1M 1M"; qemu-img snapshot -d a image.qcow2"#,
        ),
        (
            "bitmap",
            r#"convert disk.raw image.qcow2; qemu-img bitmap --add image.qcow2 changes; io image.qcow2 "write -P 1 1M 1M""#,
        ),
        (
            "marked corrupt",
            r"convert disk.raw image.qcow2; printf '\2' | dd of=image.qcow2 bs=1 seek=79 conv=notrunc status=none",
        ),
        (
            "unknown compatible bit",
            r"convert disk.raw image.qcow2; printf '\200' | dd of=image.qcow2 bs=1 seek=80 conv=notrunc status=none",
        ),
        (
            "unknown autoclear bit",
            r"convert disk.raw image.qcow2; printf '\200' | dd of=image.qcow2 bs=1 seek=88 conv=notrunc status=none",
        ),
    ]);
    let marked = Made::new(
        r"create image.qcow2 1M; printf '\2' | dd of=image.qcow2 bs=1 seek=79 conv=notrunc status=none",
    );
    assert!(open(&marked.path()).header().is_marked_corrupt());
}

#[test]
fn image_of_a_killed_machine_is_dirty_and_readable() {
    needs!("qemu-img", "qemu-io");
    let made = Made::new(
        r#"create -o lazy_refcounts=on image.qcow2 8M
        qemu-io -f qcow2 -c "write -P 1 1M 2M" -c "write -P 2 2M 9k" -c flush -c abort image.qcow2 >&2 || true"#,
    );
    assert!(open(&made.path()).header().is_dirty());
    compare("killed", &made);
}

#[test]
fn image_written_by_e2image() {
    needs!("qemu-img", "mkfs.ext4", "e2image");
    let made = Made::new(
        "rm disk.raw; truncate -s 24M disk.raw; mkfs.ext4 -q -F disk.raw; e2image -Q disk.raw image.qcow2",
    );
    compare("e2image", &made);
}
