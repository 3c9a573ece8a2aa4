//! Files: compression, external data, writing.

use super::*;
use crate::{read, write};
use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;
use std::path::Path;

fn small() -> Model {
    Model::new(&[1, 2]).node("Add", &["x", "c"], "y", vec![]).floats("c", &[2], &[1.0, 2.0])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn gzip_is_recognised_by_its_content() {
    let plain = small().read().unwrap();
    assert_eq!(from_bytes(&gzip(&small().bytes())).unwrap(), plain);
    let mut torn = gzip(&small().bytes());
    torn.truncate(torn.len() - 9);
    assert!(matches!(from_bytes(&torn), Err(Error::Gzip(_))));
}

#[test]
fn writing_replaces_the_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let network = small().read().unwrap();
    for name in ["m.onnx", "m.onnx.gz"] {
        let path = folder.path().join(name);
        std::fs::write(&path, "old").unwrap();
        write(&network, &path).unwrap();
        let first = std::fs::read(&path).unwrap();
        write(&read(&path).unwrap(), &path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
    let missing = folder.path().join("no/such/folder.onnx");
    assert!(matches!(write(&network, &missing), Err(Error::Io { action: "write", .. })));
    assert!(matches!(read(&missing), Err(Error::Io { action: "read", .. })));
    assert!(read(folder.path()).is_err());
}

/// The error, or the constant's numbers, of a model whose constant lies where `entries` say.
fn external(folder: &Path, entries: &[(&str, &str)]) -> Result<Vec<f32>, String> {
    let external_data =
        entries.iter().map(|&(k, v)| StringStringEntryProto { key: Some(k.into()), value: Some(v.into()) }).collect();
    let constant = TensorProto { data_location: Some(1), external_data, ..tensor("c", DataType::Float, &[2]) };
    let model = Model::new(&[1, 2]).node("Add", &["x", "c"], "y", vec![]).tensor(constant);
    let path = folder.join("m.onnx");
    std::fs::write(&path, model.bytes()).unwrap();
    read(&path).map(|n| n.forward(&[0.0f32, 0.0]).unwrap()).map_err(|e| e.to_string())
}

#[test]
fn external_data_inside_the_folder_only() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("model");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    let numbers: Vec<u8> = [7.0f32, 1.0, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(folder.join("sub/w.bin"), &numbers).unwrap();
    std::fs::write(outer.path().join("w.bin"), &numbers).unwrap();
    let outside = outer.path().join("w.bin");

    let good = [("location", "sub/w.bin"), ("offset", "4"), ("length", "8")];
    assert_eq!(external(&folder, &good), Ok(vec![1.0, 2.0]));
    assert_eq!(external(&folder, &good[..2]), Ok(vec![1.0, 2.0]));

    let refused = |entries: &[(&str, &str)], why: &str| {
        let error = external(&folder, entries).unwrap_err();
        assert!(error.starts_with("tensor \"c\": ") && error.contains(why), "{error}");
    };
    refused(&[("location", "../w.bin"), ("length", "8")], "is not a plain path inside the model's folder");
    refused(&[("location", "sub/../../w.bin")], "is not a plain path inside the model's folder");
    refused(&[("location", outside.to_str().unwrap())], "is not a plain path inside the model's folder");
    refused(&[("location", "..\\w.bin")], "is not a plain path inside the model's folder");
    refused(&[("location", "")], "is not a plain path inside the model's folder");
    refused(&[], "no location");
    refused(&[("location", "sub")], "is not a regular file");
    refused(&[("location", "sub/missing.bin")], "sub/missing.bin");
    refused(&[("location", "sub/w.bin")], "its shape needs 8 bytes, found 12");
    refused(&[("location", "sub/w.bin"), ("offset", "8")], "its shape needs 8 bytes, found 4");
    refused(&[("location", "sub/w.bin"), ("offset", "99999999999999")], "found 0");
    refused(&[("location", "sub/w.bin"), ("length", "4")], "its shape needs 8 bytes, found 4");
    refused(&[("location", "sub/w.bin"), ("offset", "-4")], "offset is not a number");
    refused(&[("location", "sub/w.bin"), ("key", "secret")], "unknown key \"key\"");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&outside, folder.join("link.bin")).unwrap();
        std::os::unix::fs::symlink(outer.path(), folder.join("up")).unwrap();
        refused(&[("location", "link.bin"), ("length", "8")], "is, or passes through, a link");
        refused(&[("location", "up/w.bin"), ("length", "8")], "is, or passes through, a link");
    }
}

#[test]
fn metadata_come_back_sorted() {
    let entry = |k: &str, v: &str| StringStringEntryProto { key: Some(k.into()), value: Some(v.into()) };
    let model = small().change(|m| m.metadata_props = vec![entry("z", "1"), entry("a", "2")]);
    let network = model.read().unwrap();
    assert_eq!(network.metadata()["z"], "1");
    let written = ModelProto::decode(crate::to_bytes(&network).unwrap().bytes.as_slice()).unwrap();
    assert_eq!(written.metadata_props, [entry("a", "2"), entry("z", "1")]);
    let twice = small().change(|m| m.metadata_props = vec![entry("a", "1"), entry("a", "2")]);
    assert_eq!(twice.read().unwrap_err().to_string(), "the metadata key \"a\" is given twice");
}

#[test]
fn initialisers_may_be_listed_as_inputs() {
    let listed = small().change(|m| m.graph.as_mut().unwrap().input.push(value("c", DataType::Float, &[2])));
    assert_eq!(listed.read().unwrap(), small().read().unwrap());
}

#[test]
fn names_survive_clashes() {
    // A node named like another's weight, and a node named like the input.
    let model = Model::new(&[1, 2]).node("Gemm", &["x", "w"], "h", vec![]).node("Relu", &["h"], "r", vec![]);
    let model = model.node("Gemm", &["r", "w"], "y", vec![]).floats("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let model = model.change(|m| {
        let nodes = &mut m.graph.as_mut().unwrap().node;
        nodes[0].name = Some("x".into());
        nodes[1].name = Some("x.2.weight".into());
        nodes[2].name = None;
    });
    let network = model.read().unwrap();
    let names: Vec<_> = network.nodes().iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["x", "x.2", "x.2.weight", "y"]);
    assert_eq!(from_bytes(&crate::to_bytes(&network).unwrap().bytes).unwrap(), network);
}

/// Two layers whose weights are large enough to stay in the file until they are wanted.
fn large(reverse: bool) -> Vec<u8> {
    let raw = |name: &str, dims: &[i64]| {
        let n = dims.iter().product::<i64>();
        let numbers = (0..n).flat_map(|k| ((k % 13) as f32 - 6.0).to_le_bytes()).collect::<Vec<u8>>();
        TensorProto { raw_data: Some(numbers.into()), ..tensor(name, DataType::Float, dims) }
    };
    let model = Model::new(&[1, 150]).node("MatMul", &["x", "v"], "h", vec![]).node("Relu", &["h"], "r", vec![]);
    let model = model.node("Gemm", &["r", "w", "b"], "y", vec![int("transB", 1)]).floats("b", &[200], &[0.5; 200]);
    let mut model = model.tensor(raw("v", &[150, 160])).tensor(raw("small", &[3])).tensor(raw("w", &[200, 160]));
    if reverse {
        model.graph().initializer.reverse();
    }
    model.bytes()
}

#[test]
fn large_weights_are_read_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.onnx");
    for bytes in [large(false), large(true)] {
        std::fs::write(&path, &bytes).unwrap();
        let content = crate::file::open_model(&path).unwrap();
        assert_eq!((content.large.places.len(), content.size), (2, bytes.len()));
        assert!(content.bytes.len() < 3000);
        assert_eq!(read(&path).unwrap(), from_bytes(&bytes).unwrap());
    }
}

proptest::proptest! {
    /// Whatever stands between the weights: a file is read as its bytes are.
    #[test]
    fn files_and_bytes_are_read_alike(
        reverse: bool,
        changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<u8>()), 0..3),
        cut in proptest::option::of(proptest::prelude::any::<proptest::sample::Index>()),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.onnx");
        let mut bytes = large(reverse);
        std::fs::write(&path, &bytes).unwrap();
        // Not among the numbers, where a change is seldom of interest.
        let large = crate::file::open_model(&path).unwrap().large.places;
        let parts: Vec<usize> = (0..bytes.len()).filter(|&k| !large.values().any(|place| place.contains(&(k as u64)))).collect();
        for (at, byte) in changes {
            bytes[parts[at.index(parts.len())]] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(parts[cut.index(parts.len())]);
        }
        std::fs::write(&path, &bytes).unwrap();
        match (read(&path), from_bytes(&bytes)) {
            (Ok(a), Ok(b)) => proptest::prop_assert_eq!(a, b),
            (Err(_), Err(_)) => {}
            (a, b) => proptest::prop_assert!(false, "{:?} but {:?}", a.err(), b.err()),
        }
    }
}
