//! Paths lead where the kernel would lead, were the file system's root its own.

use ext4_reader::{Error, Ext4, FileKind, Inode};

use crate::image::Image;
use crate::support::{needs, run, sh};

/// A chroot is the kernel's word for "the root of the file system is `/`".
#[test]
fn paths_resolve_as_in_a_chroot() {
    needs!("mke2fs", "loop", "python3");
    let image = Image::new("-t ext4 -b 4096");
    let mount = image.mount("rw");
    sh(
        "cd \"$1\"; mkdir -p a/b/c target/inside; echo 1 >a/file; echo 2 >target/inside/file
        ln -s a/b relative; ln -s /a/b absolute; ln -s ../../target a/b/up; ln -s ../../../../../a above
        ln -s self self; ln -s ping pong; ln -s pong ping; ln -s nowhere dangling; ln -s a/file to-file; ln -s . here
        ln -s //a//b/./c/ untidy; ln -s c a/b/d; ln -s relative/d twice; ln -s /target/inside a/b/c/rooted
        ln -s a s0; i=1; while [ $i -le 41 ]; do ln -s s$((i-1)) s$i; i=$((i+1)); done",
        [mount.path()],
    );
    let paths = "/ . .. // /a a /a/ /a/b/../file /a/file /a/file/ /a/file/. /a/file/.. /a/b/.. /relative/c /relative/..
        /absolute/c /absolute /absolute/ /a/b/up/inside/file /above/file /self /self/x /ping /dangling /dangling/x
        /to-file /to-file/ /to-file/x /here/here/here/a /untidy /twice /twice/.. /../../a /absent/../a /a//b///c /a/b/c/rooted/file /a/b/c/rooted
        /absent /a/absent /s38 /s39 /s40 /s41";
    let long = [format!("/{}", "x".repeat(255)), format!("/{}", "x".repeat(256))];
    let paths: Vec<String> = paths.split_whitespace().map(str::to_owned).chain(long).collect();
    // A name too long for any directory is in none.
    let script = "import errno, os, sys\n\
        os.chroot(sys.argv[1]); os.chdir('/')\n\
        for path in sys.argv[2:]:\n\
        \tfor stat in os.stat, os.lstat:\n\
        \t\ttry: print(stat(path).st_ino)\n\
        \t\texcept OSError as error: print(errno.errorcode[error.errno].replace('ENAMETOOLONG', 'ENOENT'))\n";
    let arguments = ["-c".to_owned(), script.to_owned(), mount.path().display().to_string()];
    let theirs = String::from_utf8(run("python3", arguments.iter().chain(&paths))).expect("ASCII");
    drop(mount);

    let fs = image.open();
    let theirs: Vec<_> = theirs.lines().collect();
    assert_eq!(theirs.len(), 2 * paths.len());
    for (path, theirs) in paths.iter().zip(theirs.chunks(2)) {
        assert_eq!([answer(fs.lookup(path)), answer(fs.symlink_lookup(path))], theirs, "{path}");
    }
}

/// In the words of `script`.
fn answer(found: Result<Inode, Error>) -> String {
    match found {
        Ok(inode) => inode.number().to_string(),
        Err(Error::NotFound) => "ENOENT".to_owned(),
        Err(Error::NotADirectory) => "ENOTDIR".to_owned(),
        Err(Error::SymlinkLoop) => "ELOOP".to_owned(),
        Err(other) => other.to_string(),
    }
}

#[test]
fn walk_meets_every_file_once() {
    needs!("mke2fs", "python3", "loop");
    let image = Image::new("-t ext4 -b 1024 -O inline_data");
    image.populate(900);
    let fs = image.open();
    let root = fs.root().expect("root");
    let mut walked: Vec<_> = fs.walk(&root).map(|entry| entry.expect("entry").path).collect();
    let mut tree: Vec<_> =
        crate::manifest::tree(&fs).into_iter().map(|(path, _)| path).filter(|path| path != b".").collect();
    walked.sort();
    tree.sort();
    assert_eq!(walked, tree);
}

#[test]
fn a_file_system_can_be_read_by_many_threads_at_an_offset() {
    needs!("mke2fs", "python3", "loop");
    let image = Image::new("-t ext4 -b 4096");
    image.populate(700);
    let truth = image.kernel_manifest();
    let disk = [vec![0xee; 12_345], std::fs::read(image.path()).expect("image")].concat();
    let fs: Ext4<_> = ext4_reader::OpenOptions::new()
        .offset(12_345)
        .cache_bytes(1 << 16)
        .open(disk)
        .expect("a file system");
    assert_eq!(fs.lookup("/special/fifo-1").expect("fifo").kind(), FileKind::Fifo);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| crate::manifest::assert_same("thread", &crate::manifest::of(&fs), &truth));
        }
    });
}
