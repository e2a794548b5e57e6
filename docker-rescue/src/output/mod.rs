//! What people and programs get to see.

pub(crate) mod json;
pub(crate) mod message;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod time;
