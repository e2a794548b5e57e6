use std::path::Path;

use super::{
    Lab, MIB, assert_holds, open, open_error, patch, qemu_view, read, read_error, truncate, warnings,
};
use crate::support::{Numbers, needs, run};

fn descriptor(lab: &Lab, kind: &str, lines: &str) -> std::path::PathBuf {
    let text = format!(
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"{kind}\"\n{lines}\n"
    );
    lab.write("image.vmdk", text)
}

#[test]
fn flat_extents_begin_where_the_descriptor_says() {
    let lab = Lab::new();
    let bytes = Numbers::new(1).bytes(64 << 10);
    lab.write("data.bin", &bytes);
    let lines = "RW 3 FLAT \"data.bin\" 7\nRW 5 ZERO\nRDONLY 2 VMFS \"data.bin\" 0\nRW 1 FLAT \"data.bin\"";
    let disk = open(&descriptor(&lab, "custom", lines));
    let truth = [&bytes[7 * 512..10 * 512], &[0; 5 * 512], &bytes[..2 * 512], &bytes[..512]].concat();
    assert_holds(&disk, &truth);
}

#[cfg(unix)]
#[test]
fn extents_that_lead_away_from_the_descriptor_are_refused() {
    needs!("mkfifo");
    let lab = Lab::new();
    std::os::unix::fs::symlink("/etc/passwd", lab.path("link")).expect("linked");
    run("mkfifo", [lab.path("fifo")]);
    for (name, message) in [
        ("/etc/passwd", "it leads out of the image's folder"),
        ("../../etc/passwd", "it leads out of the image's folder"),
        ("link", "it leads out of the image's folder"),
        ("\\\\.\\PhysicalDrive0", "No such file or directory (os error 2)"),
        ("gone", "No such file or directory (os error 2)"),
        ("fifo", "fifo is a pipe, not a disk"),
    ] {
        for (kind, line) in
            [("monolithicFlat", "FLAT"), ("twoGbMaxExtentSparse", "SPARSE"), ("seSparse", "SPARSE")]
        {
            let error = open_error(&descriptor(&lab, kind, &format!("RW 2 {line} \"{name}\"")));
            assert!(error.ends_with(message), "{name} as {line}: {error}");
        }
    }
}

#[test]
fn a_snapshot_is_refused_since_its_parent_is_missed() {
    needs!("qemu-img");
    let lab = Lab::new();
    let raw = lab.raw("disk", MIB);
    lab.convert(&raw, "vmdk", "", "base.vmdk");
    let (base, top) = (lab.path("base.vmdk"), lab.path("top.vmdk"));
    let (base, path) = (base.to_str().expect("UTF-8"), top.to_str().expect("UTF-8"));
    run("qemu-img", ["create", "-q", "-f", "vmdk", "-b", base, "-F", "vmdk", path]);
    assert_eq!(open_error(&top), "a VMDK snapshot, which needs its parent, is not supported");
}

#[test]
fn a_piece_of_a_disk_says_that_it_is_one() {
    needs!("qemu-img");
    let lab = Lab::new();
    let raw = lab.raw("disk", MIB);
    lab.convert(&raw, "vmdk", "subformat=twoGbMaxExtentSparse", "image.vmdk");
    let disk = open(&lab.path("image-s001.vmdk"));
    assert!(warnings(disk.notes())[0].starts_with("this VMDK has no descriptor: it may be one piece"));
}

#[test]
fn a_flat_extent_that_was_cut_off_gives_what_it_holds() {
    needs!("qemu-img");
    let lab = Lab::new();
    let raw = lab.raw("disk", MIB);
    let image = lab.convert(&raw, "vmdk", "subformat=monolithicFlat", "image.vmdk");
    truncate(&lab.path("image-flat.vmdk"), MIB - 5000);
    let disk = open(&image);
    let expected = "a flat extent of the VMDK should have 1048576 bytes, of which its file holds 1043576";
    assert_eq!(warnings(disk.notes()), [expected]);
    assert!(disk.check().expect("checked")[0].message.starts_with("5000 bytes of the disk"));
    assert!(read(&disk, 0, 1_043_576).expect("readable") == std::fs::read(raw).expect("read")[..1_043_576]);
    let error = read_error(&disk, 1_043_576, 1);
    assert!(error.contains("image-flat.vmdk, named inside ") && error.contains("flat extent"), "{error}");
}

/// Sector numbers of the first directory, its copy, and what the file looks like before any damage.
fn sparse(lab: &Lab) -> (std::path::PathBuf, Vec<u8>, u64, u64) {
    let truth = Numbers::new(5).bytes(3 << 20);
    let raw = lab.write("disk", &truth);
    let image = lab.convert(&raw, "vmdk", "", "image.vmdk");
    let header = std::fs::read(&image).expect("read");
    let field = |at: usize| u64::from_le_bytes(*header[at..].first_chunk().expect("8 bytes"));
    let (redundant, directory) = (field(48) * 512, field(56) * 512);
    (image, truth, directory, redundant)
}

fn table_at(image: &Path, directory: u64) -> u64 {
    let bytes = std::fs::read(image).expect("read");
    let at = usize::try_from(directory).expect("fits");
    u64::from(u32::from_le_bytes(*bytes[at..].first_chunk().expect("4 bytes"))) * 512
}

#[test]
fn a_directory_that_leads_nowhere_is_replaced_by_its_copy() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, truth, directory, redundant) = sparse(&lab);
    assert_ne!(table_at(&image, directory), table_at(&image, redundant));
    patch(&image, directory, &u32::MAX.to_le_bytes());
    assert_holds(&open(&image), &truth);
    patch(&image, redundant, &u32::MAX.to_le_bytes());
    let disk = open(&image);
    let expected = format!(
        "the VMDK grain directory at byte offset {directory} is damaged: it leads beyond the end of the file"
    );
    assert_eq!(read_error(&disk, 0, 1), expected);
    assert!(disk.check().expect("checked")[0].message.starts_with("3145728 bytes of the disk"));
}

#[test]
fn a_directory_outside_the_file_is_replaced_by_its_copy() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (image, truth, ..) = sparse(&lab);
    patch(&image, 56, &(1_u64 << 40).to_le_bytes());
    let disk = open(&image);
    assert!(disk.notes()[0].message.starts_with("the VMDK's grain directory is unusable, its copy is read"));
    assert_holds(&disk, &truth);
}

#[test]
fn a_sparse_extent_that_was_cut_off_gives_what_it_holds_and_no_zeros() {
    needs!("qemu-img");
    let lab = Lab::new();
    let truth = Numbers::new(5).bytes(3 << 20);
    let raw = lab.write("disk", &truth);
    for subformat in ["monolithicSparse", "streamOptimized"] {
        let image = lab.convert(&raw, "vmdk", &format!("subformat={subformat}"), "image.vmdk");
        truncate(&image, std::fs::metadata(&image).expect("there").len() - MIB);
        let disk = open(&image);
        let grains = truth.chunks(65_536).zip((0..).step_by(65_536));
        let kept = grains.filter(|(grain, at)| match read(&disk, *at, grain.len()) {
            Ok(bytes) => bytes == *grain || panic!("{subformat} at {at}"),
            Err(_) => false,
        });
        let kept = kept.count();
        assert!((30..=32).contains(&kept), "{subformat}: {kept}");
        let error = read_error(&disk, 3 * MIB - 512, 512);
        assert!(error.contains("VMDK grain"), "{error}");
        let lost = format!("{} bytes of the disk should be in the VMDK", (48 - kept) << 16);
        let told = &disk.check().expect("checked")[0].message;
        // Of a compressed grain the check sees only whether it begins in the file.
        assert!(
            told.starts_with(&lost) || (subformat == "streamOptimized" && !told.starts_with('0')),
            "{told}"
        );
    }
}

#[test]
fn a_stream_whose_directory_is_named_in_its_footer_is_read() {
    needs!("qemu-img");
    let lab = Lab::new();
    let raw = lab.raw("disk", 3 * MIB);
    let image = lab.convert(&raw, "vmdk", "subformat=streamOptimized", "image.vmdk");
    let mut bytes = std::fs::read(&image).expect("read");
    let header = bytes[..512].to_vec();
    // What qemu writes behind the last grain in place of a footer.
    assert!(bytes.split_off(bytes.len() - 512) == [0; 512]);
    let mut marker = [0; 512];
    marker[0] = 1;
    marker[12] = 3;
    bytes.extend(marker);
    bytes.extend(header);
    bytes.extend([0; 512]);
    bytes[56..64].fill(0xff);
    std::fs::write(&image, bytes).expect("written");
    let truth = qemu_view(&image);
    assert!(truth == std::fs::read(raw).expect("read"));
    assert_holds(&open(&image), &truth);
}

#[test]
fn a_damaged_compressed_grain_costs_itself_only() {
    needs!("qemu-img");
    let lab = Lab::new();
    let truth = b"all the same words ".iter().copied().cycle().take(1 << 20).collect::<Vec<u8>>();
    let raw = lab.write("disk", &truth);
    let image = lab.convert(&raw, "vmdk", "subformat=streamOptimized", "image.vmdk");
    let bytes = std::fs::read(&image).expect("read");
    // The marker of the grain that begins at 64 KiB, sector 128.
    let marker = bytes.chunks(512).position(|sector| {
        sector[..8] == 128_u64.to_le_bytes() && sector[8..12] != [0; 4] && sector[12] == 0x78
    });
    let at = marker.expect("the marker") as u64 * 512;
    for (offset, bytes, detail) in [
        (20, &[0xff; 8][..], "it does not unpack"),
        (8, &u32::MAX.to_le_bytes(), "4294967295 compressed bytes are more than a grain can have"),
        (0, &[1], "it belongs to sector 1, not 128"),
    ] {
        patch(&image, at + offset, bytes);
        let disk = open(&image);
        assert_eq!(
            read_error(&disk, 65_536, 512),
            format!("the VMDK grain at byte offset {at} is damaged: {detail}")
        );
        assert!(read(&disk, 0, 65_536).expect("readable") == truth[..65_536]);
        assert!(read(&disk, 131_072, 65_536).expect("readable") == truth[131_072..196_608]);
    }
}

#[test]
fn descriptors_of_too_much_or_nothing_are_refused() {
    let lab = Lab::new();
    let many = "RW 1 ZERO\n".repeat(513);
    assert_eq!(
        open_error(&descriptor(&lab, "custom", &many)),
        "513 extents of the VMDK, at most 512 are allowed"
    );
    let image = descriptor(&lab, "custom", "RW 1 ZERO");
    truncate(&image, 2 << 30);
    assert!(open_error(&image).starts_with("2147483648 bytes of the VMDK descriptor"));
    let nothing = "the VMDK descriptor at byte offset 0 is damaged: it names no extents";
    assert_eq!(open_error(&descriptor(&lab, "custom", "")), nothing);
    let huge = format!("RW {} ZERO\nRW {} ZERO", u64::MAX / 512, u64::MAX / 512);
    assert!(open_error(&descriptor(&lab, "custom", &huge)).contains(" bytes of the VMDK, at most "));
}
