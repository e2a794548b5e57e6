use std::path::Path;

use docker_rescue::disk::OpenOptions;

use super::{Lab, MIB, assert_holds, explain, open, open_error, qemu_view, warnings};
use crate::support::{needs, run};

/// `qemu-img create` of an overlay, with the name of the backing file just as given.
fn overlay(image: &Path, backing: &str, options: &[&str]) {
    let args = ["create", "-q", "-f", "qcow2", "-b", backing].into_iter().chain(options.iter().copied());
    run("qemu-img", args.map(std::ffi::OsStr::new).chain([image.as_os_str()]));
}

fn write(image: &Path, command: &str) {
    run("qemu-io", ["-f".as_ref(), "qcow2".as_ref(), "-c".as_ref(), command.as_ref(), image.as_os_str()]);
}

#[test]
fn a_chain_of_images_gives_the_bytes_that_qemu_gives() {
    needs!("qemu-img", "qemu-io");
    let lab = Lab::new();
    lab.raw("base.raw", 5 * MIB + 512);
    let (middle, top) = (lab.path("middle.qcow2"), lab.path("top.qcow2"));
    overlay(&middle, "base.raw", &["-F", "raw"]);
    write(&middle, "write -P 1 1M 700k");
    overlay(&top, "middle.qcow2", &["-F", "qcow2"]);
    run("qemu-img", ["resize".as_ref(), "-q".as_ref(), top.as_os_str(), "9M".as_ref()]);
    write(&top, "write -P 2 1500k 1M");
    write(&top, "write -z 3M 64k");
    let disk = open(&top);
    assert_holds(&disk, &qemu_view(&top));
    assert_eq!(disk.notes(), []);
    let names: Vec<_> = disk.also_read().iter().filter_map(|path| path.file_name()).collect();
    assert_eq!(names, ["middle.qcow2", "base.raw"]);
}

#[test]
fn a_backing_file_in_the_folder_or_below_is_followed() {
    needs!("qemu-img");
    let lab = Lab::new();
    let base = lab.raw("base.raw", MIB);
    std::fs::create_dir(lab.path("below")).expect("created");
    std::fs::copy(&base, lab.path("below/base.raw")).expect("copied");
    for name in
        ["base.raw", "./base.raw", "below/base.raw", "below/../base.raw", base.to_str().expect("UTF-8")]
    {
        let image = lab.path("top.qcow2");
        overlay(&image, name, &["-F", "raw"]);
        assert_holds(&open(&image), &std::fs::read(&base).expect("read"));
    }
}

#[test]
fn a_folder_moved_from_elsewhere_is_read_with_a_warning() {
    needs!("qemu-img");
    let lab = Lab::new();
    let there = lab.path("there");
    std::fs::create_dir(&there).expect("created");
    let base = lab.raw("there/basedisk", MIB);
    overlay(&there.join("diffdisk"), base.to_str().expect("UTF-8"), &["-F", "raw"]);
    let truth = qemu_view(&there.join("diffdisk"));
    std::fs::rename(&there, lab.path("here")).expect("moved");
    let disk = open(&lab.path("here/diffdisk"));
    assert_holds(&disk, &truth);
    let [warning] = warnings(disk.notes())[..] else { panic!("{:?}", disk.notes()) };
    assert_eq!(warning, format!("{base:?} is gone; \"basedisk\" beside the image is read in its place"));
}

#[cfg(unix)]
#[test]
fn names_that_lead_away_from_the_image_are_refused() {
    needs!("qemu-img");
    let lab = Lab::new();
    std::fs::create_dir(lab.path("images")).expect("created");
    let outside = lab.raw("outside.raw", MIB);
    std::os::unix::fs::symlink(&outside, lab.path("images/link")).expect("linked");
    let image = lab.path("images/top.qcow2");
    for (name, reason) in [
        ("../outside.raw", "leads out of the image's folder"),
        (outside.to_str().expect("UTF-8"), "leads out of the image's folder"),
        ("link", "leads out of the image's folder"),
        ("/etc/passwd", "leads out of the image's folder"),
        ("json:{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}", "is not the name of a file"),
        ("nbd://localhost/disk", "is not the name of a file"),
        ("file:base.raw", "is not the name of a file"),
    ] {
        overlay(&image, name, &["-u", "-F", "raw", "-o", "size=1M"]);
        let expected = format!("{name:?}, named inside {}, is not read: it {reason}", image.display());
        assert_eq!(open_error(&image), expected);
        let disk = OpenOptions::new().backing(&outside).open(&image).expect("the option names it");
        assert_holds(&disk, &std::fs::read(&outside).expect("read"));
        assert_eq!(disk.also_read(), std::slice::from_ref(&outside));
    }
}

#[test]
fn a_missing_backing_file_is_named() {
    needs!("qemu-img");
    let lab = Lab::new();
    let image = lab.path("top.qcow2");
    overlay(&image, "base.raw", &["-u", "-F", "raw", "-o", "size=1M"]);
    let error = open_error(&image);
    assert!(error.contains("base.raw, named inside ") && error.contains("No such file"), "{error}");
}

#[test]
fn a_backing_file_that_is_a_pipe_is_refused_without_waiting_for_it() {
    needs!("qemu-img", "mkfifo");
    let lab = Lab::new();
    run("mkfifo", [lab.path("pipe")]);
    overlay(&lab.path("top.qcow2"), "pipe", &["-u", "-F", "raw", "-o", "size=1M"]);
    assert!(open_error(&lab.path("top.qcow2")).ends_with("pipe is a pipe, not a disk"));
}

#[cfg(unix)]
#[test]
fn a_chain_that_comes_back_to_itself_is_refused() {
    needs!("qemu-img");
    let lab = Lab::new();
    let (one, two, own) = (lab.path("one.qcow2"), lab.path("two.qcow2"), lab.path("own.qcow2"));
    for (image, backing) in [(&one, "two.qcow2"), (&two, "one.qcow2"), (&own, "own.qcow2")] {
        overlay(image, backing, &["-u", "-F", "qcow2", "-o", "size=1M"]);
    }
    std::os::unix::fs::symlink(&one, lab.path("link")).expect("linked");
    for image in [one, two, own, lab.path("link")] {
        let error = open_error(&image);
        assert!(error.ends_with("is not read: it leads back to an image that stands on it"), "{error}");
    }
}

#[test]
fn a_chain_may_have_64_images_below_the_first() {
    needs!("qemu-img", "qemu-io");
    let lab = Lab::new();
    lab.raw("0", MIB);
    overlay(&lab.path("1"), "0", &["-F", "raw"]);
    write(&lab.path("1"), "write -P 5 100k 300k");
    for number in 2..=66 {
        let below = (number - 1).to_string();
        overlay(&lab.path(&number.to_string()), &below, &["-u", "-F", "qcow2", "-o", "size=1M"]);
    }
    assert_holds(&open(&lab.path("65")), &qemu_view(&lab.path("65")));
    assert_eq!(open_error(&lab.path("66")), "65 backing files, at most 64 are allowed");
}

#[test]
fn a_format_that_is_not_recorded_is_recognised_and_told() {
    needs!("qemu-img");
    let lab = Lab::new();
    let raw = lab.raw("base.raw", MIB);
    lab.convert(&raw, "qcow2", "", "base.qcow2");
    for (backing, format) in [("base.raw", "raw"), ("base.qcow2", "qcow2")] {
        let image = lab.path("top.qcow2");
        // qemu-img records the format nowadays; `rebase -u` without one leaves it out.
        overlay(&image, backing, &["-F", format]);
        erase_backing_format(&image);
        let disk = open(&image);
        assert_holds(&disk, &std::fs::read(&raw).expect("read"));
        let notes: Vec<_> = disk.notes().iter().map(|note| note.message.as_str()).collect();
        let told =
            format!("the format of the backing file {backing:?} is not recorded; it is read as {format}");
        assert_eq!(notes, [told]);
    }
}

/// Makes the header extension that holds the format one of an unknown type, which readers skip.
fn erase_backing_format(image: &Path) {
    let bytes = std::fs::read(image).expect("read");
    let mark = 0xe279_2aca_u32.to_be_bytes();
    let at = bytes.windows(4).position(|window| window == mark).expect("the extension");
    super::patch(image, at as u64, b"none");
}

#[test]
fn a_backing_file_of_a_format_that_is_not_read_there_is_refused() {
    needs!("qemu-img");
    let lab = Lab::new();
    let raw = lab.raw("base.raw", MIB);
    lab.convert(&raw, "vmdk", "", "base.vmdk");
    overlay(&lab.path("top.qcow2"), "base.vmdk", &["-F", "vmdk"]);
    assert_eq!(open_error(&lab.path("top.qcow2")), "a backing file of the format \"vmdk\" is not supported");
}

#[test]
fn damage_of_a_backing_file_names_the_file() {
    needs!("qemu-img");
    let lab = Lab::new();
    lab.write("base.qcow2", "this is no image at all, but long enough to be looked at as one");
    overlay(&lab.path("top.qcow2"), "base.qcow2", &["-u", "-F", "qcow2", "-o", "size=1M"]);
    let error = open_error(&lab.path("top.qcow2"));
    assert!(error.contains("base.qcow2, named inside ") && error.ends_with("not a qcow2 image"), "{error}");
}

#[test]
fn a_backing_file_for_an_image_without_one_is_refused() {
    needs!("qemu-img");
    let lab = Lab::new();
    let raw = lab.raw("base.raw", MIB);
    for format in ["raw", "qcow2", "vhdx", "vmdk"] {
        let image = lab.convert(&raw, format, "", "image");
        let error = OpenOptions::new().backing(&raw).open(&image).expect_err("refused");
        assert_eq!(explain(&error), format!("{} has no backing file", image.display()));
    }
}

#[test]
fn an_external_data_file_beside_the_image_is_read() {
    needs!("qemu-img", "qemu-io");
    let lab = Lab::new();
    let image = lab.path("image.qcow2");
    let data_file = lab.path("image.data");
    let options = format!("data_file={},size=4M", data_file.display());
    run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", &options, image.to_str().expect("UTF-8")]);
    write(&image, "write -P 9 1M 1M");
    let disk = open(&image);
    assert_holds(&disk, &qemu_view(&image));
    assert_eq!(disk.also_read(), [data_file]);
}

#[test]
fn an_image_that_was_not_closed_is_read_and_told() {
    needs!("qemu-img", "qemu-io");
    let lab = Lab::new();
    let image = lab.path("image.qcow2");
    let path = image.to_str().expect("UTF-8");
    run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", "lazy_refcounts=on", path, "4M"]);
    // `abort` ends qemu-io as a crash would.
    let crashed = std::process::Command::new("qemu-io")
        .args(["-f", "qcow2", "-c", "write -P 3 1M 1M", "-c", "flush", "-c", "abort", path])
        .output()
        .expect("runs");
    assert!(!crashed.status.success());
    let disk = open(&image);
    assert!(disk.notes().iter().any(|note| note.message.starts_with("image.qcow2 was not closed")));
    assert_eq!(warnings(disk.notes()), [""; 0]);
    assert_holds(&disk, &qemu_view(&image));
}
