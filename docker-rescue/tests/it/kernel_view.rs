//! What `recover` writes equals what the kernel shows of the same disk, entry for entry.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::command::rescue;
use crate::engine::Engine;
use crate::support::{LoopMount, needs, run, sh, testdata};

const NEEDS: [&str; 6] = ["root", "loop", "mkfs.ext4", "python3", "qemu-img", "dockerd"];

/// A data root, made by a Docker engine, in which the volume `big` holds 20,000 files of every kind. Returns the disk and
/// the kernel's manifest of the volume.
fn make_disk(folder: &Path, size: &str) -> (PathBuf, String) {
    let disk = folder.join("disk.raw");
    sh("truncate -s \"$2\" \"$1\"; mkfs.ext4 -qF -E nodiscard \"$1\"", [disk.as_os_str(), size.as_ref()]);
    {
        let mount = LoopMount::new(&disk, "rw,user_xattr,acl");
        Engine::start(&mount.path().join("docker")).sh("docker volume create big");
        let populate = testdata().join("populate.py");
        sh("python3 \"$1\" \"$2\"/docker/volumes/big/_data 20000", [populate.as_path(), mount.path()]);
    }
    let mount = LoopMount::new(&disk, "ro");
    let manifest = manifest(&mount.path().join("docker/volumes/big/_data"));
    assert!(manifest.lines().count() > 19_500, "the disk is filled");
    (disk, manifest)
}

fn manifest(tree: &Path) -> String {
    let out = run("python3", [testdata().join("manifest.py").as_os_str(), tree.as_os_str()]);
    String::from_utf8(out).expect("the manifest is ASCII")
}

/// Recovers the volume `big` and holds it against the kernel's manifest.
fn assert_recovers(disk: &Path, expected: &str) {
    let target = disk.with_extension("rescued");
    rescue(["recover".as_ref(), disk.as_os_str(), "-o".as_ref(), target.as_os_str()]).ok();
    let found = manifest(&target.join("volumes/big"));
    let differences: Vec<_> =
        expected.lines().zip(found.lines()).filter(|(kernel, ours)| kernel != ours).collect();
    assert_eq!(expected.lines().count(), found.lines().count(), "{}", disk.display());
    assert!(
        differences.is_empty(),
        "{}: {} differ, first {:?}",
        disk.display(),
        differences.len(),
        differences[0]
    );
    assert_sparse(&target.join("volumes/big/holes"));
    std::fs::remove_dir_all(target).expect("removable");
}

/// The holes of the source are holes in the copy: 2.1 GB of files occupy under 50 MB.
fn assert_sparse(folder: &Path) {
    use std::os::unix::fs::MetadataExt;
    let files = || {
        std::fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("entry").metadata())
    };
    let size: u64 = files().map(|file| file.expect("metadata").len()).sum();
    let allocated: u64 = files().map(|file| file.expect("metadata").blocks() * 512).sum();
    assert!(size > 2_100_000_000 && allocated < 50_000_000, "{allocated} bytes are allocated for {size}");
}

#[test]
fn twenty_thousand_files_of_every_kind_equal_the_kernels_view_through_every_image_format() {
    for need in NEEDS {
        needs!(need);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (raw, expected) = make_disk(folder.path(), "1G");
    assert_recovers(&raw, &expected);

    let formats: [(&str, &[&str]); 8] = [
        ("v2.qcow2", &["-O", "qcow2", "-o", "compat=0.10"]),
        ("v3.qcow2", &["-O", "qcow2", "-o", "compat=1.1"]),
        ("zlib.qcow2", &["-O", "qcow2", "-c"]),
        ("zstd.qcow2", &["-O", "qcow2", "-c", "-o", "compression_type=zstd"]),
        ("subclusters.qcow2", &["-O", "qcow2", "-o", "extended_l2=on"]),
        ("small-clusters.qcow2", &["-O", "qcow2", "-o", "cluster_size=512"]),
        ("dynamic.vhdx", &["-O", "vhdx"]),
        ("sparse.vmdk", &["-O", "vmdk"]),
    ];
    for (name, options) in formats {
        let image = folder.path().join(name);
        let mut args: Vec<&std::ffi::OsStr> = vec!["convert".as_ref()];
        args.extend(options.iter().map(std::ffi::OsStr::new));
        args.extend([raw.as_os_str(), image.as_os_str()]);
        run("qemu-img", args);
        assert_recovers(&image, &expected);
        std::fs::remove_file(image).expect("removable");
    }
}

#[test]
fn a_volume_spread_over_a_backing_chain_equals_the_kernels_view() {
    for need in NEEDS {
        needs!(need);
    }
    needs!("qemu-io");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (raw, expected) = make_disk(folder.path(), "1G");
    sh(
        "cd \"$1\"
        qemu-img create -q -f qcow2 base.qcow2 1G
        qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 -o cluster_size=4096 middle.qcow2
        qemu-img create -q -f qcow2 -b middle.qcow2 -F qcow2 top.qcow2",
        [folder.path()],
    );
    deal(&raw, &["base.qcow2", "middle.qcow2", "top.qcow2"].map(|name| folder.path().join(name)));
    let top = folder.path().join("top.qcow2");
    sh("qemu-img compare -q -f raw -F qcow2 \"$1\" \"$2\"", [&raw, &top]);
    assert_recovers(&top, &expected);
}

/// Deals the disk out in pieces of 1 MiB, in turn, to the images of a chain.
fn deal(raw: &Path, images: &[PathBuf]) {
    const PIECE: usize = 1 << 20;
    let piece = raw.with_extension("piece");
    let mut disk = File::open(raw).expect("readable");
    let mut bytes = vec![0; PIECE];
    for number in 0..1024 {
        disk.read_exact(&mut bytes).expect("the disk has 1 GiB");
        if bytes.iter().any(|&byte| byte != 0) {
            std::fs::write(&piece, &bytes).expect("writable");
            let write = format!("write -q -s {} {}M 1M", piece.display(), number);
            let image = images[number % images.len()].as_os_str();
            run("qemu-io", ["-f".as_ref(), "qcow2".as_ref(), "-c".as_ref(), write.as_ref(), image]);
        }
    }
}
