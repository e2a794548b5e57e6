//! A medium that fails once costs what it hit, and nothing afterwards.

use std::cell::Cell;
use std::io;

use ext4_reader::{Error, Ext4, OpenOptions, ReadAt};

use crate::{fixtures, manifest};

/// Fails the read whose turn it is, then works again.
struct FailsOnce<'a> {
    image: &'a [u8],
    reads_until_failure: Cell<Option<u32>>,
}

impl ReadAt for FailsOnce<'_> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        match self.reads_until_failure.get() {
            Some(0) => {
                self.reads_until_failure.set(None);
                Err(io::Error::other("bad sector"))
            }
            left => {
                self.reads_until_failure.set(left.map(|left| left - 1));
                self.image.read_exact_at(buf, offset)
            }
        }
    }

    fn size(&self) -> io::Result<u64> {
        self.image.size()
    }
}

#[test]
fn a_failed_read_is_an_error_and_leaves_no_trace() {
    for name in fixtures::ALL {
        let image = fixtures::image(name);
        let whole = outcomes(&Ext4::open(&image[..]).expect("a file system"));
        let whole: Vec<_> = whole.into_iter().map(|outcome| outcome.expect("a whole image")).collect();
        let mut failures = 0;
        for turn in 0.. {
            let source = FailsOnce { image: &image, reads_until_failure: Cell::new(Some(turn)) };
            // With the smallest cache most calls read.
            let fs = match OpenOptions::new().cache_bytes(0).open(&source) {
                Ok(fs) => fs,
                Err(error) => {
                    assert!(is_of_the_medium(&error), "{name}, read {turn}: {error}");
                    continue;
                }
            };
            let hit = outcomes(&fs);
            if source.reads_until_failure.get().is_some() {
                assert!(failures > 10, "{name}: only {failures} reads failed");
                break;
            }
            failures += 1;
            for (hit, whole) in hit.iter().zip(&whole) {
                match hit {
                    Ok(hit) => assert_eq!(hit, whole, "{name}, read {turn}"),
                    Err(error) => assert!(is_of_the_medium(error), "{name}, read {turn}: {error}"),
                }
            }
            if turn % 16 == 0 {
                manifest::assert_same(name, &manifest::of(&fs), &fixtures::truth(name));
            }
        }
    }
}

fn is_of_the_medium(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.to_string() == "bad sector")
}

/// One call of each sort, each on its own: what it said, as text.
fn outcomes<S: ReadAt>(fs: &Ext4<S>) -> Vec<Result<String, Error>> {
    let mut buf = [0; 3000];
    let mut outcomes = vec![
        Ok(format!("{:?}", fs.journal_state())),
        fs.lookup("/link").map(|inode| format!("{inode:?}")),
        fs.lookup("/a/b/c/deep").map(|inode| format!("{inode:?}")),
        fs.symlink_lookup("/long-link")
            .and_then(|link| fs.read_link(&link))
            .map(|target| format!("{target:?}")),
        fs.lookup("/many/another").map(|inode| format!("{inode:?}")).or_else(|error| match error {
            Error::NotFound => Ok("not found".to_owned()),
            other => Err(other),
        }),
        fs.lookup("/attributes").and_then(|inode| fs.xattrs(&inode)).map(|xattrs| format!("{xattrs:?}")),
        fs.lookup("/sparse")
            .and_then(|inode| fs.read_at(&inode, &mut buf, 300 << 10))
            .map(|count| format!("{count} {:?}", &buf[..count])),
    ];
    for path in ["/", "/many", "/a"] {
        let names = fs.lookup(path).and_then(|folder| {
            fs.read_dir(&folder)?.map(|entry| entry.map(|entry| entry.name)).collect::<Result<Vec<_>, _>>()
        });
        outcomes.push(names.map(|names| format!("{names:?}")));
    }
    let extents = fs.lookup("/sparse").and_then(|inode| fs.extents(&inode)?.collect::<Result<Vec<_>, _>>());
    outcomes.push(extents.map(|extents| format!("{extents:?}")));
    outcomes.push(
        fs.root()
            .and_then(|root| fs.walk(&root).map(|e| e.map(|e| e.path)).collect::<Result<Vec<_>, _>>())
            .map(|paths| format!("{paths:?}")),
    );
    outcomes
}
