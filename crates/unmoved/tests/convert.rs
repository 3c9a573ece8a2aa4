//! Every format into every other, from outside: the second generation has the bytes of the first, whatever lies between.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FORMATS: [&str; 4] = ["onnx", "safetensors", "unm", "nnet"];

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

/// What `convert` says in JSON, or what it complains of.
fn convert(from: &Path, to: &Path, options: &[&str]) -> Result<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_unmoved"))
        .args(["--format", "json", "convert"])
        .args([from, to])
        .args(options)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    match output.status.code() {
        Some(0) => Ok(String::from_utf8(output.stdout).expect("JSON is UTF-8")),
        _ => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("it was just written")
}

/// Converts a model into each format that can express it, and from there through every other one back.
fn goes_round(model: &str, options: &[&str], formats: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, format: &str| folder.path().join(format!("{name}.{format}"));
    for format in FORMATS {
        let first = file("first", format);
        let said = convert(&models().join(model), &first, options);
        if !formats.contains(&format) {
            assert!(said.is_err() && !first.exists(), "{model} to {format}: {said:?}");
            continue;
        }
        let said = said.unwrap_or_else(|error| panic!("{model} to {format}: {error}"));
        assert!(said.contains(r#""exact":true"#) && said.contains(r#""largest_difference":0.0"#), "{said}");
        for between in formats {
            let (other, again) = (file("between", between), file("again", format));
            convert(&first, &other, &[]).unwrap_or_else(|error| panic!("{format} to {between}: {error}"));
            convert(&other, &again, &[]).unwrap_or_else(|error| panic!("{between} to {format}: {error}"));
            assert!(bytes(&first) == bytes(&again), "{model}: {format} to {between} and back is not the same");
        }
    }
}

#[test]
fn every_route_ends_in_the_same_bytes() {
    goes_round("conv.unm", &[], &["onnx", "safetensors", "unm"]);
    goes_round("meta.unm", &[], &["onnx", "safetensors", "unm"]);
    goes_round("heads.onnx", &["--output", "scores"], &["onnx", "safetensors", "unm"]);
    // A chain of dense layers is all that .nnet holds; it keeps no names, so that the others do not get them back.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let nameless = folder.path().join("nameless.unm");
    let chain = folder.path().join("chain.nnet");
    convert(&models().join("tiny.unm"), &chain, &[]).expect("a chain");
    convert(&chain, &nameless, &[]).expect("readable");
    goes_round(nameless.to_str().expect("UTF-8"), &[], &FORMATS);
}

#[test]
fn metadata_go_everywhere() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for format in ["onnx", "safetensors", "unm"] {
        let to = folder.path().join(format!("m.{format}"));
        convert(&models().join("meta.unm"), &to, &[]).expect("convertible");
        let network = unmoved::read_model(&to, &unmoved::Choices::default()).expect("readable").network;
        let kept: Vec<_> = network.metadata().iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(kept, ["author=nobody \"in\" particular", "trained on=two numbers"], "{format}");
    }
}

#[test]
fn numbers_can_be_narrowed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let narrow = folder.path().join("narrow.unm");
    let said = convert(&models().join("third.unm"), &narrow, &["--dtype", "f32"]).expect("convertible");
    assert!(said.contains(r#""exact":false"#), "{said}");
    let text = std::fs::read_to_string(&narrow).expect("it was just written");
    assert!(text.contains("0.33333334") && !text.contains("f64"), "{text}");
    let again = folder.path().join("again.unm");
    let said = convert(&narrow, &again, &["--dtype", "f32"]).expect("convertible");
    assert!(said.contains(r#""exact":true"#) && bytes(&narrow) == bytes(&again), "{said}");
}
