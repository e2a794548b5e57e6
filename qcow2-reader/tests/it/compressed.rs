//! Which compressed streams are accepted: those that qemu accepts.

use flate2::{Compress, FlushCompress};
use qcow2_reader::{Error, Qcow2};

use crate::builder::Builder;
use crate::support::Numbers;

const BITS: u32 = 12;
const CLUSTER: usize = 1 << BITS;

/// A cluster that compresses to about half.
fn content() -> Vec<u8> {
    let mut content = Numbers::new(3).bytes(CLUSTER / 2);
    content.resize(CLUSTER, b'x');
    content
}

fn deflate(content: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut stream = Vec::with_capacity(content.len() + 100);
    let mut compress = Compress::new(flate2::Compression::default(), false);
    compress.compress_vec(content, &mut stream, flush).expect("compresses");
    stream
}

fn read(builder: Builder) -> Result<Vec<u8>, Error> {
    let image = Qcow2::open(builder.bytes).expect("opens");
    let mut cluster = vec![0; CLUSTER];
    image.read_guest(&mut cluster, 0)?;
    // Bit by bit, the cluster comes out of the cache of decoded ones.
    for start in (0..CLUSTER).step_by(300) {
        let mut piece = vec![0; 300.min(CLUSTER - start)];
        image.read_guest(&mut piece, start as u64)?;
        assert_eq!(piece, cluster[start..start + piece.len()]);
    }
    Ok(cluster)
}

fn detail(result: Result<Vec<u8>, Error>) -> String {
    match result {
        Err(Error::Corrupt(corrupt)) => {
            assert_eq!(corrupt.structure(), "compressed cluster");
            assert_eq!(corrupt.guest_offset(), Some(0));
            corrupt.detail().to_owned()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn deflate_stream_need_not_have_its_final_block() {
    let content = content();
    for flush in [FlushCompress::Finish, FlushCompress::Sync] {
        let mut builder = Builder::new(BITS, 1);
        builder.compressed(0, &deflate(&content, flush), 5);
        assert_eq!(read(builder).expect("reads"), content);
    }
}

#[test]
fn sectors_may_reach_past_the_end_of_the_file() {
    let content = content();
    let mut builder = Builder::new(BITS, 1);
    builder.compressed(0, &deflate(&content, FlushCompress::Finish), 16);
    assert_eq!(read(builder).expect("reads"), content);
}

#[test]
fn bytes_behind_the_stream_are_of_no_account() {
    let content = content();
    let mut stream = deflate(&content, FlushCompress::Finish);
    stream.resize(CLUSTER * 2, 0xff);
    let mut builder = Builder::new(BITS, 1);
    builder.compressed(0, &stream, 16);
    assert_eq!(read(builder).expect("reads"), content);
}

#[test]
fn stream_longer_than_a_cluster_fills_the_cluster() {
    let mut builder = Builder::new(BITS, 1);
    builder.compressed(0, &deflate(&vec![7; 100 << 20], FlushCompress::Finish)[..8000], 16);
    assert_eq!(read(builder).expect("reads"), [7; CLUSTER]);
}

#[test]
fn stream_shorter_than_a_cluster_is_corrupt() {
    let mut builder = Builder::new(BITS, 1);
    builder.compressed(0, &deflate(&content()[..CLUSTER - 1], FlushCompress::Finish), 5);
    assert_eq!(detail(read(builder)), "it decodes to less than a cluster");
}

#[test]
fn stream_cut_off_by_the_end_of_the_file_is_corrupt() {
    let mut builder = Builder::new(BITS, 1);
    builder.compressed(0, &deflate(&content(), FlushCompress::Finish)[..1000], 5);
    assert_eq!(detail(read(builder)), "it decodes to less than a cluster");
}

#[test]
fn stream_beyond_the_end_of_the_file_is_corrupt() {
    let mut builder = Builder::new(BITS, 1);
    builder.compressed(0, &[], 5);
    assert_eq!(detail(read(builder)), "the cluster lies beyond the end of the file");
}

#[test]
fn damaged_deflate_stream_is_corrupt() {
    let mut builder = Builder::new(BITS, 2);
    builder.compressed(0, &[0xff; 2000], 4);
    builder.compressed(1, &deflate(&content(), FlushCompress::Finish), 6);
    let image = Qcow2::open(&builder.bytes).expect("opens");
    assert!(image.read_guest(&mut [0; CLUSTER], CLUSTER as u64).is_ok(), "its neighbour is not");
    assert_eq!(detail(read(builder)), "the deflate stream is damaged");
}

#[test]
fn unknown_compression_costs_compressed_clusters_only() {
    let mut builder = Builder::new(BITS, 2);
    builder.put(79, &[0b1000]);
    builder.put_u32(100, 112);
    builder.put(104, &[9]);
    builder.compressed(0, &[0; CLUSTER], 5);
    builder.data(1, 4);
    let image = Qcow2::open(builder.bytes).expect("opens");
    let error = image.read_guest(&mut [0; 1], 0).expect_err("unknown");
    assert_eq!(error.to_string(), "compression type 9 is not supported");
    assert!(image.read_guest(&mut [0; CLUSTER], CLUSTER as u64).is_ok());
}

#[cfg(feature = "zstd")]
mod zstd_frames {
    use super::*;

    fn image(stream: &[u8]) -> Builder {
        let mut builder = Builder::new(BITS, 1);
        builder.put(79, &[0b1000]);
        builder.put_u32(100, 112);
        builder.put(104, &[1]);
        builder.compressed(0, stream, 16);
        builder
    }

    fn frame(content: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(content, 3).expect("compresses")
    }

    #[test]
    fn frames_fill_the_cluster() {
        let content = content();
        assert_eq!(read(image(&frame(&content))).expect("one"), content);
        let two = [frame(&content[..100]), frame(&content[100..])].concat();
        assert_eq!(read(image(&two)).expect("two"), content);
        let streamed = zstd::stream::encode_all(content.as_slice(), 3).expect("streamed");
        assert_eq!(read(image(&streamed)).expect("a frame that does not tell its size"), content);
        let padded = [frame(&content), vec![0xff; 500]].concat();
        assert_eq!(read(image(&padded)).expect("padded"), content);
    }

    #[test]
    fn frame_of_another_size_is_corrupt() {
        let bomb = frame(&vec![0; 64 << 20]);
        for stream in [&frame(&content()[1..]), &bomb, &frame(&content())[..900], &[]] {
            let found = detail(read(image(&[stream, &[0; 100]].concat())));
            assert_eq!(found, "the zstd frames are damaged or not one cluster long");
        }
    }
}
