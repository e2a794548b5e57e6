//! Where entries come to lie: finds the directory of each, and a name it can have there.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::beneath::Folder;
use super::name_rules::{NameRules, substitute};
use crate::{Error, FileKind, Result, Walk, name};

/// What becomes of an entry whose name is taken by one of exactly the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It replaces the other, as a later member of an archive does.
    Replace,
    /// It gets another name: a tree has no two entries of one name unless it is damaged.
    KeepBoth,
}

/// Where an entry came to lie.
#[derive(Debug)]
pub(super) struct Spot {
    pub(super) folder: Folder,
    pub(super) name: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Placement {
    root: Folder,
    name_rules: NameRules,
    /// Whether the destination takes different names for one, as those of Windows and macOS do.
    folds_names: bool,
    existing: Existing,
    /// The directory used last, by its path in the tree.
    current: Option<(Vec<u8>, Folder)>,
    /// The names of the entries that do not bear their own, by their path in the tree.
    renamed: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// How many names an entry is offered if its own is taken.
const MAX_SUBSTITUTES: u32 = 999;

impl Placement {
    /// Fails with [`io::ErrorKind::DirectoryNotEmpty`] if the directory is not empty.
    pub(super) fn open(destination: &Path, component_walk: bool, existing: Existing) -> io::Result<Self> {
        let root = Folder::open_root(destination, component_walk)?;
        if root.names()?.next().is_some() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        Ok(Self {
            name_rules: root.name_rules(),
            folds_names: folds_names(&root)?,
            root,
            existing,
            current: None,
            renamed: BTreeMap::new(),
        })
    }

    pub(super) fn root(&self) -> &Folder {
        &self.root
    }

    /// Creates an entry with `make` in a directory that exists; under another name if its own is taken or refused.
    pub(super) fn create<T>(
        &mut self,
        path: &[u8],
        make: impl Fn(&Folder, &[u8]) -> io::Result<T>,
    ) -> Result<(T, Spot)> {
        let (parent, own_name) = split(path);
        let folder = self.folder(parent)?;
        let mut number = u32::from(!self.name_rules.allow(own_name));
        let mut name = if number == 0 { own_name.to_vec() } else { substitute(own_name, number) };
        let mut replaced = false;
        loop {
            let error = match make(&folder, &name) {
                Ok(entry) => {
                    if name != own_name {
                        self.renamed.insert(path.to_vec(), name.clone());
                        self.current = None;
                    } else if self.renamed.remove(path).is_some() {
                        self.current = None;
                    }
                    return Ok((entry, Spot { folder, name }));
                }
                Err(error) => error,
            };
            let is_taken = error.kind() == io::ErrorKind::AlreadyExists;
            if is_taken && self.existing == Existing::Replace && !replaced && self.holds(&folder, &name) {
                replaced = true;
                self.remove(path)?;
                continue;
            }
            let may_help =
                if is_taken { number < MAX_SUBSTITUTES } else { number == 0 && is_refusal(&error) };
            if !may_help {
                return Err(Error::io("create", path, error));
            }
            number = number.saturating_add(1);
            name = substitute(own_name, number);
        }
    }

    /// Finds an entry of any kind.
    pub(super) fn find(&mut self, path: &[u8]) -> Result<(Spot, FileKind)> {
        let (parent, _) = split(path);
        let spot = Spot { folder: self.folder(parent)?, name: self.stored_name(path).to_vec() };
        let kind = spot.folder.kind(&spot.name).map_err(|error| not_found_or("read", path, error))?;
        Ok((spot, kind))
    }

    /// Opens a directory by its path in the tree.
    pub(super) fn folder(&mut self, path: &[u8]) -> Result<Folder> {
        if path.is_empty() {
            return Ok(self.root.clone());
        }
        match &self.current {
            Some((current, folder)) if current == path => Ok(folder.clone()),
            _ => {
                let folder = self
                    .root
                    .open_folder(&self.stored_path(path))
                    .map_err(|error| not_found_or("open", path, error))?;
                self.current = Some((path.to_vec(), folder.clone()));
                Ok(folder)
            }
        }
    }

    /// Removes an entry, a directory with everything in it.
    pub(super) fn remove(&mut self, path: &[u8]) -> Result<()> {
        let (spot, kind) = self.find(path)?;
        // The directory at hand may be one that goes.
        self.current = None;
        let removed = match kind {
            FileKind::Directory => remove_folder(&spot.folder, &spot.name),
            _ => spot.folder.remove_file(&spot.name),
        };
        removed.map_err(|error| Error::io("remove", path, error))?;
        forget_below(&mut self.renamed, path);
        Ok(())
    }

    /// The path an entry has in the destination, if it is not its own.
    pub(super) fn stored_elsewhere(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.renamed.contains_key(path).then(|| self.stored_path(path))
    }

    fn stored_path(&self, path: &[u8]) -> Vec<u8> {
        if self.renamed.is_empty() {
            return path.to_vec();
        }
        let mut stored = Vec::with_capacity(path.len());
        let ends = path.iter().enumerate().filter_map(|(at, &byte)| (byte == b'/').then_some(at));
        for end in ends.chain([path.len()]) {
            if !stored.is_empty() {
                stored.push(b'/');
            }
            stored.extend_from_slice(self.stored_name(path.get(..end).unwrap_or_default()));
        }
        stored
    }

    fn stored_name<'a>(&'a self, path: &'a [u8]) -> &'a [u8] {
        self.renamed.get(path).map_or_else(|| split(path).1, Vec::as_slice)
    }

    /// Whether a directory has an entry of exactly this name, which was found to be taken.
    fn holds(&self, folder: &Folder, name: &[u8]) -> bool {
        !self.folds_names || folder.names().is_ok_and(|names| names.flatten().any(|found| found == name))
    }
}

/// Whether a path is one that entries may have.
pub(super) fn check_path(path: &[u8]) -> Result<()> {
    let components = || path.split(|&byte| byte == b'/');
    if !components().all(name::is_safe) {
        return Err(Error::io("create", path, io::ErrorKind::InvalidInput.into()));
    }
    let depth = components().count();
    if depth > Walk::MAX_DEPTH {
        return Err(Error::Limit {
            what: "depth of directories",
            needed: depth as u64,
            allowed: Walk::MAX_DEPTH as u64,
        });
    }
    Ok(())
}

/// The path of the parent and the last component.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/').and_then(|at| path.split_at_checked(at)) {
        Some((parent, rest)) => (parent, rest.get(1..).unwrap_or_default()),
        None => (&[], path),
    }
}

/// Drops a path and all below it.
pub(super) fn forget_below<T>(known: &mut BTreeMap<Vec<u8>, T>, path: &[u8]) {
    known.remove(path);
    let mut first = path.to_vec();
    first.push(b'/');
    let mut behind = path.to_vec();
    behind.push(b'/' + 1);
    let gone: Vec<_> = known.range(first..behind).map(|(path, _)| path.clone()).collect();
    for path in gone {
        known.remove(&path);
    }
}

/// A name the destination cannot hold, by what the file systems that have such names answer.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename)
        || is_illegal_sequence(error)
}

#[cfg(unix)]
fn is_illegal_sequence(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::ILSEQ)
}

#[cfg(not(unix))]
fn is_illegal_sequence(_: &io::Error) -> bool {
    false
}

fn not_found_or(action: &'static str, path: &[u8], error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound,
        io::ErrorKind::NotADirectory => Error::NotADirectory,
        _ => Error::io(action, path, error),
    }
}

/// Tries whether an empty directory takes names for one that differ in case or in Unicode's normal form.
fn folds_names(root: &Folder) -> io::Result<bool> {
    const PROBE: &str = "docker-rescue-probe-\u{e9}";
    const OTHER_CASE: &str = "Docker-Rescue-Probe-\u{e9}";
    const OTHER_FORM: &str = "docker-rescue-probe-e\u{301}";

    root.create_file(PROBE.as_bytes())?;
    let folds = [OTHER_CASE, OTHER_FORM].iter().any(|other| root.kind(other.as_bytes()).is_ok());
    root.remove_file(PROBE.as_bytes())?;
    Ok(folds)
}

/// Removes a directory with all below it, without recursion.
fn remove_folder(folder: &Folder, name: &[u8]) -> io::Result<()> {
    let mut path = name.to_vec();
    let mut levels = vec![remove_files(&folder.open_folder(&path)?)?];
    while let Some(children) = levels.last_mut() {
        if let Some(child) = children.pop() {
            path.push(b'/');
            path.extend_from_slice(&child);
            levels.push(remove_files(&folder.open_folder(&path)?)?);
        } else {
            levels.pop();
            let (parent, last) = split(&path);
            folder.open_folder(parent)?.remove_folder(last)?;
            path.truncate(parent.len());
        }
    }
    Ok(())
}

/// Removes all but the directories of a directory; returns these.
fn remove_files(folder: &Folder) -> io::Result<Vec<Vec<u8>>> {
    let mut folders = Vec::new();
    for name in folder.names()?.collect::<io::Result<Vec<_>>>()? {
        match folder.kind(&name)? {
            FileKind::Directory => folders.push(name),
            _ => folder.remove_file(&name)?,
        }
    }
    Ok(folders)
}
