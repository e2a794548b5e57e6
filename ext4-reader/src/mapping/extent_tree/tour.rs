//! Every node and every extent of a tree.

use std::ops::Range;

use super::{END, Entry, Node, NodeBytes};
use crate::device::BlockDevice;
use crate::mapping::tour::{Budget, Part, damaged};
use crate::mapping::{Run, RunKind};
use crate::units::FileBlock;
use crate::{Inode, ReadAt};

/// See [`crate::mapping::tour::tour`].
pub(crate) fn tour<S: ReadAt>(
    device: &BlockDevice<S>,
    inode: &Inode,
    budget: &mut Budget,
    visit: &mut dyn FnMut(Part),
) {
    let root = Node::new(NodeBytes::Borrowed(&inode.i_block), inode.offset);
    match root.verify() {
        Ok(()) => Tour { device, inode, budget, visit }.node(&root, 0..END),
        Err(error) => visit(damaged(0..END, error, inode)),
    }
}

struct Tour<'a, S> {
    device: &'a BlockDevice<S>,
    inode: &'a Inode,
    budget: &'a mut Budget,
    visit: &'a mut dyn FnMut(Part),
}

impl<S: ReadAt> Tour<'_, S> {
    /// `covers` is what the nodes above lead to this one for. Each turn into a child is one level down, of which there are
    /// six at most.
    fn node(&mut self, node: &Node<'_>, covers: Range<FileBlock>) {
        for position in 0..node.entries {
            let Some(entry) = node.entry(position) else { return };
            let next = node.entry(position.saturating_add(1)).map_or(covers.end, |next| next.first);
            if node.depth == 0 {
                self.extent(node, &entry, &covers);
            } else {
                let reach = entry.first.max(covers.start)..next.min(covers.end);
                self.child(node, &entry, reach);
            }
        }
    }

    fn child(&mut self, node: &Node<'_>, index: &Entry, reach: Range<FileBlock>) {
        if !self.budget.spend() {
            return;
        }
        let block = index.child();
        match Node::read(self.device, self.inode, block) {
            Ok(child) if child.depth.checked_add(1) == Some(node.depth) => {
                (self.visit)(Part::Node(block));
                if child.entries == 0 {
                    self.lost(reach, child.corrupt("it has no entries"));
                } else {
                    self.node(&child, reach);
                }
            }
            Ok(child) => self.lost(reach, child.corrupt("its depth is wrong")),
            Err(error) => self.lost(reach, error),
        }
    }

    fn extent(&mut self, node: &Node<'_>, extent: &Entry, covers: &Range<FileBlock>) {
        let end = extent.first.saturating_add(extent.len());
        let reached = extent.first.max(covers.start)..end.min(covers.end);
        if extent.len() == 0 {
            self.lost(extent.first..extent.first, node.corrupt("an extent has no length"));
        }
        for unreached in [extent.first..covers.start.min(end), covers.end.max(extent.first)..end] {
            if !unreached.is_empty() {
                let detail = "an extent lies where the nodes above do not lead to";
                self.lost(unreached, node.corrupt(detail));
            }
        }
        let Some(run) = extent.run_from(reached.start).filter(|_| !reached.is_empty()) else { return };
        let blocks = run.blocks.min(reached.end.saturating_sub(run.first));
        match run.kind {
            RunKind::Data(start) | RunKind::Unwritten(start) if !self.device.holds(start, blocks) => {
                let detail =
                    format!("an extent of {blocks} blocks from block {} leaves the file system", start.0);
                self.lost(reached, node.corrupt(detail));
            }
            kind => (self.visit)(Part::Run(Run { first: run.first, blocks, kind })),
        }
    }

    fn lost(&mut self, range: Range<FileBlock>, error: crate::Error) {
        (self.visit)(damaged(range, error, self.inode));
    }
}
