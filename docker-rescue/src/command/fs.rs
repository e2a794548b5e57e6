//! `fs`: the file system inside, as it lies.

use std::io::{Write, stdout};

use data_encoding::BASE64;
use docker_rescue::file_tree::{
    BoxNode, Error as TreeError, FileKind, FileTree, Metadata, Node, Result as TreeResult, Step, SubTree,
    printable, walk,
};
use docker_rescue::{Error, LastLink, Source, lookup};
use serde_json::{Map, Value, json};

use super::args::{Fs, General};
use super::{Outcome, conclude, copy, exit_for, open};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{json, message, text, time};

pub(super) fn run(verb: &Fs, general: &General) -> Outcome {
    match verb {
        Fs::Ls { source, path, recursive } => {
            let source = open(source, general)?;
            list(&source, &text::parse_path(path), *recursive, general)
        }
        Fs::Stat { source, path } => {
            let source = open(source, general)?;
            let path = text::parse_path(path);
            stat(&find(&*source.file_system()?, &path, LastLink::Keep)?, &path, general)?;
            Ok(exit_for(&source))
        }
        Fs::Cat { source, path } => {
            let source = open(source, general)?;
            let told = source.notes();
            let path = text::parse_path(path);
            let outcome = cat(&find(&*source.file_system()?, &path, LastLink::Follow)?, &path);
            let exit = conclude(&source, &told, Exit::Done);
            outcome.map(|()| exit)
        }
        Fs::Cp { source, path, target } => {
            let source = open(source, general)?;
            let told = source.notes();
            let path = text::parse_path(path);
            let node = find(&*source.file_system()?, &path, LastLink::Keep)?;
            let exit = copy::copy(node, last_name(&path), target, general)?;
            Ok(conclude(&source, &told, exit))
        }
    }
}

/// Opens a file by its path, and says in an error which path that was.
pub(super) fn find(tree: &dyn FileTree, path: &[u8], last: LastLink) -> Result<BoxNode, Failure> {
    lookup(tree, path, last).map_err(|error| about(path, error).into())
}

/// The last component of a path; empty for the root.
pub(super) fn last_name(path: &[u8]) -> &[u8] {
    path.split(|&byte| byte == b'/').rev().find(|name| !name.is_empty()).unwrap_or_default()
}

fn about(path: &[u8], source: TreeError) -> Error {
    Error::Path { path: printable(path), source }
}

fn list(source: &Source, path: &[u8], recursive: bool, general: &General) -> Outcome {
    let tree = source.file_system()?;
    let node = find(&*tree, path, LastLink::Follow)?;
    if node.metadata().kind != FileKind::Directory {
        let node = find(&*tree, path, LastLink::Keep)?;
        print_entry(last_name(path), &*node, general)?;
        return Ok(exit_for(source));
    }
    let tree = SubTree::at(node)?;
    let mut damaged = false;
    let mut steps = walk(&tree);
    while let Some(step) = steps.next() {
        if interrupt::happened() {
            return Ok(Exit::Interrupted);
        }
        match step {
            Step::Entry { path, .. } if path.is_empty() => {}
            Step::Entry { path, node } => {
                print_entry(&path, &*node, general)?;
                if !recursive {
                    steps.skip_directory();
                }
            }
            Step::Unreadable { path: below, error } => {
                damaged = true;
                message::error(&about(&below, error));
            }
            _ => {}
        }
    }
    Ok(if damaged { Exit::Incomplete } else { exit_for(source) })
}

fn print_entry(path: &[u8], node: &dyn Node, general: &General) -> Result<(), Failure> {
    if general.json {
        return Ok(json::print_line(&describe(path, node))?);
    }
    let metadata = node.metadata();
    let size = match metadata.kind {
        FileKind::CharDevice | FileKind::BlockDevice => {
            format!("{},{}", metadata.rdev.major, metadata.rdev.minor)
        }
        _ => metadata.size.to_string(),
    };
    let target = match metadata.kind {
        FileKind::Symlink => format!(" -> {}", shown(node.read_link(), |target| printable(&target))),
        _ => String::new(),
    };
    writeln!(
        stdout(),
        "{} {:>3} {:>5} {:>5} {size:>12} {} {}{target}",
        mode_string(metadata),
        metadata.links,
        metadata.uid,
        metadata.gid,
        time::short(metadata.modified),
        printable(path),
    )?;
    Ok(())
}

/// As `ls -l` has it.
fn mode_string(metadata: &Metadata) -> String {
    let kind = match metadata.kind {
        FileKind::Regular => '-',
        FileKind::Directory => 'd',
        FileKind::Symlink => 'l',
        FileKind::Fifo => 'p',
        FileKind::CharDevice => 'c',
        FileKind::BlockDevice => 'b',
        FileKind::Socket => 's',
    };
    let mut text = String::from(kind);
    for (shift, special, mark) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = metadata.mode >> shift;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(match (bits & 1 != 0, metadata.mode & special != 0) {
            (true, true) => mark,
            (false, true) => mark.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// What `stat` tells, as JSON.
fn describe(path: &[u8], node: &dyn Node) -> Map<String, Value> {
    let metadata = node.metadata();
    let mut object = Map::new();
    json::insert_bytes(&mut object, "path", path);
    let Value::Object(facts) = json!({
        "kind": metadata.kind.name(),
        "mode": format!("{:04o}", metadata.mode),
        "uid": metadata.uid,
        "gid": metadata.gid,
        "size": metadata.size,
        "allocated_bytes": metadata.allocated_bytes,
        "links": metadata.links,
        "inode": metadata.id.inode,
        "accessed": time::exact(metadata.accessed),
        "modified": time::exact(metadata.modified),
        "changed": time::exact(metadata.changed),
        "created": metadata.created.map(time::exact),
    }) else {
        return object;
    };
    object.extend(facts);
    match metadata.kind {
        FileKind::CharDevice | FileKind::BlockDevice => {
            object.insert("rdev".to_owned(), json!([metadata.rdev.major, metadata.rdev.minor]));
        }
        FileKind::Symlink => match node.read_link() {
            Ok(target) => json::insert_bytes(&mut object, "target", &target),
            Err(error) => drop(object.insert("error".to_owned(), error.to_string().into())),
        },
        _ => {}
    }
    object
}

/// What [`describe`] tells, in the order for people.
const STAT_LINES: [&str; 16] = [
    "path",
    "kind",
    "target",
    "mode",
    "uid",
    "gid",
    "size",
    "allocated_bytes",
    "rdev",
    "links",
    "inode",
    "modified",
    "changed",
    "accessed",
    "created",
    "error",
];

fn stat(node: &BoxNode, path: &[u8], general: &General) -> Result<(), Failure> {
    let mut object = describe(path, &**node);
    let xattrs = node.xattrs().map_err(|error| about(path, error))?;
    let ranges: Vec<_> = match node.metadata().kind {
        FileKind::Regular => {
            node.data_ranges()?.collect::<TreeResult<_>>().map_err(|error| about(path, error))?
        }
        _ => Vec::new(),
    };
    if general.json {
        let xattrs = xattrs.iter().map(|xattr| {
            let mut object = Map::new();
            json::insert_bytes(&mut object, "name", &xattr.name);
            object.insert("value_base64".to_owned(), BASE64.encode(&xattr.value).into());
            Value::Object(object)
        });
        object.insert("xattrs".to_owned(), xattrs.collect());
        object.insert(
            "data_ranges".to_owned(),
            ranges.iter().map(|range| json!([range.offset, range.len])).collect(),
        );
        return Ok(json::print(&object)?);
    }

    let mut out = stdout().lock();
    for key in STAT_LINES {
        let value = match object.get(key) {
            Some(Value::String(text)) => printable(text.as_bytes()),
            None | Some(Value::Null) => continue,
            Some(other) => other.to_string(),
        };
        writeln!(out, "{key:<16} {value}")?;
    }
    for xattr in &xattrs {
        writeln!(out, "{:<16} {} = {}", "xattr", printable(&xattr.name), printable(&xattr.value))?;
    }
    for range in &ranges {
        writeln!(out, "{:<16} {} bytes from {}", "data", range.len, range.offset)?;
    }
    Ok(())
}

fn shown<T>(result: TreeResult<T>, show: impl FnOnce(T) -> String) -> String {
    result.map_or_else(|error| format!("({error})"), show)
}

fn cat(node: &BoxNode, path: &[u8]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    while !interrupt::happened() {
        let count = node.read_at(&mut buffer, offset).map_err(|error| about(path, error))?;
        if count == 0 {
            break;
        }
        out.write_all(&buffer[..count])?;
        offset += count as u64;
    }
    Ok(out.flush()?)
}
