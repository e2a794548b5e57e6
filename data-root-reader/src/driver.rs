use std::fmt;

use serde::Serialize;

/// A way in which Docker keeps the layers of images and containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StorageDriver {
    /// `overlay2`: the default from 2017 to 2025.
    Overlay2,
    /// `overlay`: its first version, removed in Docker 24.
    Overlay,
    /// `fuse-overlayfs`: rootless Docker on old kernels.
    FuseOverlayfs,
    /// `aufs`: Docker for Mac until 2017 and old Ubuntu, removed in Docker 24.
    Aufs,
    /// `vfs`: full copies.
    Vfs,
    /// `btrfs` subvolumes.
    Btrfs,
    /// `zfs` datasets.
    Zfs,
    /// `devicemapper` thin volumes, removed in Docker 25.
    #[serde(rename = "devicemapper")]
    DeviceMapper,
    /// containerd's content store and snapshots, the default since Docker 29.
    Containerd,
}

impl StorageDriver {
    /// The drivers that keep a directory of their name in the data root.
    pub(crate) const GRAPH_DRIVERS: [Self; 8] = [
        Self::Overlay2,
        Self::Overlay,
        Self::FuseOverlayfs,
        Self::Aufs,
        Self::Vfs,
        Self::Btrfs,
        Self::Zfs,
        Self::DeviceMapper,
    ];

    /// The driver's name in Docker's own words, which is that of its directory.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Overlay2 => "overlay2",
            Self::Overlay => "overlay",
            Self::FuseOverlayfs => "fuse-overlayfs",
            Self::Aufs => "aufs",
            Self::Vfs => "vfs",
            Self::Btrfs => "btrfs",
            Self::Zfs => "zfs",
            Self::DeviceMapper => "devicemapper",
            Self::Containerd => "containerd",
        }
    }
}

impl fmt::Display for StorageDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
