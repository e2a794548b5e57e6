use std::collections::BTreeMap;

use crate::bytes::to_usize;
use crate::{FileKind, InodeNumber};

/// What is known of each inode, in a byte: it takes memory only around those that are in use.
#[derive(Debug, Default)]
pub(super) struct InodeStates(BTreeMap<u32, Box<[State; CHUNK]>>);

const CHUNK: usize = 1024;
const CHUNK_INODES: u32 = 1024;

/// What is known of an inode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct State(u8);

impl State {
    /// The file system keeps in it what is no file of its own.
    pub(super) const HIDDEN: Self = Self(1 << 3);
    /// A path leads to it.
    pub(super) const REACHED: Self = Self(1 << 4);
    /// A directory that no path leads to has it.
    pub(super) const HELD: Self = Self(1 << 5);
    /// There is a finding about it.
    pub(super) const DAMAGED: Self = Self(1 << 6);
    /// A part of its content cannot be read.
    pub(super) const INCOMPLETE: Self = Self(1 << 7);

    pub(super) fn in_use(kind: FileKind) -> Self {
        Self(match kind {
            FileKind::Regular => 1,
            FileKind::Directory => 2,
            FileKind::Symlink => 3,
            FileKind::Fifo => 4,
            FileKind::CharDevice => 5,
            FileKind::BlockDevice => 6,
            FileKind::Socket => 7,
        })
    }

    /// `None` if the inode is not in use.
    pub(super) fn kind(self) -> Option<FileKind> {
        Some(match self.0 & 7 {
            1 => FileKind::Regular,
            2 => FileKind::Directory,
            3 => FileKind::Symlink,
            4 => FileKind::Fifo,
            5 => FileKind::CharDevice,
            6 => FileKind::BlockDevice,
            7 => FileKind::Socket,
            _ => return None,
        })
    }

    pub(super) fn is_in_use(self) -> bool {
        self.kind().is_some()
    }

    pub(super) fn is(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    pub(super) fn and(self, flag: Self) -> Self {
        Self(self.0 | flag.0)
    }
}

impl InodeStates {
    pub(super) fn find(&self, number: InodeNumber) -> State {
        let chunk = self.0.get(&(number.0 / CHUNK_INODES));
        chunk.and_then(|chunk| chunk.get(within(number))).copied().unwrap_or_default()
    }

    /// Adds flags, or the first state, and returns what was known before.
    pub(super) fn add(&mut self, number: InodeNumber, more: State) -> State {
        let chunk =
            self.0.entry(number.0 / CHUNK_INODES).or_insert_with(|| Box::new([State::default(); CHUNK]));
        let Some(state) = chunk.get_mut(within(number)) else { return State::default() };
        let before = *state;
        *state = before.and(more);
        before
    }

    /// All that something is known of, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (InodeNumber, State)> + '_ {
        let chunks = self.0.iter();
        chunks.flat_map(|(&chunk, states)| {
            let numbers = chunk.saturating_mul(CHUNK_INODES)..;
            let known = numbers.zip(states.iter()).filter(|(_, state)| **state != State::default());
            known.map(|(number, state)| (InodeNumber(number), *state))
        })
    }
}

fn within(number: InodeNumber) -> usize {
    to_usize(u64::from(number.0 % CHUNK_INODES))
}
