//! What `beneath` and `attributes` do, with what the standard library offers everywhere. It has no handles of
//! directories: nobody else may change the destination meanwhile.

pub(super) mod beneath {
    use std::fs::{self, File};
    use std::io;
    use std::path::{Path, PathBuf};

    use crate::directory::name_rules::NameRules;
    use crate::{BoxNode, Device, FileKind, Result, host_tree};

    #[derive(Debug, Clone)]
    pub(in crate::directory) struct Folder {
        pub(super) path: PathBuf,
    }

    impl Folder {
        pub(in crate::directory) fn open_root(path: &Path, _component_walk: bool) -> io::Result<Self> {
            let path = fs::canonicalize(path)?;
            if path.is_dir() { Ok(Self { path }) } else { Err(io::ErrorKind::NotADirectory.into()) }
        }

        /// Opens the directory at a path of safe components, none of which may be a link.
        pub(in crate::directory) fn open_folder(&self, path: &[u8]) -> io::Result<Self> {
            let mut folder = self.clone();
            for component in path.split(|&byte| byte == b'/').filter(|component| !component.is_empty()) {
                folder.path = folder.join(component)?;
                if !fs::symlink_metadata(&folder.path)?.is_dir() {
                    return Err(io::ErrorKind::NotADirectory.into());
                }
            }
            Ok(folder)
        }

        #[expect(clippy::unused_self, reason = "a matter of the file system elsewhere")]
        pub(in crate::directory) fn name_rules(&self) -> NameRules {
            NameRules::Windows
        }

        pub(in crate::directory) fn names(&self) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
            let entries = fs::read_dir(&self.path)?;
            Ok(entries.map(|entry| Ok(entry?.file_name().into_encoded_bytes())))
        }

        pub(in crate::directory) fn create_folder(&self, name: &[u8], _mode: u32) -> io::Result<()> {
            fs::create_dir(self.join(name)?)
        }

        pub(in crate::directory) fn create_file(&self, name: &[u8]) -> io::Result<File> {
            File::options().write(true).create_new(true).open(self.join(name)?)
        }

        #[expect(clippy::unused_self, reason = "possible elsewhere")]
        pub(in crate::directory) fn create_symlink(&self, _name: &[u8], _target: &[u8]) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        #[expect(clippy::unused_self, reason = "possible elsewhere")]
        pub(in crate::directory) fn create_special(
            &self,
            _name: &[u8],
            _kind: FileKind,
            _rdev: Device,
        ) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(in crate::directory) fn hard_link(
            &self,
            name: &[u8],
            folder: &Self,
            existing: &[u8],
        ) -> io::Result<()> {
            fs::hard_link(folder.join(existing)?, self.join(name)?)
        }

        pub(in crate::directory) fn node(&self, name: &[u8]) -> Result<BoxNode> {
            let name = std::str::from_utf8(name).map_err(|_| crate::Error::NotFound)?;
            host_tree::node_in(&self.path, name)
        }

        pub(in crate::directory) fn kind(&self, name: &[u8]) -> io::Result<FileKind> {
            let found = fs::symlink_metadata(self.join(name)?)?;
            Ok(if found.is_symlink() {
                FileKind::Symlink
            } else if found.is_dir() {
                FileKind::Directory
            } else {
                FileKind::Regular
            })
        }

        pub(in crate::directory) fn remove_file(&self, name: &[u8]) -> io::Result<()> {
            fs::remove_file(self.join(name)?)
        }

        pub(in crate::directory) fn remove_folder(&self, name: &[u8]) -> io::Result<()> {
            fs::remove_dir(self.join(name)?)
        }

        /// There is no call for a whole directory.
        #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "possible elsewhere")]
        pub(in crate::directory) fn sync(&self) -> io::Result<()> {
            Ok(())
        }

        fn join(&self, name: &[u8]) -> io::Result<PathBuf> {
            match std::str::from_utf8(name) {
                Ok(name) if !name.contains(['\\', ':']) => Ok(self.path.join(name)),
                _ => Err(io::ErrorKind::InvalidInput.into()),
            }
        }
    }
}

pub(super) mod attributes {
    use std::fs::{File, FileTimes};
    use std::io;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::beneath::Folder;
    use crate::sidecar::Lost;
    use crate::{Attributes, FileKind, Metadata, Timestamp};

    #[derive(Debug, Clone, Copy)]
    pub(in crate::directory) struct Rights;

    impl Rights {
        pub(in crate::directory) fn of_this_process() -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "a matter of modes elsewhere")]
        pub(in crate::directory) fn can_use_directory(self, _mode: u32) -> bool {
            true
        }
    }

    pub(in crate::directory) fn apply_to_file(file: &File, wanted: &Attributes<'_>, _: Rights) -> Lost {
        let lost_times = set_times(file, wanted.metadata).is_err();
        lost(wanted, lost_times)
    }

    pub(in crate::directory) fn apply_to_folder(folder: &Folder, wanted: &Attributes<'_>, _: Rights) -> Lost {
        let lost_times = open_for_times(folder).and_then(|file| set_times(&file, wanted.metadata)).is_err();
        lost(wanted, lost_times)
    }

    /// Such entries do not come into being here.
    pub(in crate::directory) fn apply_to_name(
        _: &Folder,
        _: &[u8],
        _: &Attributes<'_>,
        _: Rights,
    ) -> io::Result<Lost> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::directory) fn forget_default_acl(_: &Folder) {}

    /// There are no owners and modes; a mode counts as kept if it is the one everything here appears with.
    fn lost(wanted: &Attributes<'_>, times: bool) -> Lost {
        let usual = Metadata::new(wanted.metadata.kind).mode;
        Lost {
            owner: true,
            mode: wanted.metadata.mode != usual && wanted.metadata.kind != FileKind::Symlink,
            times,
            xattrs: wanted.xattrs.to_vec(),
            ..Lost::default()
        }
    }

    fn set_times(file: &File, metadata: &Metadata) -> io::Result<()> {
        let wanted = system_time(metadata.modified)?;
        let times = FileTimes::new().set_accessed(system_time(metadata.accessed)?).set_modified(wanted);
        file.set_times(times)?;
        if file.metadata()?.modified()? == wanted { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
    }

    fn system_time(time: Timestamp) -> io::Result<SystemTime> {
        let seconds = Duration::from_secs(time.seconds.unsigned_abs());
        let whole =
            if time.seconds < 0 { UNIX_EPOCH.checked_sub(seconds) } else { UNIX_EPOCH.checked_add(seconds) };
        whole
            .and_then(|whole| whole.checked_add(Duration::from_nanos(time.nanoseconds.into())))
            .ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    #[cfg(windows)]
    fn open_for_times(folder: &Folder) -> io::Result<File> {
        use std::os::windows::fs::OpenOptionsExt;

        const FILE_READ_ATTRIBUTES: u32 = 0x80;
        const FILE_WRITE_ATTRIBUTES: u32 = 0x100;
        const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;

        File::options()
            .access_mode(FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
            .open(&folder.path)
    }

    #[cfg(not(windows))]
    fn open_for_times(folder: &Folder) -> io::Result<File> {
        File::open(&folder.path)
    }
}
