use super::bitmap::{inode_is_used, used_blocks};
use crate::mapping::{RunKind, inline, next_run};
use crate::{Ext4, Inode, ReadAt, Result};

/// What remains of the content of a deleted file; see [`Ext4::remains`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remains {
    /// All: the file lost its last name while it was open, and its storage was not freed yet.
    Held,
    /// Perhaps all: its storage is free. Another file may have had it in between.
    Free,
    /// Some: other files have taken these many bytes of its storage.
    Taken {
        /// How much of what the file had now holds something else.
        bytes: u64,
    },
    /// None that can be found: where it lay is not known any more. Kernels clear that as they delete.
    Unmapped,
}

pub(crate) fn remains<S: ReadAt>(filesystem: &Ext4<S>, inode: &Inode) -> Result<Remains> {
    if inode_is_used(filesystem, inode.number())? {
        return Ok(Remains::Held);
    }
    if inode.size() > 0 && (inline::is_inline(inode) || filesystem.is_fast_link(inode)) {
        return Ok(Remains::Free);
    }
    let device = filesystem.device();
    let block_size = device.block_size();
    let end = block_size.blocks_for(inode.size());
    let (mut mapped, mut taken, mut position) = (0_u64, 0_u64, 0);
    // No file has more blocks than there are; maps that repeat theirs would keep us here for long.
    while mapped.saturating_add(taken) <= device.present_blocks()
        && let Some(run) = next_run(device, inode, position).filter(|run| run.first < end)
    {
        match run.kind {
            RunKind::Data(start) => {
                mapped = mapped.saturating_add(run.blocks);
                taken = taken.saturating_add(used_blocks(filesystem, start, run.blocks)?);
            }
            RunKind::Unwritten(_) => mapped = mapped.saturating_add(run.blocks),
            // A block of pointers was used for something else since.
            RunKind::Damaged(_) => {
                taken = taken.saturating_add(run.blocks.min(end.saturating_sub(run.first)));
            }
        }
        position = run.first.saturating_add(run.blocks);
    }
    Ok(match (mapped, taken) {
        (0, _) => Remains::Unmapped,
        (_, 0) => Remains::Free,
        (_, taken) => Remains::Taken { bytes: block_size.offset_of(taken) },
    })
}
