use std::process::Command;

use super::{Disk, Lab, MIB, open_error};
use crate::support::{needs, run, sh};

#[test]
fn other_formats_are_refused_by_name() {
    needs!("qemu-img");
    let lab = Lab::new();
    let raw = lab.raw("disk", 4 * MIB);
    for (format, options, name) in [
        ("vdi", "", "VDI, the format of VirtualBox,"),
        ("vpc", "subformat=dynamic", "VHD, the format before VHDX,"),
        ("vpc", "subformat=fixed", "VHD, the format before VHDX,"),
        ("parallels", "", "the format of Parallels"),
        ("qed", "", "QED"),
    ] {
        let image = lab.convert(&raw, format, options, "image");
        assert_eq!(open_error(&image), format!("{name} is not supported"));
        let error = Disk::open(&image).expect_err("refused");
        assert_eq!(error.hint(), Some("convert it with `qemu-img convert -O raw`"));
    }
}

#[test]
fn packed_files_are_refused_by_name() {
    needs!("sh", "gzip", "zstd", "xz", "tar");
    let lab = Lab::new();
    let raw = lab.raw("disk", MIB);
    for (pack, message) in [
        ("gzip -c \"$1\"", "a file compressed with gzip is not supported"),
        ("zstd -qc \"$1\"", "a file compressed with zstd is not supported"),
        ("xz -0 -c \"$1\"", "a file compressed with xz is not supported"),
        ("tar -c -C \"${1%/*}\" disk", "a disk image in a tar archive is not supported"),
    ] {
        let packed = lab.path("packed");
        sh(&format!("{pack} > \"$2\""), [&raw, &packed]);
        assert_eq!(open_error(&packed), message);
        let error = Disk::open(&packed).expect_err("refused");
        assert_eq!(error.hint(), Some("unpack it, and give the disk image that comes out"));
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_without_waiting_for_it() {
    needs!("mkfifo");
    let lab = Lab::new();
    let fifo = lab.path("fifo");
    run("mkfifo", [&fifo]);
    assert!(open_error(&fifo).ends_with("fifo is a pipe, not a disk"));
    let _socket = std::os::unix::net::UnixListener::bind(lab.path("socket")).expect("a socket");
    assert!(open_error(&lab.path("socket")).ends_with("socket is a socket, not a disk"));
    assert_eq!(open_error("/dev/zero".as_ref()), "/dev/zero is a character device, not a disk");
    assert!(open_error(lab.folder.path()).ends_with(" is a directory, not a disk"));
    assert!(open_error(&lab.write("nothing", "")).ends_with("nothing is empty"));
    assert!(open_error(&lab.path("gone")).starts_with("cannot open "));
}

#[test]
fn an_image_is_never_written_to() {
    needs!("qemu-img", "strace");
    let lab = Lab::new();
    let raw = lab.raw("disk", 4 * MIB);
    let mut images = vec![raw.clone()];
    for format in ["qcow2", "vhdx", "vmdk"] {
        images.push(lab.convert(&raw, format, "", format));
    }
    for image in images {
        let log = lab.path("strace");
        let traced = Command::new("strace")
            .args(["-f", "-e", "trace=openat,open,creat", "-o"])
            .arg(&log)
            .args([env!("CARGO_BIN_EXE_docker-rescue"), "info"])
            .arg(&image)
            .output()
            .expect("runs");
        assert!(String::from_utf8_lossy(&traced.stdout).contains("  disk "), "the disk was opened");
        let log = std::fs::read_to_string(&log).expect("read");
        let name = image.to_str().expect("UTF-8");
        let opens: Vec<&str> = log.lines().filter(|line| line.contains(name)).collect();
        assert!(!opens.is_empty());
        for line in opens {
            assert!(line.contains("O_RDONLY") && line.contains("O_NONBLOCK"), "{line}");
        }
    }
}
