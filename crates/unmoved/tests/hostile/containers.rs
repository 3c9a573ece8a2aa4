//! ONNX in gzip.

use super::protobuf::{Model, bytes, floats};
use super::{Case, write};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

/// What `content` becomes, a megabyte at a time.
fn gzip(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content.as_ref()).and_then(|()| encoder.finish()).expect("memory is writable")
}

/// So many megabytes of zeros, compressed to a thousandth. Members of gzip may follow one another, so that one is
/// compressed and repeated.
pub(crate) fn bomb(megabytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let sixteen = vec![0; 16 << 20];
    encoder.write_all(&sixteen).expect("memory is writable");
    encoder.finish().expect("memory is writable").repeat(megabytes.div_ceil(16))
}

fn gz(name: &str, content: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    Case::inspect(format!("gzip-{name}"), "m.onnx.gz", content)
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        gz("bomb-of-10-GB", || bomb(10 << 10)),
        gz("bomb-of-1-GB-in-one-member", || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            let sixteen = vec![0; 16 << 20];
            (0..64).for_each(|_| encoder.write_all(&sixteen).expect("memory is writable"));
            encoder.finish().expect("memory is writable")
        }),
        gz("bomb-of-63-MB", || bomb(48)),
        gz("bomb-that-begins-like-a-model", || {
            [gzip(Model::relu().model(&[0x32, 0xff, 0xff, 0xff, 0x7f]).bytes()), bomb(10 << 10)].concat()
        }),
        gz("bomb-of-weights", || {
            let zeros = floats("w", &[1 << 23], 0.0);
            let graph: Vec<u8> =
                (0..4).flat_map(|k| bytes(5, [&zeros[..], &bytes(8, format!("w{k}"))].concat())).collect();
            gzip(Model::relu().graph(&graph).bytes())
        }),
        gz("nested", || gzip(gzip(gzip(Model::relu().bytes())))),
        gz("nested-bomb", || gzip(gzip(bomb(10 << 10)))),
        gz("cut-off", || {
            let mut bytes = gzip(Model::relu().bytes());
            bytes.truncate(bytes.len() - 10);
            bytes
        }),
        gz("header-alone", || vec![0x1f, 0x8b]),
        gz("header-of-another-method", || vec![0x1f, 0x8b, 9, 0, 0, 0, 0, 0, 0, 0]),
        gz("name-without-end", || [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0][..], &[b'a'; 10_000_000]].concat()),
        gz("extra-field-that-lies", || vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3]),
        gz("wrong-checksum", || {
            let mut bytes = gzip(Model::relu().bytes());
            let at = bytes.len() - 8;
            bytes[at] ^= 1;
            bytes
        }),
        gz("length-that-lies", || {
            let mut bytes = gzip(Model::relu().bytes());
            let at = bytes.len() - 1;
            bytes[at] ^= 0x80;
            bytes
        }),
        gz("garbage-behind", || [gzip(Model::relu().bytes()), vec![7; 1000]].concat()).may_load(),
        gz("500000-empty-members", || gzip([]).repeat(500_000)),
        gz("a-model-in-1000-members", || {
            let bytes = Model::add(&floats("w", &[4], 1.0)).bytes();
            bytes.iter().flat_map(|b| gzip([*b])).collect()
        })
        .may_load(),
        gz("distance-before-the-beginning", || {
            vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x63, 0x00, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff]
        }),
        Case::new("gzip-bomb-without-its-ending", &["inspect", "m.onnx"], |folder| {
            write(folder, "m.onnx", bomb(10 << 10))
        }),
        Case::new("gzip-bomb-of-external-data", &["inspect", "m.onnx"], |folder| {
            let entries = [("location", "w.gz")];
            write(folder, "m.onnx", Model::add(&super::protobuf::external("w", &[4], &entries)).bytes());
            write(folder, "w.gz", bomb(1 << 10));
        }),
    ]
}
