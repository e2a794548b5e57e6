use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::compressed::CompressedEntry;

/// The compressed clusters that were decoded last, the latest first.
pub(crate) struct Recent {
    clusters: Mutex<VecDeque<(CompressedEntry, Arc<Vec<u8>>)>>,
    capacity: usize,
}

impl Recent {
    /// A search passes all clusters, so more than these would cost more than they save.
    const AT_MOST: usize = 64;

    pub(crate) fn new(capacity: usize) -> Self {
        Self { clusters: Mutex::default(), capacity: capacity.min(Self::AT_MOST) }
    }

    pub(crate) fn find(&self, entry: CompressedEntry) -> Option<Arc<Vec<u8>>> {
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        let index = clusters.iter().position(|(of, _)| *of == entry)?;
        let found = clusters.remove(index)?;
        let cluster = Arc::clone(&found.1);
        clusters.push_front(found);
        Some(cluster)
    }

    pub(crate) fn insert(&self, entry: CompressedEntry, cluster: Arc<Vec<u8>>) {
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        clusters.push_front((entry, cluster));
        clusters.truncate(self.capacity);
    }
}
