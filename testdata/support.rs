//! What the tests of every crate share. A test binary takes it in with
//! `#[path = "../../../testdata/support.rs"] mod support;`, so that no crate depends on another for its tests.
#![allow(dead_code, unreachable_pub, unused_macros, unused_imports)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Whether the lack of a tool fails a test instead of skipping it.
pub fn all_required() -> bool {
    std::env::var_os("RESCUE_TESTS").is_some_and(|value| value == "all")
}

/// Returns from the test with `skipped: needs X` unless every named need is met. A need is the name of a program,
/// or `root`, `loop` (loop mounts) or `fuse`. With `RESCUE_TESTS=all` an unmet need fails the test.
macro_rules! needs {
    ($($need:expr),+ $(,)?) => {
        for need in [$($need),+] {
            if !$crate::support::has(need) {
                assert!(!$crate::support::all_required(), "needs {need}, and RESCUE_TESTS=all");
                eprintln!("skipped: needs {need}");
                return;
            }
        }
    };
}
pub(crate) use needs;

/// Whether this machine has `need`, in the words of [`needs!`].
pub fn has(need: &str) -> bool {
    match need {
        "root" => is_root(),
        "loop" => is_root() && Path::new("/dev/loop-control").exists(),
        "fuse" => Path::new("/dev/fuse").exists(),
        program => find_program(program).is_some(),
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

/// Where programs are looked for: in the system folders too, which an ordinary user's `PATH` often lacks.
fn program_folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).collect()
}

fn find_program(name: &str) -> Option<PathBuf> {
    program_folders().into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Runs a program to its end and returns its output; the test fails if the program does.
pub fn run<I, S>(program: &str, args: I) -> Vec<u8>
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    let program = find_program(program).unwrap_or_else(|| PathBuf::from(program));
    let out =
        Command::new(&program).args(args).output().unwrap_or_else(|e| panic!("{}: {e}", program.display()));
    assert!(out.status.success(), "{} failed: {}", program.display(), String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// Runs a shell script (`sh -eu`) with positional arguments; the test fails if the script does.
pub fn sh<I, S>(script: &str, args: I) -> Vec<u8>
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    let path = std::env::join_paths(program_folders()).expect("folders of PATH");
    let mut shell = Command::new("sh");
    let out: Output =
        shell.env("PATH", path).args(["-euc", script, "sh"]).args(args).output().expect("sh runs");
    assert!(out.status.success(), "script failed: {}\n{script}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// The folder `testdata/` of the repository.
pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata")
}

/// A kernel mount of a disk image through a loop device, read-only unless asked otherwise; unmounted on drop.
pub struct LoopMount {
    folder: PathBuf,
}

impl LoopMount {
    /// Mounts `image` at a new folder beside it. `options` are mount's own, such as `ro,noload`.
    pub fn new(image: &Path, options: &str) -> Self {
        let mut folder = image.as_os_str().to_owned();
        folder.push(".mnt");
        let folder = PathBuf::from(folder);
        std::fs::create_dir_all(&folder).expect("mount point");
        let options = format!("loop,{options}");
        run("mount", ["-o".as_ref(), options.as_ref(), image.as_os_str(), folder.as_os_str()]);
        Self { folder }
    }

    /// Where the file system is mounted.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for LoopMount {
    fn drop(&mut self) {
        let umount = |options: &[&str]| {
            let output = Command::new("umount").args(options).arg(&self.folder).output();
            output.is_ok_and(|out| out.status.success())
        };
        // A program that another test is starting may hold a file of this mount for a moment.
        let mut tries = 0;
        while !umount(&[]) {
            tries += 1;
            if tries == 50 {
                umount(&["-l"]);
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ = std::fs::remove_dir(&self.folder);
    }
}

/// A small deterministic generator of numbers (xorshift64*), for reproducible test data.
pub struct Numbers(u64);

impl Numbers {
    /// Starts the sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }

    /// `len` bytes that do not compress.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| u8::try_from(self.below(256)).expect("below 256")).collect()
    }
}
