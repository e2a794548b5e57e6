use data_root_reader::Volume;

use crate::recover::unknown_volume;
use crate::{Error, Result, Source};

/// The volume of a name, in whichever data root of a source it is.
///
/// Fails with [`Error::UnknownVolume`], which names the nearest ones, if there is none, and with [`Error::Ambiguous`] if
/// several data roots have one.
pub fn find_volume(source: &Source, name: &str) -> Result<Volume> {
    let mut others = Vec::new();
    let mut found = Vec::new();
    for root in source.data_roots()? {
        for volume in root.data_root.volumes().list {
            if volume.name == name {
                found.push((root.data_root.display_path(), volume));
            } else {
                others.push(volume.name);
            }
        }
    }
    if found.len() > 1 {
        let choices = found.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>().join(", ");
        let what = "several data roots have a volume of that name";
        return Err(Error::Ambiguous { what, choices, option: "--data-root PATH" });
    }
    found
        .pop()
        .map(|(_, volume)| volume)
        .ok_or_else(|| unknown_volume(name, others.iter().map(String::as_str)))
}
