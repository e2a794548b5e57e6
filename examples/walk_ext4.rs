//! Lists what an ext2, ext3 or ext4 file system holds, like `ls -lR`, without mounting it:
//!
//! ```sh
//! cargo run -p docker-rescue-examples --example walk_ext4 -- DISK [BYTE_OFFSET_OF_THE_PARTITION]
//! ```

use std::error::Error;
use std::fs::File;
use std::io::{Write, stdout};

use ext4_reader::{FileKind, Inode, OpenOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let disk = arguments.next().ok_or("usage: walk_ext4 DISK [BYTE_OFFSET_OF_THE_PARTITION]")?;
    let offset = arguments.next().map_or(Ok(0), |text| text.to_string_lossy().parse())?;

    let fs = OpenOptions::new().offset(offset).open(File::open(disk)?)?;
    let mut out = stdout().lock();
    let journal = fs.journal_state();
    if journal.is_out_of_date() {
        writeln!(out, "not all that was written last could be read from the journal: {journal:?}")?;
    }
    for entry in fs.walk(&fs.root()?) {
        // A damaged directory or inode is one error among the entries, not the end of them.
        match entry {
            Ok(entry) => {
                writeln!(out, "{} /{}", describe(&entry.inode), String::from_utf8_lossy(&entry.path))?;
            }
            Err(error) => writeln!(out, "unreadable: {error}")?,
        }
    }
    Ok(())
}

fn describe(inode: &Inode) -> String {
    let kind = match inode.kind() {
        FileKind::Regular => '-',
        FileKind::Directory => 'd',
        FileKind::Symlink => 'l',
        FileKind::Fifo => 'p',
        FileKind::CharDevice => 'c',
        FileKind::BlockDevice => 'b',
        FileKind::Socket => 's',
    };
    format!(
        "{kind}{:04o} {:>3} {:>6}:{:<6} {:>12} {:>11}",
        inode.mode(),
        inode.links(),
        inode.uid(),
        inode.gid(),
        inode.size(),
        inode.modified().seconds
    )
}
