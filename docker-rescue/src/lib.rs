#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod check;
mod copy_out;
pub mod disk;
mod error;
mod ext4_tree;
mod find_volume;
mod known_places;
mod landing;
mod one_file;
mod path;
pub mod recover;
mod source;

pub use copy_out::{Overwrite, copy_out, copy_out_as_tar};
pub use error::{Error, Result, in_one_line};
pub use ext4_tree::Ext4Tree;
pub use find_volume::find_volume;
pub use known_places::{Folders, FoundDisk, KnownPlace};
pub use path::{LastLink, lookup};
pub use source::{Content, FoundDataRoot, Part, Source, SourceOptions};

pub use {
    data_root_reader as data_root, ext4_reader as ext4, file_tree, image_unpacker as image,
    qcow2_reader as qcow2, volume_snapshot as snapshot,
};
