use std::path::PathBuf;

use super::Note;

/// What is learnt on the way of opening an image.
#[derive(Default)]
pub(super) struct Opened {
    pub(super) notes: Vec<Note>,
    pub(super) also_read: Vec<PathBuf>,
}
