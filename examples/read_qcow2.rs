//! Writes the guest's disk inside a qcow2 image to a sparse raw file, with its chain of backing files.
//!
//! ```sh
//! cargo run --release --example read_qcow2 -- Docker.qcow2 disk.raw
//! ```

use std::error::Error;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use qcow2_reader::{Backing, ExtentKind, Header, OpenOptions, Qcow2, ReadAt};

const STEP: u64 = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let [_, image, raw] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: read_qcow2 IMAGE RAW".into());
    };
    let image = open_chain(Path::new(image), 8)?;
    let mut raw = File::create_new(raw)?;
    let mut offset = 0;
    while offset < image.virtual_size() {
        let extent = image.extent_at(offset, STEP)?;
        // What the image has no bytes of stays a hole, and so do zeros from elsewhere.
        let has_backing = image.header().backing_name().is_some();
        if !(extent.kind == ExtentKind::Zero || (extent.kind == ExtentKind::Unallocated && !has_backing)) {
            let mut buf = vec![0; usize::try_from(extent.len)?];
            image.read_guest(&mut buf, offset)?;
            if buf.iter().any(|&byte| byte != 0) {
                raw.seek(SeekFrom::Start(offset))?;
                raw.write_all(&buf)?;
            }
        }
        offset += extent.len;
    }
    raw.set_len(image.virtual_size())?;
    Ok(())
}

/// Opens the backing files that the images name: do so only with images that you trust.
fn open_chain(path: &Path, depth: u32) -> Result<Qcow2<File>, Box<dyn Error>> {
    let file = File::open(path)?;
    let header = Header::read(&file)?;
    let Some(name) = header.backing_name() else { return Ok(Qcow2::open(file)?) };
    let backing_path = path.with_file_name(str::from_utf8(name)?);
    let backing: Box<dyn ReadAt + Send + Sync> = match header.backing_format() {
        Some("raw") => Box::new(File::open(backing_path)?),
        Some("qcow2") if depth > 0 => Box::new(open_chain(&backing_path, depth - 1)?),
        format => return Err(format!("backing file of format {format:?}, or a chain too deep").into()),
    };
    Ok(OpenOptions::new().backing(Backing::Source(backing)).open(file)?)
}
