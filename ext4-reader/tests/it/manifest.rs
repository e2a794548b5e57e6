//! What ext4-reader shows of a tree, in the lines of `testdata/manifest.py`.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use ext4_reader::{Ext4, FileKind, Inode, InodeNumber, ReadAt};
use sha2::{Digest, Sha256};

/// One line for each file, sorted by path; the root is `.`.
pub(crate) fn of<S: ReadAt>(fs: &Ext4<S>) -> Vec<String> {
    let mut found = tree(fs);
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut first_names = HashMap::new();
    found.iter().map(|(path, inode)| line(fs, path, inode, &mut first_names)).collect()
}

/// Every file with its path, a directory before what it holds.
pub(crate) fn tree<S: ReadAt>(fs: &Ext4<S>) -> Vec<(Vec<u8>, Inode)> {
    let mut found = vec![(b".".to_vec(), fs.root().expect("root"))];
    let mut next = 0;
    while next < found.len() {
        let (folder, inode) = found[next].clone();
        next += 1;
        if inode.kind() != FileKind::Directory {
            continue;
        }
        for entry in fs.read_dir(&inode).expect("a directory") {
            let entry = entry.unwrap_or_else(|e| panic!("{}: {e}", encode(&folder)));
            let path =
                if folder == b"." { entry.name.clone() } else { [&folder[..], b"/", &entry.name].concat() };
            let inode = fs.inode(entry.inode).unwrap_or_else(|e| panic!("{}: {e}", encode(&path)));
            assert!(entry.kind.is_none_or(|kind| kind == inode.kind()), "{}", encode(&path));
            found.push((path, inode));
        }
    }
    found
}

fn line<S: ReadAt>(
    fs: &Ext4<S>,
    path: &[u8],
    inode: &Inode,
    first_names: &mut HashMap<InodeNumber, String>,
) -> String {
    let path = encode(path);
    let modified = inode.modified();
    let mut line = format!(
        r#"{{"path":"{path}","kind":"{}","mode":"{:04o}","uid":{},"gid":{},"mtime_ns":{}"#,
        kind_name(inode.kind()),
        inode.mode(),
        inode.uid(),
        inode.gid(),
        i128::from(modified.seconds) * 1_000_000_000 + i128::from(modified.nanoseconds),
    );
    match inode.kind() {
        FileKind::Regular => {
            let _ = write!(line, r#","size":{},"sha256":"{}""#, inode.size(), sha256(fs, inode));
        }
        FileKind::Symlink => {
            let target = fs.read_link(inode).unwrap_or_else(|e| panic!("{path}: {e}"));
            let _ = write!(line, r#","target":"{}""#, encode(&target));
        }
        FileKind::CharDevice | FileKind::BlockDevice => {
            let device = inode.rdev();
            let _ = write!(line, r#","rdev":[{},{}]"#, device.major, device.minor);
        }
        _ => {}
    }
    if inode.kind() != FileKind::Directory && inode.links() > 1 {
        let first = first_names.entry(inode.number()).or_insert(path);
        let _ = write!(line, r#","link":"{first}""#);
    }
    line + &xattrs(fs, inode) + "}"
}

fn xattrs<S: ReadAt>(fs: &Ext4<S>, inode: &Inode) -> String {
    let mut xattrs = fs.xattrs(inode).unwrap_or_else(|e| panic!("xattrs of inode {:?}: {e}", inode.number()));
    if xattrs.is_empty() {
        return String::new();
    }
    xattrs.sort_by(|a, b| a.name.cmp(&b.name));
    let pairs: Vec<String> =
        xattrs.iter().map(|x| format!(r#""{}":"{}""#, encode(&x.name), hex(&x.value))).collect();
    format!(r#","xattrs":{{{}}}"#, pairs.join(","))
}

fn sha256<S: ReadAt>(fs: &Ext4<S>, inode: &Inode) -> String {
    let mut digest = Sha256::new();
    let mut buf = vec![0; 1 << 20];
    let mut offset = 0;
    while offset < inode.size() {
        let got =
            fs.read_at(inode, &mut buf, offset).unwrap_or_else(|e| panic!("inode {:?}: {e}", inode.number()));
        assert!(got > 0, "inode {:?} ends at {offset} of {}", inode.number(), inode.size());
        digest.update(&buf[..got]);
        offset += got as u64;
    }
    hex(&digest.finalize())
}

/// Percent-encodes as `manifest.py` does.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"_.-~/ ,:=+@()[]{}!$&'*;#^".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn kind_name(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "file",
        FileKind::Directory => "dir",
        FileKind::Symlink => "symlink",
        FileKind::Fifo => "fifo",
        FileKind::CharDevice => "char",
        FileKind::BlockDevice => "block",
        FileKind::Socket => "socket",
    }
}

/// Fails, with the first differing lines, unless the two manifests are the same.
pub(crate) fn assert_same(what: &str, ours: &[String], truth: &[String]) {
    let missing = lines_not_in(truth, ours);
    let wrong = lines_not_in(ours, truth);
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "{what}: {} of {} lines are not ours: {:#?}\n{} of ours are not true: {:#?}",
        missing.len(),
        truth.len(),
        &missing[..missing.len().min(5)],
        wrong.len(),
        &wrong[..wrong.len().min(5)],
    );
    assert_eq!(ours, truth, "{what}: the order");
}

fn lines_not_in<'a>(lines: &'a [String], others: &[String]) -> Vec<&'a String> {
    let others: HashSet<_> = others.iter().collect();
    lines.iter().filter(|line| !others.contains(line)).collect()
}
