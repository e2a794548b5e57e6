//! What is compared: this workspace's reader, the kernel, and other crates, behind one interface.

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use ext4_reader::{Checksums, FileKind, InodeNumber, OpenOptions};

use crate::images::Mount;

/// A file, by its path and, for those who go by it, its inode.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) path: Vec<u8>,
    pub(crate) inode: u64,
}

impl Place {
    pub(crate) fn child(&self, name: &[u8], inode: u64) -> Self {
        Self { path: [&self.path, b"/".as_slice(), name].concat(), inode }
    }

    fn text(&self) -> &str {
        if self.path.is_empty() { "/" } else { std::str::from_utf8(&self.path).expect("ASCII") }
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    File,
    Directory,
    Other,
}

pub(crate) type ReadAt<'a> = Box<dyn FnMut(&mut [u8], u64) -> usize + 'a>;

/// A reader, as its crate would have it used: whoever can reads by inode, the others by path.
pub(crate) trait Reader {
    /// Calls `visit` with every file below the root, and its size: the metadata is read.
    fn walk(&self, visit: &mut dyn FnMut(&Place, Kind, u64));
    fn lookup(&self, directory: &Place, name: &[u8]) -> Place;
    fn open<'a>(&'a self, file: &Place) -> ReadAt<'a>;
}

const ROOT: u64 = 2;

pub(crate) fn root() -> Place {
    Place { path: Vec::new(), inode: ROOT }
}

/// Walks by listing directories and asking for the metadata of each entry.
fn walk_by(
    list: impl Fn(&Place) -> Vec<Place>,
    stat: impl Fn(&Place) -> (Kind, u64),
    visit: &mut dyn FnMut(&Place, Kind, u64),
) {
    let mut pending = vec![root()];
    while let Some(directory) = pending.pop() {
        for place in list(&directory) {
            let (kind, size) = stat(&place);
            visit(&place, kind, size);
            if kind == Kind::Directory {
                pending.push(place);
            }
        }
    }
}

fn kind_of_mode(mode: u32) -> Kind {
    match mode & 0o170_000 {
        0o100_000 => Kind::File,
        0o040_000 => Kind::Directory,
        _ => Kind::Other,
    }
}

pub(crate) struct Ours<S>(pub(crate) ext4_reader::Ext4<S>);

impl Ours<File> {
    pub(crate) fn new(image: &Path) -> Self {
        Self(ext4_reader::Ext4::open(File::open(image).expect("image")).expect("opens"))
    }

    /// As most of the others read.
    pub(crate) fn without_checksums(image: &Path) -> Self {
        let options = OpenOptions::new().checksums(Checksums::Ignore);
        Self(options.open(File::open(image).expect("image")).expect("opens"))
    }
}

impl<S: ext4_reader::ReadAt> Reader for Ours<S> {
    fn walk(&self, visit: &mut dyn FnMut(&Place, Kind, u64)) {
        for entry in self.0.walk(&self.0.root().expect("root")) {
            let entry = entry.expect("entry");
            let kind = match entry.inode.kind() {
                FileKind::Regular => Kind::File,
                FileKind::Directory => Kind::Directory,
                _ => Kind::Other,
            };
            let inode = entry.inode.number().0.into();
            let path = [b"/", entry.path.as_slice()].concat();
            visit(&Place { path, inode }, kind, entry.inode.size());
        }
    }

    fn lookup(&self, directory: &Place, name: &[u8]) -> Place {
        let directory_inode = self.0.inode(number(directory)).expect("directory");
        let found = self.0.lookup_in(&directory_inode, name).expect("found");
        directory.child(name, found.number().0.into())
    }

    fn open<'a>(&'a self, file: &Place) -> ReadAt<'a> {
        let inode = self.0.inode(number(file)).expect("inode");
        Box::new(move |buf, offset| self.0.read_at(&inode, buf, offset).expect("reads"))
    }
}

fn number(place: &Place) -> InodeNumber {
    InodeNumber(narrow(place.inode))
}

fn narrow(inode: u64) -> u32 {
    u32::try_from(inode).expect("32 bits")
}

/// A fresh mount, so that nothing of the file system is in the kernel's caches but the image.
pub(crate) struct Kernel(Mount);

impl Kernel {
    pub(crate) fn new(image: &Path) -> Self {
        Self(Mount::new(image, "ro,noload,loop").expect("mounts"))
    }

    fn path(&self, place: &Place) -> std::path::PathBuf {
        self.0.path().join(place.text().trim_start_matches('/'))
    }
}

impl Reader for Kernel {
    fn walk(&self, visit: &mut dyn FnMut(&Place, Kind, u64)) {
        let list = |directory: &Place| {
            let entries = std::fs::read_dir(self.path(directory)).expect("directory");
            entries.map(|entry| directory.child(&entry.expect("entry").file_name().into_vec(), 0)).collect()
        };
        let stat = |place: &Place| {
            let metadata = self.path(place).symlink_metadata().expect("metadata");
            (kind_of_mode(metadata.mode()), metadata.size())
        };
        walk_by(list, stat, visit);
    }

    fn lookup(&self, directory: &Place, name: &[u8]) -> Place {
        let place = directory.child(name, 0);
        let inode = self.path(&place).symlink_metadata().expect("metadata").ino();
        Place { inode, ..place }
    }

    fn open<'a>(&'a self, file: &Place) -> ReadAt<'a> {
        let file = File::open(self.path(file)).expect("file");
        Box::new(move |buf, offset| read_up_to(&file, buf, offset))
    }
}

/// Like `read_at` until the end of the file.
fn read_up_to(file: &File, buf: &mut [u8], offset: u64) -> usize {
    let mut count = 0;
    loop {
        match file.read_at(&mut buf[count..], offset + count as u64).expect("reads") {
            0 => return count,
            more => count += more,
        }
    }
}

pub(crate) struct Ext4View(ext4_view::Ext4);

impl Ext4View {
    pub(crate) fn new(image: &Path) -> Self {
        Self(ext4_view::Ext4::load_from_path(image).expect("opens"))
    }
}

impl Reader for Ext4View {
    fn walk(&self, visit: &mut dyn FnMut(&Place, Kind, u64)) {
        let list = |directory: &Place| {
            let entries = self.0.read_dir(directory.text()).expect("directory");
            let names = entries.map(|entry| entry.expect("entry").file_name().as_ref().to_vec());
            let names = names.filter(|name| name != b"." && name != b"..");
            names.map(|name| directory.child(&name, 0)).collect()
        };
        let stat = |place: &Place| {
            let metadata = self.0.symlink_metadata(place.text()).expect("metadata");
            let kind = match metadata.file_type() {
                ext4_view::FileType::Regular => Kind::File,
                ext4_view::FileType::Directory => Kind::Directory,
                _ => Kind::Other,
            };
            (kind, metadata.len())
        };
        walk_by(list, stat, visit);
    }

    fn lookup(&self, directory: &Place, name: &[u8]) -> Place {
        let place = directory.child(name, 0);
        self.0.symlink_metadata(place.text()).expect("metadata");
        place
    }

    fn open<'a>(&'a self, file: &Place) -> ReadAt<'a> {
        let mut file = self.0.open(file.text()).expect("file");
        Box::new(move |buf, offset| {
            file.seek_to(offset).expect("seeks");
            let mut count = 0;
            loop {
                match file.read_bytes(&mut buf[count..]).expect("reads") {
                    0 => return count,
                    more => count += more,
                }
            }
        })
    }
}

pub(crate) struct RustFsExt4(fs_ext4::Filesystem);

impl RustFsExt4 {
    pub(crate) fn new(image: &Path) -> Self {
        let image = Arc::new(Image(File::open(image).expect("image")));
        Self(fs_ext4::Filesystem::mount(image).expect("mounts"))
    }
}

/// The image, for the crates that want a trait of their own for it.
struct Image(File);

impl fs_ext4::block_io::BlockDevice for Image {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> fs_ext4::Result<()> {
        self.0.read_exact_at(buf, offset).map_err(fs_ext4::Error::Io)
    }

    fn size_bytes(&self) -> u64 {
        self.0.metadata().expect("metadata").len()
    }
}

impl Reader for RustFsExt4 {
    fn walk(&self, visit: &mut dyn FnMut(&Place, Kind, u64)) {
        let list = |directory: &Place| {
            let entries = self.0.read_dir_ino(narrow(directory.inode)).expect("directory").into_iter();
            let entries = entries.filter(|entry| entry.name != b"." && entry.name != b"..");
            entries.map(|entry| directory.child(&entry.name, entry.inode.into())).collect()
        };
        let stat = |place: &Place| {
            let inode = self.0.stat_ino(narrow(place.inode)).expect("inode");
            (kind_of_mode(inode.mode.into()), inode.size)
        };
        walk_by(list, stat, visit);
    }

    fn lookup(&self, directory: &Place, name: &[u8]) -> Place {
        let inode = self.0.lookup_at(narrow(directory.inode), name).expect("found");
        self.0.stat_ino(inode).expect("inode");
        directory.child(name, inode.into())
    }

    fn open<'a>(&'a self, file: &Place) -> ReadAt<'a> {
        let inode = narrow(file.inode);
        Box::new(move |buf, offset| self.0.read_ino(inode, offset, buf).expect("reads"))
    }
}

type Rsext4Services = rsext4::MountedServices<(), rsext4::NoopObserver>;

pub(crate) struct Rsext4(RefCell<rsext4::Ext4<Image, Rsext4Services>>);

impl Rsext4 {
    pub(crate) fn new(image: &Path) -> Self {
        let services = rsext4::MountServices::new(NoClock, (), rsext4::NoopObserver);
        let options = rsext4::MountOptions::read_only_no_journal_replay();
        let image = Image(File::open(image).expect("image"));
        Self(RefCell::new(rsext4::Ext4::mount(image, services, options).expect("mounts")))
    }
}

struct NoClock;

impl rsext4::Clock for NoClock {
    fn now(&self) -> rsext4::Ext4Result<rsext4::Ext4Timestamp> {
        Ok(rsext4::Ext4Timestamp::new(0, 0))
    }
}

const SECTOR: u32 = 4096;

impl rsext4::BlockIo for Image {
    fn write(&mut self, _: &[u8], _: rsext4::SectorId, _: u32) -> rsext4::Ext4Result<()> {
        Err(rsext4::Ext4Error::unsupported())
    }

    fn read(&mut self, buf: &mut [u8], sector: rsext4::SectorId, _: u32) -> rsext4::Ext4Result<()> {
        let offset = sector.as_usize()? as u64 * u64::from(SECTOR);
        self.0.read_exact_at(buf, offset).map_err(|_| rsext4::Ext4Error::invalid_input())
    }

    fn flush(&mut self) -> rsext4::Ext4Result<()> {
        Ok(())
    }

    fn geometry(&self) -> rsext4::DeviceGeometry {
        let sectors = self.0.metadata().expect("metadata").len() / u64::from(SECTOR);
        rsext4::DeviceGeometry::new(SECTOR, sectors)
    }

    fn capabilities(&self) -> rsext4::DeviceCapabilities {
        rsext4::DeviceCapabilities { read_only: true, ..rsext4::DeviceCapabilities::default() }
    }
}

impl Reader for Rsext4 {
    fn walk(&self, visit: &mut dyn FnMut(&Place, Kind, u64)) {
        let list = |directory: &Place| {
            let number = rsext4::InodeNumber::new(narrow(directory.inode)).expect("number");
            let start = rsext4::DirectoryCursor::Start;
            let entries = self.0.borrow_mut().read_directory(number, start, usize::MAX).expect("directory");
            let entries = entries.into_iter().filter(|entry| entry.name != b"." && entry.name != b"..");
            entries.map(|entry| directory.child(&entry.name, entry.inode.raw().into())).collect()
        };
        let stat = |place: &Place| {
            let number = rsext4::InodeNumber::new(narrow(place.inode)).expect("number");
            let inode = self.0.borrow_mut().inode(number).expect("inode");
            (kind_of_mode(inode.mode.into()), inode.size)
        };
        walk_by(list, stat, visit);
    }

    fn lookup(&self, directory: &Place, name: &[u8]) -> Place {
        let number = rsext4::InodeNumber::new(narrow(directory.inode)).expect("number");
        let child = rsext4::FileName::new(name).expect("name");
        let found = self.0.borrow_mut().lookup_child(number, child).expect("looks up").expect("found");
        directory.child(name, found.number.raw().into())
    }

    fn open<'a>(&'a self, file: &Place) -> ReadAt<'a> {
        let number = rsext4::InodeNumber::new(narrow(file.inode)).expect("number");
        Box::new(move |buf, offset| self.0.borrow_mut().read_inode(number, offset, buf).expect("reads"))
    }
}

pub(crate) struct Ext4fsCore(RefCell<ext4fs::Ext4Fs<File>>);

impl Ext4fsCore {
    pub(crate) fn new(image: &Path) -> Self {
        Self(RefCell::new(ext4fs::Ext4Fs::open(File::open(image).expect("image")).expect("opens")))
    }
}

impl Reader for Ext4fsCore {
    fn walk(&self, visit: &mut dyn FnMut(&Place, Kind, u64)) {
        let list = |directory: &Place| {
            let entries = self.0.borrow_mut().read_dir_by_ino(directory.inode).expect("directory");
            let entries = entries.into_iter().filter(|entry| entry.name != b"." && entry.name != b"..");
            entries.map(|entry| directory.child(&entry.name, entry.inode.into())).collect()
        };
        let stat = |place: &Place| {
            let inode = self.0.borrow_mut().inode(place.inode).expect("inode");
            (kind_of_mode(inode.mode.into()), inode.size)
        };
        walk_by(list, stat, visit);
    }

    fn lookup(&self, directory: &Place, name: &[u8]) -> Place {
        let mut reader = self.0.borrow_mut();
        let inode = reader.lookup_by_ino(directory.inode, name).expect("looks up").expect("found");
        reader.inode(inode).expect("inode");
        directory.child(name, inode)
    }

    fn open<'a>(&'a self, file: &Place) -> ReadAt<'a> {
        let inode = file.inode;
        Box::new(move |buf, offset| {
            let read = self.0.borrow_mut().read_inode_data_range(inode, offset, buf.len()).expect("reads");
            buf[..read.len()].copy_from_slice(&read);
            read.len()
        })
    }
}
