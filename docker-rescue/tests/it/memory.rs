//! `recover` of a disk of 100 GiB stays within 64 MiB of memory.

use std::ffi::OsStr;
use std::path::Path;

use crate::engine::Engine;
use crate::support::{LoopMount, needs, run, sh, testdata};

/// Runs its arguments and prints their peak resident memory in KiB.
const MEASURE: &str = "import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=sys.stderr, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";

#[test]
fn recovery_of_a_disk_of_100_gib_needs_less_than_64_mib() {
    needs!("root", "loop", "mkfs.ext4", "python3", "qemu-img", "dockerd");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let raw = folder.path().join("disk.raw");
    sh("truncate -s 100G \"$1\"; mkfs.ext4 -qF -E nodiscard,lazy_itable_init=1 \"$1\"", [&raw]);
    {
        let mount = LoopMount::new(&raw, "rw");
        Engine::start(&mount.path().join("docker")).sh("docker volume create big");
        sh(
            "cd \"$1/docker/volumes/big/_data\"; python3 \"$2\" . 20000; head -c 300M /dev/urandom > large",
            [mount.path(), &testdata().join("populate.py")],
        );
    }
    // Small clusters and blocks make large tables.
    let formats: [(&str, &[&str]); 4] = [
        ("qcow2", &["-c", "-o", "cluster_size=4096"]),
        ("vhdx", &["-o", "block_size=1M"]),
        ("vmdk", &["-o", "subformat=monolithicSparse"]),
        ("raw", &[]),
    ];
    for (format, options) in formats {
        let image = if format == "raw" { raw.clone() } else { folder.path().join(format) };
        if format != "raw" {
            let convert =
                ["convert", "-O", format].into_iter().chain(options.iter().copied()).map(OsStr::new);
            run("qemu-img", convert.chain([raw.as_os_str(), image.as_os_str()]));
        }
        let peak_kib = peak_of_recovery(&image, &folder.path().join("rescued"));
        assert!(peak_kib < 64 << 10, "{format}: {peak_kib} KiB");
        std::fs::remove_dir_all(folder.path().join("rescued")).expect("removable");
        std::fs::remove_file(image).expect("removable");
    }
}

fn peak_of_recovery(source: &Path, target: &Path) -> u64 {
    let program = OsStr::new(env!("CARGO_BIN_EXE_docker-rescue"));
    let recover = [program, "recover".as_ref(), source.as_os_str(), "-o".as_ref(), target.as_os_str()];
    let printed = run("python3", [OsStr::new("-c"), MEASURE.as_ref()].into_iter().chain(recover));
    String::from_utf8(printed).expect("a number").trim().parse().expect("a number")
}
