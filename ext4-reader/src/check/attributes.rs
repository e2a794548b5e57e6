use super::{Checker, damage_of};
use crate::finding::{Amount, Cost};
use crate::{Inode, ReadAt};

impl<S: ReadAt> Checker<'_, S> {
    pub(super) fn attributes(&mut self, inode: &Inode) {
        if inode.attribute_block != 0 {
            self.claims.add_attributes(inode.attribute_block);
        }
        let Err(error) = self.filesystem.xattrs(inode) else { return };
        if let Some(damage) = damage_of(error, "attributes", inode.offset) {
            self.find(damage.of_inode(inode.number()), Cost::Attributes, Amount::files(1));
        }
    }
}
