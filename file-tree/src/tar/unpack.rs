use std::io::Read;
use std::path::Path;

use super::{MemberKind, TarLimits, TarMember, TarReader};
use crate::directory::{DirectoryOptions, DirectoryWriter};
use crate::{Attributes, Control, Error, Event, FileKind, Report, Result};

/// How an archive is unpacked.
#[derive(Debug, Clone, Default)]
pub struct UnpackOptions {
    /// How the directory is written.
    pub directory: DirectoryOptions,
    /// How much the archive may ask for.
    pub limits: TarLimits,
}

/// Unpacks a tar archive into a directory, which is created or must be empty, in one pass.
///
/// A leading `/` and `.` components of a path are dropped, as GNU tar does; a path with `..` fails, and so does a
/// hard link to a file that did not come before. A later member replaces an earlier one of the same path.
///
/// Entries that cannot be written do not stop the work. An archive that is damaged, ends too early or exceeds a
/// limit does, as do cancellation and a full disk: the report tells why ([`Report::stopped`],
/// [`Report::cancelled`]), and what it counts was written. Fails only before anything is written.
pub fn unpack_tar(
    archive: impl Read,
    destination: &Path,
    options: &UnpackOptions,
    control: &Control<'_>,
) -> Result<Report> {
    let mut unpacking = Unpacking {
        reader: TarReader::new(archive, options.limits.clone()),
        writer: DirectoryWriter::create(destination, &options.directory)?,
        buffer: vec![0; 256 << 10],
        control,
    };
    let outcome = unpacking.all();
    Ok(unpacking.writer.finish_after(outcome))
}

struct Unpacking<'a, R> {
    reader: TarReader<R>,
    writer: DirectoryWriter,
    buffer: Vec<u8>,
    control: &'a Control<'a>,
}

/// What went wrong with a member: whether others can follow.
enum Trouble {
    /// With this entry alone.
    Entry(Error),
    /// With the archive or the disk.
    End(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        if error.ends_work() { Self::End(error) } else { Self::Entry(error) }
    }
}

impl<R: Read> Unpacking<'_, R> {
    fn all(&mut self) -> Result<()> {
        while let Some(member) = self.reader.next_member()? {
            self.control.check()?;
            self.control.tell(Event::Entry(&member.path));
            match self.member(&member) {
                Ok(()) => {}
                Err(Trouble::Entry(error)) => self.writer.report.fail(&member.path, &error),
                Err(Trouble::End(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn member(&mut self, member: &TarMember) -> Result<(), Trouble> {
        let path = beneath(&member.path)?;
        let attributes = Attributes { metadata: &member.metadata, xattrs: &member.xattrs };
        let kind = match member.kind {
            MemberKind::File(kind) => kind,
            MemberKind::HardLink => return Ok(self.writer.hard_link(&path, &beneath(&member.link_path)?)?),
            // The label of the archive.
            MemberKind::Unknown(b'V') => return Ok(()),
            MemberKind::Unknown(type_flag) => {
                let what = format!("the member type {:?}", char::from(type_flag));
                return Err(Trouble::Entry(Error::Unsupported(what)));
            }
        };
        match kind {
            FileKind::Directory => self.writer.create_directory(&path, &attributes)?,
            FileKind::Regular => self.file(&path, &attributes)?,
            FileKind::Symlink => self.writer.create_symlink(&path, &member.link_path, &attributes)?,
            FileKind::Fifo | FileKind::CharDevice | FileKind::BlockDevice | FileKind::Socket => {
                self.writer.create_special(&path, &attributes)?;
            }
        }
        if let Some(acl) = &member.foreign_acl {
            let error =
                Error::Unsupported(format!("the ACL {acl}, which names users without their numbers,"));
            self.writer.report.damage(&path, 0, 0, &error);
        }
        Ok(())
    }

    fn file(&mut self, path: &[u8], attributes: &Attributes<'_>) -> Result<(), Trouble> {
        let mut new = self.writer.create_file(path)?;
        loop {
            let written = match self.reader.read_content(&mut self.buffer).map_err(Trouble::End) {
                Ok(None) => return Ok(self.writer.finish_file(new, attributes)?),
                Ok(Some(piece)) => {
                    let len = usize::try_from(piece.len).unwrap_or(usize::MAX);
                    let data = self.buffer.get(..len).unwrap_or_default();
                    self.control.tell(Event::Bytes(piece.len));
                    self.control
                        .check()
                        .and_then(|()| new.write_at(data, piece.offset))
                        .map_err(Trouble::from)
                }
                Err(trouble) => Err(trouble),
            };
            if let Err(trouble) = written {
                self.writer.abandon_file(new);
                return Err(trouble);
            }
        }
    }
}

/// The path below the destination that a path in an archive means.
fn beneath(path: &[u8]) -> Result<Vec<u8>> {
    let mut components = path.split(|&byte| byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    if components.clone().any(|part| part == b"..") {
        return Err(Error::Unsupported("a path with `..` in an archive".to_owned()));
    }
    Ok(components.by_ref().collect::<Vec<_>>().join(&b'/'))
}
