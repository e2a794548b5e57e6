//! The grammar of the command: `docker-rescue VERB SOURCE ...`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Recover Docker volumes from a disk that no longer starts.
///
/// SOURCE is whatever holds the data: a disk image (raw, qcow2, VHDX or VMDK), a block
/// device, or a directory such as /var/lib/docker. It is opened for reading only and never changed.
#[derive(Debug, Parser)]
#[command(name = "docker-rescue", version, max_term_width = 100, disable_help_subcommand = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    #[command(flatten)]
    pub(crate) general: General,
}

/// Shown below the help.
const EXIT_CODES: &str = "Exit codes: 0 all done, nothing found damaged; 1 failed; 2 wrong usage; 3 finished, but some \
things are damaged or could not be read (the report says which); 130 interrupted.";

/// Options of every verb.
#[derive(Debug, Args)]
pub(crate) struct General {
    /// Print JSON instead of tables (lists: one object a line)
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No progress bar
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Read this file in place of the backing file that a qcow2 image names
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) backing: Option<PathBuf>,
    /// Look only at the partition with this number (0 for a disk without partitions)
    #[arg(long, value_name = "N", global = true)]
    pub(crate) partition: Option<u32>,
    /// Take this directory of the disk's file system as Docker's data root
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) data_root: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// What SOURCE is, layer by layer; without SOURCE, the Docker disks found on this computer
    Info {
        /// Disk image, block device or directory
        source: Option<PathBuf>,
    },
    /// The health of every layer: what is damaged, and what that costs
    Check {
        /// Disk image, block device or directory
        source: PathBuf,
    },
    /// Bring every volume back, as directories or tar files, with a report
    Recover(Recover),
    /// List, inspect and copy volumes
    #[command(subcommand)]
    Volume(Volume),
    /// The file system inside, as it lies
    #[command(subcommand)]
    Fs(Fs),
}

#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// Disk image, block device or directory
    pub(crate) source: PathBuf,
    /// Where to write to: a new or empty directory
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Only this volume; may be given several times
    #[arg(long = "volume", value_name = "NAME")]
    pub(crate) volumes: Vec<String>,
    /// How to write a volume
    #[arg(long = "as", value_enum, default_value_t = Form::Dir, value_name = "FORM")]
    pub(crate) form: Form,
    /// How many files to copy at a time; by default one for each processor, 8 at most. A tar file is
    /// written one by one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) jobs: Option<u8>,
}

/// How a volume is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A directory; owners, devices and some attributes need root
    Dir,
    /// A tar file; keeps everything, also without root
    Tar,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Volume {
    /// The volumes, and whether their data is here
    Ls {
        /// Disk image, block device or directory
        source: PathBuf,
    },
    /// What `docker volume inspect` would print
    Inspect {
        /// Disk image, block device or directory
        source: PathBuf,
        /// Names of volumes
        #[arg(required = true)]
        volumes: Vec<String>,
    },
    /// Copy a volume, or a file or directory of one, out
    Cp {
        /// Disk image, block device or directory
        source: PathBuf,
        /// VOLUME or VOLUME:PATH
        volume: OsString,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Fs {
    /// List a directory
    Ls {
        /// Disk image, block device or directory
        source: PathBuf,
        /// A path of the file system inside
        #[arg(default_value = "/")]
        path: OsString,
        /// Also what lies in the directories below
        #[arg(long, short)]
        recursive: bool,
    },
    /// Everything known about a file: kind, owner, times, attributes, ranges of data
    Stat {
        /// Disk image, block device or directory
        source: PathBuf,
        /// A path of the file system inside
        path: OsString,
    },
    /// Write a file's content to standard output
    Cat {
        /// Disk image, block device or directory
        source: PathBuf,
        /// A path of the file system inside
        path: OsString,
    },
    /// Copy a file or directory out
    Cp {
        /// Disk image, block device or directory
        source: PathBuf,
        /// A path of the file system inside
        path: OsString,
        #[command(flatten)]
        target: Target,
    },
}

/// Where `cp` writes to.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// A new path, an existing directory to copy into, or `-` for a tar archive on standard output
    pub(crate) dest: PathBuf,
    /// Overwrite an existing file
    #[arg(long)]
    pub(crate) force: bool,
}
