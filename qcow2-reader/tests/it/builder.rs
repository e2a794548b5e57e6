//! Images made by hand, byte by byte: what no writer writes.

/// A version 3 image with one L2 table: header at cluster 0, L1 table at 1, L2 table at 2, data from 3 on.
pub(crate) struct Builder {
    pub(crate) bytes: Vec<u8>,
    cluster_bits: u32,
}

pub(crate) const L1: usize = 1;
pub(crate) const L2: usize = 2;
pub(crate) const DATA: usize = 3;

/// Marks a cluster as the only reference to its host cluster, as writers do.
pub(crate) const COPIED: u64 = 1 << 63;
pub(crate) const COMPRESSED: u64 = 1 << 62;

impl Builder {
    /// An image of `clusters` guest clusters, none of them allocated.
    pub(crate) fn new(cluster_bits: u32, clusters: u64) -> Self {
        let mut image = Self { bytes: vec![0; (DATA) << cluster_bits], cluster_bits };
        image.put(0, b"QFI\xfb");
        image.put_u32(4, 3);
        image.put_u32(20, cluster_bits);
        image.put_u64(24, clusters << cluster_bits);
        image.put_u32(36, 1);
        image.put_u64(40, image.cluster(L1));
        image.put_u32(96, 4);
        image.put_u32(100, 104);
        image.l1_entry(COPIED | image.cluster(L2));
        image
    }

    /// The host offset of a cluster.
    pub(crate) fn cluster(&self, number: usize) -> u64 {
        (number as u64) << self.cluster_bits
    }

    pub(crate) fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn put_u32(&mut self, at: usize, value: u32) {
        self.put(at, &value.to_be_bytes());
    }

    pub(crate) fn put_u64(&mut self, at: usize, value: u64) {
        self.put(at, &value.to_be_bytes());
    }

    pub(crate) fn l1_entry(&mut self, entry: u64) {
        self.put_u64(L1 << self.cluster_bits, entry);
    }

    pub(crate) fn l2_entry(&mut self, index: usize, entry: u64) {
        self.put_u64((L2 << self.cluster_bits) + index * 8, entry);
    }

    /// Appends a cluster filled with `byte` and maps guest cluster `index` to it.
    pub(crate) fn data(&mut self, index: usize, byte: u8) {
        let host = self.bytes.len() as u64;
        self.bytes.resize(self.bytes.len() + (1 << self.cluster_bits), byte);
        self.l2_entry(index, COPIED | host);
    }

    /// Appends a compressed stream, padded to `sectors` sectors, and maps guest cluster `index` to it.
    pub(crate) fn compressed(&mut self, index: usize, stream: &[u8], sectors: u64) {
        let host = self.bytes.len() as u64;
        self.bytes.extend_from_slice(stream);
        self.l2_entry(index, COMPRESSED | ((sectors - 1) << (70 - self.cluster_bits)) | host);
    }
}
