use std::path::Path;

use docker_rescue::disk::{Disk, FileSystem};
use qcow2_reader::ReadAt;

/// Does all that can be done with an image, whatever comes of it. Returns whether it opened.
pub(crate) fn exercise(image: &Path) -> bool {
    let Ok(disk) = Disk::open(image) else { return false };
    let _ = disk.check();
    if let Ok(table) = disk.partitions() {
        for partition in table.partitions {
            assert!(
                partition.offset < disk.size_bytes() && partition.len <= disk.size_bytes() - partition.offset
            );
            let _ = FileSystem::recognise(&disk.slice(partition.offset, partition.len));
        }
    }
    let mut bytes = vec![0; 70_000];
    for offset in [0, 511, 1 << 20, disk.size_bytes() / 2, disk.size_bytes().saturating_sub(70_000)] {
        let _ = disk.read_exact_at(&mut bytes, offset);
    }
    true
}
