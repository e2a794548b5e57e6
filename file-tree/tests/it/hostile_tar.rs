//! Archives that try to reach outside the destination, or to look different to different readers.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use file_tree::{Attributes, Control, DirectoryOptions, DirectoryWriter, Error, FileKind, Metadata, Report};
use file_tree::{TarLimits, TarReader, UnpackOptions, unpack_tar};
use tar::{EntryType, Header};

use crate::rich::{Canary, scratch};
use crate::support::needs;

/// An archive in the making, of members no sane program writes.
#[derive(Default, Clone)]
struct Archive(Vec<u8>);

impl Archive {
    fn member(mut self, entry_type: u8, path: &[u8], link: &[u8], content: &[u8]) -> Self {
        self.header(entry_type, path, link, content.len() as u64);
        self.content(content);
        self
    }

    fn header(&mut self, entry_type: u8, path: &[u8], link: &[u8], size: u64) {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..path.len()].copy_from_slice(path);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        header.set_entry_type(EntryType::new(entry_type));
        header.set_mode(0o6777);
        header.set_uid(1234);
        header.set_gid(1234);
        header.set_mtime(1);
        header.set_size(size);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
    }

    fn content(&mut self, content: &[u8]) {
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let len =
                (rest + 1..rest + 9).find(|len| rest + len.to_string().len() == *len).expect("a length");
            body.extend_from_slice(format!("{len} {key}=").as_bytes());
            body.extend_from_slice(value);
            body.push(b'\n');
        }
        self.member(b'x', b"pax", b"", &body)
    }

    fn unpack(&self, destination: &Path) -> Report {
        let options = UnpackOptions {
            directory: DirectoryOptions::default().devices(false).sync(false),
            ..UnpackOptions::default()
        };
        unpack_tar(self.0.as_slice(), destination, &options, &Control::default()).expect("reports")
    }

    /// The paths and contents a reader finds, up to the error that ends it.
    fn read(&self) -> (Vec<(String, Vec<u8>)>, Option<Error>) {
        let mut reader = TarReader::new(self.0.as_slice(), TarLimits::default());
        let mut found = Vec::new();
        loop {
            match reader.next_member() {
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error)),
                Ok(Some(member)) => {
                    let mut content = Vec::new();
                    let mut buffer = [0; 1000];
                    while let Ok(Some(piece)) = reader.read_content(&mut buffer) {
                        content.extend_from_slice(&buffer[..usize::try_from(piece.len).expect("small")]);
                    }
                    found.push((String::from_utf8_lossy(&member.path).into_owned(), content));
                }
            }
        }
    }
}

#[test]
fn no_archive_touches_anything_outside_the_destination() {
    needs!("root", "python3");
    let scratch = scratch();
    let canary = Canary::new(scratch.path().join("canary"));
    let outside = canary.path().as_os_str().as_encoded_bytes();
    let file = [outside, b"/file"].concat();
    let up = b"../../canary";
    let new = Archive::default;
    let mut archives = vec![
        // Paths.
        new().member(b'0', b"../canary/file", b"", b"evil"),
        new().member(b'0', b"a/../../canary/file", b"", b"evil"),
        new().member(b'0', &file, b"", b"evil"),
        new().member(b'5', b"../canary", b"", b""),
        new().member(b'5', b"..", b"", b"").member(b'5', b"a/..", b"", b""),
        new().member(b'2', b"../canary/file", b"x", b"").member(b'6', b"../canary/fifo", b"", b""),
        new().member(b'L', b"long", b"", b"../canary/file\0").member(b'0', b"x", b"", b"evil"),
        new().pax(&[("path", b"../canary/file")]).member(b'0', b"x", b"", b"evil"),
        new().pax(&[("path", &file)]).member(b'0', b"x", b"", b"evil"),
        new().pax(&[("path", b"nul\0/../../canary/file")]).member(b'0', b"x", b"", b"evil"),
        // The root itself.
        new().member(b'2', b".", outside, b"").member(b'0', b"file", b"", b"evil"),
        new()
            .member(b'2', b"./", outside, b"")
            .member(b'5', b"./", b"", b"")
            .member(b'0', b"file", b"", b"evil"),
        new().member(b'1', b".", &file, b""),
        // Hard links to what is outside.
        new().member(b'1', b"h", &file, b"").member(b'0', b"h", b"", b"evil"),
        new().member(b'1', b"h", b"../canary/file", b"").member(b'0', b"h", b"", b"evil"),
        new()
            .pax(&[("linkpath", b"../canary/file")])
            .member(b'1', b"h", b"x", b"")
            .member(b'0', b"h", b"", b"evil"),
    ];
    // Symbolic links, to a directory and to a file, absolute and relative, and what follows them.
    for target in [outside, &up[..], b"../canary", &file, b"../canary/file"] {
        let link = new().member(b'2', b"d/l", target, b"").member(b'2', b"l", target, b"");
        for name in [&b"l"[..], b"d/l", b"l/", b"./l"] {
            archives.extend([
                link.clone().member(b'0', name, b"", b"evil"),
                link.clone().member(b'5', name, b"", b""),
                link.clone().member(b'5', name, b"", b"").member(
                    b'0',
                    &[name, b"/file"].concat(),
                    b"",
                    b"evil",
                ),
                link.clone().member(b'0', &[name, b"/file"].concat(), b"", b"evil"),
                link.clone().member(b'0', &[name, b"/new"].concat(), b"", b"evil"),
                link.clone().member(b'5', &[name, b"/new"].concat(), b"", b""),
                link.clone().member(b'6', &[name, b"/new"].concat(), b"", b""),
                link.clone().member(b'2', &[name, b"/file"].concat(), b"x", b""),
                link.clone()
                    .member(b'1', b"h", &[name, b"/file"].concat(), b"")
                    .member(b'0', b"h", b"", b"evil"),
                link.clone().member(b'1', b"h", name, b"").member(b'0', b"h", b"", b"evil"),
                link.clone().member(b'1', b"h", name, b"").member(b'5', b"h", b"", b""),
                link.clone().member(b'1', &[name, b"/h"].concat(), b"l", b""),
            ]);
        }
    }
    for (number, archive) in archives.iter().enumerate() {
        for at_once in [true, false] {
            let destination = scratch.path().join(format!("out-{number}-{at_once}"));
            let options = DirectoryOptions::default().sync(false);
            let directory = if at_once { options } else { options.component_walk() };
            let options = UnpackOptions { directory, ..UnpackOptions::default() };
            let report = unpack_tar(archive.0.as_slice(), &destination, &options, &Control::default());
            assert!(report.is_ok_and(|report| report.stopped.is_none()), "archive {number}");
        }
    }
    canary.assert_untouched();
    assert_eq!(archives.len(), 16 + 5 * 4 * 12);
}

#[test]
fn a_link_put_into_the_destination_meanwhile_is_not_followed() {
    needs!("root", "python3");
    for options in [DirectoryOptions::default(), DirectoryOptions::default().component_walk()] {
        let scratch = scratch();
        let canary = Canary::new(scratch.path().join("canary"));
        let destination = scratch.path().join("out");
        let mut writer = DirectoryWriter::create(&destination, &options).expect("begins");
        let folder = Metadata::new(FileKind::Directory);
        let folder = Attributes { metadata: &folder, xattrs: &[] };
        let file = Metadata { uid: 5, mode: 0o777, ..Metadata::new(FileKind::Regular) };
        let file = Attributes { metadata: &file, xattrs: &[] };
        writer.create_directory(b"a", &folder).expect("created");
        writer.create_directory(b"b", &folder).expect("created");
        for name in ["a", "b"] {
            fs::remove_dir(destination.join(name)).expect("removed");
            symlink(canary.path(), destination.join(name)).expect("swapped");
        }
        assert!(writer.create_file(b"a/new").is_err());
        assert!(writer.hard_link(b"c", b"a/file").is_err());
        assert!(writer.remove(b"a/file").is_err());
        symlink(canary.path().join("file"), destination.join("f")).expect("linked");
        let mut replaced = writer.create_file(b"f").expect("the link gives way");
        replaced.write_at(b"mine", 0).expect("written");
        writer.finish_file(replaced, &file).expect("finished");
        let report = writer.finish();
        assert_eq!(report.failed_count, 2, "the attributes of both directories: {report:?}");
        canary.assert_untouched();
    }
}

#[test]
fn later_members_replace_earlier_ones_of_any_kind() {
    needs!("root");
    let scratch = scratch();
    let new = Archive::default;
    let twice = |first: fn(Archive) -> Archive, second: fn(Archive) -> Archive| second(first(new()));
    let file: fn(Archive) -> Archive = |archive| archive.member(b'0', b"x", b"", b"content");
    let folder: fn(Archive) -> Archive = |archive| archive.member(b'0', b"x/deep/er/file", b"", b"inside");
    let link: fn(Archive) -> Archive = |archive| archive.member(b'2', b"x", b"/etc", b"");
    let fifo: fn(Archive) -> Archive = |archive| archive.member(b'6', b"x", b"", b"");
    let mut number = 0;
    for first in [file, folder, link, fifo] {
        for second in [file, folder, link, fifo] {
            number += 1;
            let destination = scratch.path().join(number.to_string());
            let report = twice(first, second).unpack(&destination);
            assert!(report.is_complete(), "{report:?}");
            let alone = scratch.path().join(format!("{number} alone"));
            assert!(second(new()).unpack(&alone).is_complete());
            let kind = |path: &Path| path.join("x").symlink_metadata().expect("is there").file_type();
            assert_eq!(kind(&destination), kind(&alone));
            assert_eq!(
                fs::read(destination.join("x/deep/er/file")).ok(),
                fs::read(alone.join("x/deep/er/file")).ok()
            );
        }
    }
    // A file that replaces one name of a hard link leaves the other alone.
    let destination = scratch.path().join("links");
    let archive =
        new().member(b'0', b"a", b"", b"old").member(b'1', b"b", b"a", b"").member(b'0', b"a", b"", b"new");
    assert!(archive.unpack(&destination).is_complete());
    assert_eq!(fs::read(destination.join("b")).expect("there"), b"old");
    assert_eq!(fs::read(destination.join("a")).expect("there"), b"new");
}

#[test]
fn the_size_in_an_extended_header_decides_where_content_ends() {
    // CVE-2025-62518, CVE-2026-33055: a reader that takes the other size finds the inner archive's members.
    let inner = Archive::default().member(b'0', b"smuggled", b"", b"evil").0;
    for header_size in [0, 7, 512] {
        let mut archive = Archive::default().pax(&[("size", inner.len().to_string().as_bytes())]);
        archive.header(b'0', b"outer", b"", header_size);
        archive.content(&inner);
        let archive = archive.member(b'0', b"after", b"", b"x");
        let (found, error) = archive.read();
        assert!(error.is_none(), "{error:?}");
        assert_eq!(found, [("outer".to_owned(), inner.clone()), ("after".to_owned(), b"x".to_vec())]);
    }
}

#[test]
fn an_extended_header_describes_the_next_file_not_a_long_name_before_it() {
    // GHSA-3pv8-6f4r-ffg2, GHSA-3cv2-h65g-fgmm.
    let pax: fn(Archive) -> Archive = |archive| archive.pax(&[("size", b"3")]);
    let long: fn(Archive) -> Archive =
        |archive| archive.member(b'L', b"././@LongLink", b"", b"a-long-name\0");
    for order in [[pax, long], [long, pax]] {
        let mut archive = order[1](order[0](Archive::default()));
        archive.header(b'0', b"short", b"", 600);
        archive.content(b"abc");
        let (found, error) = archive.member(b'0', b"after", b"", b"").read();
        assert!(error.is_none(), "{error:?}");
        assert_eq!(found, [("a-long-name".to_owned(), b"abc".to_vec()), ("after".to_owned(), Vec::new())]);
    }
}

#[test]
fn of_equal_records_the_last_counts_and_of_names_the_extended_one() {
    let archive = Archive::default().member(b'L', b"././@LongLink", b"", b"from L\0").pax(&[
        ("path", b"first"),
        ("size", b"99"),
        ("path", b"last"),
        ("size", b"2"),
    ]);
    let mut archive = archive;
    archive.header(b'0', b"short", b"", 99);
    archive.content(b"ok");
    assert_eq!(archive.read().0, [("last".to_owned(), b"ok".to_vec())]);
}

#[test]
fn links_directories_and_devices_have_no_content_whatever_size_they_state() {
    for entry_type in *b"123456" {
        let mut archive = Archive::default();
        archive.header(entry_type, b"no-content", b"x", 512);
        let (found, error) = archive.member(b'0', b"after", b"", b"y").read();
        assert!(error.is_none(), "{error:?}");
        assert_eq!(found[1], ("after".to_owned(), b"y".to_vec()));
    }
}

#[test]
fn malformed_and_repeated_extended_headers_are_errors() {
    let body = |body: &[u8]| Archive::default().member(b'x', b"pax", b"", body).member(b'0', b"f", b"", b"");
    let one = Archive::default().pax(&[("path", b"a")]);
    for archive in [
        body(b"12 path=abc"),
        body(b"13 path=abc\n"),
        body(b"11 path=abc\n"),
        body(b"path=abc\n"),
        body(b"12 pathXabc\n"),
        body(b"0 \n"),
        body(b"5 =a\n"),
        body(b"99999999999999999999999 a=b\n"),
        body(b"-1 a=b\n"),
        body(b"12 path=abc\ngarbage"),
        body(b"9 size=x\n"),
        body(b"10 size=-1\n"),
        body(b"28 size=99999999999999999999\n"),
        body(b"12 mtime=1.x\n"),
        one.clone().pax(&[("path", b"b")]).member(b'0', b"f", b"", b""),
        one.clone(),
        Archive::default()
            .member(b'L', b"l", b"", b"a\0")
            .member(b'L', b"l", b"", b"b\0")
            .member(b'0', b"f", b"", b""),
    ] {
        let (found, error) = archive.read();
        assert!(matches!(error, Some(Error::Source { .. })), "{error:?}");
        assert!(found.is_empty());
    }
    let global = Archive::default().member(b'g', b"g", b"", b"12 path=abc\n").member(b'0', b"f", b"", b"");
    assert!(matches!(global.read().1, Some(Error::Unsupported(_))));
}

#[test]
fn global_extended_headers_hold_for_all_that_follow() {
    let archive = Archive::default()
        .member(b'g', b"g", b"", b"15 comment=abc\n15 uid=4000000\n")
        .member(b'0', b"a", b"", b"")
        .pax(&[("uid", b"7")])
        .member(b'0', b"b", b"", b"")
        .member(b'0', b"c", b"", b"");
    let mut reader = TarReader::new(archive.0.as_slice(), TarLimits::default());
    let uids: Vec<_> =
        std::iter::from_fn(|| reader.next_member().expect("reads").map(|member| member.metadata.uid))
            .collect();
    assert_eq!(uids, [4_000_000, 7, 4_000_000]);
}

#[test]
fn sparse_maps_that_lie_are_errors() {
    let sparse = |records: &[(&str, &[u8])], content: &[u8]| {
        Archive::default().pax(records).member(b'0', b"f", b"", content)
    };
    let version_1 = |map: &str, data: usize, size: &[u8]| {
        let mut content = map.as_bytes().to_vec();
        content.resize(content.len().next_multiple_of(512) + data, b'd');
        sparse(
            &[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", size)],
            &content,
        )
    };
    let good = version_1("1\n512\n512\n", 512, b"2048");
    assert!(good.read().1.is_none());
    for archive in [
        version_1("1\n512\n512\n", 512, b"1000"),
        version_1("2\n512\n512\n512\n512\n", 1024, b"4096"),
        version_1("2\n512\n100\n1024\n512\n", 612, b"4096"),
        version_1("1\n512\n1024\n", 512, b"4096"),
        version_1("1\n512\n512\n", 1024, b"4096"),
        version_1("1\n18446744073709551615\n512\n", 512, b"4096"),
        version_1("99999999999999999999999999999999\n", 512, b"4096"),
        version_1("x\n", 512, b"4096"),
        version_1("3\n1\n", 0, b"4096"),
        sparse(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0")], b""),
        sparse(&[("GNU.sparse.size", b"100"), ("GNU.sparse.map", b"0,50,60")], b"x"),
        sparse(&[("GNU.sparse.size", b"100"), ("GNU.sparse.numbytes", b"5")], b"x"),
    ] {
        let error = archive.read().1;
        assert!(matches!(error, Some(Error::Source { .. })), "{error:?}");
    }
    let future = sparse(&[("GNU.sparse.major", b"2"), ("GNU.sparse.realsize", b"1")], b"");
    assert!(matches!(future.read().1, Some(Error::Unsupported(_))));
    let many = version_1(&format!("5000000\n{}", "0\n".repeat(252)), 512, b"4096");
    assert!(matches!(many.read().1, Some(Error::Limit { needed: 5_000_000, .. })));
}

#[test]
fn limits_end_the_work_and_say_which() {
    let limits = |change: fn(&mut TarLimits)| {
        let mut limits = TarLimits::default();
        change(&mut limits);
        limits
    };
    let archive = Archive::default()
        .pax(&[("path", &[b'p'; 300]), ("SCHILY.xattr.user.a", &[b'v'; 5000])])
        .member(b'0', b"a", b"", &[1; 3000])
        .member(b'0', b"b", b"", b"");
    for (limits, expected) in [
        (limits(|limits| limits.members = 1), "members of the archive"),
        (limits(|limits| limits.content_bytes = 2999), "bytes of content"),
        (limits(|limits| limits.path_bytes = 299), "bytes of a path"),
        (limits(|limits| limits.extended_header_bytes = 5000), "bytes of an extended header"),
    ] {
        let mut reader = TarReader::new(archive.0.as_slice(), limits);
        let error = loop {
            match reader.next_member() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{expected} is not limited"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Limit { what, .. } if what == expected), "{error:?}");
        assert!(matches!(reader.next_member(), Ok(None)));
    }
}

#[test]
fn archives_may_lack_their_end_but_not_content() {
    let archive = Archive::default().member(b'0', b"a", b"", b"content");
    let (found, error) = Archive(archive.0[..512 + 7].to_vec()).read();
    assert!(error.is_none() && found[0].1 == b"content");
    assert!(Archive::default().read().1.is_none());
    let scratch = scratch();
    for len in [100, 512 + 6] {
        let destination = scratch.path().join(len.to_string());
        let report = Archive(archive.0[..len].to_vec()).unpack(&destination);
        assert!(report.stopped.is_some() && report.written.files == 0, "{report:?}");
        assert_eq!(fs::read_dir(&destination).expect("lists").count(), 0);
    }
    let behind = Archive([archive.0.clone(), vec![0; 1024], b"garbage".to_vec()].concat());
    assert!(behind.read().1.is_none());
}

#[test]
fn members_of_unknown_type_are_reported_and_passed_over() {
    let archive = Archive::default().member(b'V', b"label", b"", b"").member(b'?', b"odd", b"", b"xyz");
    let scratch = scratch();
    let report = archive.member(b'7', b"file", b"", b"content").unpack(&scratch.path().join("out"));
    let failed: Vec<_> = report.failed.iter().map(|failure| &*failure.path).collect();
    assert_eq!(failed, ["odd"], "a label is no file");
    assert_eq!(report.written.files, 1);
}
