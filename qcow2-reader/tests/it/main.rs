//! Tests of the crate as its users see it. Where an image comes from qemu-img, qemu-img also says what it holds.

#[path = "../../../testdata/support.rs"]
mod support;

mod builder;
mod compressed;
mod faults;
mod hostile;
mod kinds;
mod layout;
mod mutations;
mod options;
mod oracle;
