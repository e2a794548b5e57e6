//! What an image needs besides itself, and what is refused by name.

use std::sync::Arc;

use qcow2_reader::{Backing, Error, Header, OpenOptions, Qcow2};

use crate::builder::{Builder, COPIED};
use crate::oracle::{Made, open, read_all};
use crate::support::needs;

fn with_backing(name: &str) -> Builder {
    let mut builder = Builder::new(9, 4);
    builder.put_u64(8, 200);
    builder.put_u32(16, u32::try_from(name.len()).unwrap());
    builder.put(200, name.as_bytes());
    builder
}

fn unsupported(image: Vec<u8>) -> String {
    match Qcow2::open(image) {
        Err(error @ Error::Unsupported(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn backing_file_is_denied_by_default_and_named() {
    let builder = with_backing("/etc/passwd");
    match Qcow2::open(builder.bytes) {
        Err(Error::BackingFile { name, format: None }) => assert_eq!(name, "/etc/passwd"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn backing_source_shows_through_and_ends_in_zeros() {
    let mut builder = with_backing("base");
    builder.data(1, 2);
    let backing = Backing::Source(Box::new(vec![7_u8; 1300]));
    let image = OpenOptions::new().backing(backing).open(builder.bytes).expect("opens");
    let expected = [vec![7; 512], vec![2; 512], vec![7; 1300 - 1024], vec![0; 2048 - 1300]].concat();
    assert_eq!(read_all(&image, 333), expected);
    assert_eq!(read_all(&image, 2048), expected);
}

#[test]
fn image_that_names_no_backing_file_does_not_read_one() {
    let backing = Backing::Source(Box::new(vec![7_u8; 512]));
    let image = OpenOptions::new().backing(backing).open(Builder::new(9, 1).bytes).expect("opens");
    assert_eq!(read_all(&image, 512), [0; 512]);
}

#[test]
fn damage_in_the_backing_image_keeps_its_cause() {
    let mut base = Builder::new(9, 4);
    base.l2_entry(2, COPIED | (1 << 40));
    let base = Qcow2::open(base.bytes).expect("opens");
    let image = OpenOptions::new().backing(Backing::Source(Box::new(base)));
    let image = image.open(with_backing("base").bytes).expect("opens");
    match image.read_guest(&mut [0; 512], 1024) {
        Err(Error::Io { structure: "backing file", offset: 1024, source }) => {
            let cause = source.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
            assert!(
                matches!(cause, Some(Error::Corrupt(corrupt)) if corrupt.offset() == 1 << 40),
                "{cause:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn data_file_is_needed_and_named() {
    let mut builder = Builder::new(9, 2);
    builder.put(79, &[0b100]);
    builder.put_u32(104, 0x4441_5441);
    builder.put_u32(108, 8);
    builder.put(112, b"data.bin");
    builder.l2_entry(0, COPIED);
    builder.l2_entry(1, COPIED | 512);
    let header = Header::parse(&builder.bytes).expect("header");
    assert!(header.has_data_file() && !header.is_data_file_raw());
    match Qcow2::open(&builder.bytes) {
        Err(Error::DataFile { name }) => assert_eq!(name.as_deref(), Some("data.bin")),
        other => panic!("{other:?}"),
    }
    let data = Arc::new(vec![5_u8; 700]);
    let image = OpenOptions::new().data_file(Arc::clone(&data)).open(&builder.bytes).expect("opens");
    let expected = [vec![5; 700], vec![0; 324]].concat();
    assert_eq!(read_all(&image, 1024), expected, "the short last cluster of the data file ends in zeros");
}

#[test]
fn data_file_cluster_elsewhere_than_at_its_guest_offset_is_corrupt() {
    let mut builder = Builder::new(9, 2);
    builder.put(79, &[0b100]);
    builder.l2_entry(0, COPIED | 512);
    builder.l2_entry(1, COPIED | 512);
    let image = OpenOptions::new().data_file(vec![5_u8; 1024]).open(builder.bytes).expect("opens");
    assert!(matches!(image.read_guest(&mut [0; 512], 0), Err(Error::Corrupt(_))));
    assert!(image.read_guest(&mut [0; 512], 512).is_ok());
}

#[test]
fn unknown_incompatible_feature_is_refused_by_the_name_the_image_gives() {
    let mut builder = Builder::new(9, 1);
    builder.put(72, &[0, 0, 1]);
    assert_eq!(unsupported(builder.bytes.clone()), "incompatible feature bit 40 is not supported");
    builder.put_u32(104, 0x6803_f857);
    builder.put_u32(108, 96);
    builder.put(112, b"\x01\x28wrong class");
    builder.put(160, b"\x00\x28time travel");
    assert_eq!(unsupported(builder.bytes), r#"incompatible feature bit 40 ("time travel") is not supported"#);
}

#[test]
fn versions_and_encryption_are_refused_by_name() {
    for (version, expected) in [(0, "qcow version 0"), (1, "qcow version 1"), (4, "qcow version 4")] {
        let mut builder = Builder::new(9, 1);
        builder.put_u32(4, version);
        assert_eq!(unsupported(builder.bytes), format!("{expected} is not supported"));
    }
    for (method, expected) in [(1, "AES encryption"), (2, "LUKS encryption"), (3, "encryption method 3")] {
        let mut builder = Builder::new(9, 1);
        builder.put_u32(32, method);
        assert_eq!(unsupported(builder.bytes), format!("{expected} is not supported"));
    }
}

#[test]
fn encrypted_images_of_qemu_are_refused_by_name() {
    needs!("qemu-img");
    let luks = "create --object secret,id=s,data=x -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 image.qcow2 1M";
    assert_eq!(unsupported(Made::new(luks).bytes()), "LUKS encryption is not supported");
    let aes = "create --object secret,id=s,data=x -o encrypt.format=aes,encrypt.key-secret=s image.qcow2 1M";
    assert_eq!(unsupported(Made::new(aes).bytes()), "AES encryption is not supported");
}

#[test]
fn names_that_qemu_writes_are_read_before_opening() {
    needs!("qemu-img", "qemu-io");
    let made = Made::new("convert disk.raw base.qcow2; create -F qcow2 -b base.qcow2 image.qcow2");
    let header = Header::read(&made.bytes()).expect("header");
    assert_eq!(header.backing_name(), Some(&b"base.qcow2"[..]));
    assert_eq!(header.backing_format(), Some("qcow2"));
    let made = Made::new("create -o data_file=data.bin,data_file_raw=on image.qcow2 1M");
    let header = Header::read(&made.bytes()).expect("header");
    assert_eq!((header.data_file_name(), header.is_data_file_raw()), (Some(&b"data.bin"[..]), true));
    assert!(!open(&made.path()).header().is_dirty());
}

#[test]
fn image_can_be_shared_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Qcow2<std::fs::File>>();
    is_shared::<Qcow2<Arc<Vec<u8>>>>();
}

#[test]
fn program_in_the_readme_is_the_example() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(folder.join("README.md")).expect("README.md");
    let example = std::fs::read_to_string(folder.join("../examples/read_qcow2.rs")).expect("example");
    let (_, program) = example.split_once("\n\n").expect("the program follows its docs");
    assert!(readme.contains(program));
}
