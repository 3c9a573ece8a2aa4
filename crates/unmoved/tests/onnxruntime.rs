//! Witnesses as the competition reads them, replayed in onnxruntime.
//!
//! `UNMOVED_PYTHON` names an interpreter that has the packages `onnxruntime` and `numpy`. Where `UNMOVED_DATA` names a folder with
//! `bench`, every instance there that is known to be sat is tried for a few seconds, too.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs `unmoved vnncomp` and gives the word of the result file.
fn result(model: &Path, property: &Path, results: &Path, timeout: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_unmoved"))
        .args(["vnncomp", "v1", "test"])
        .args([model, property, results])
        .arg(timeout)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(results).expect("a result was written");
    text.lines().next().expect("a word").to_owned()
}

/// What onnxruntime says of witnesses: how many lie in their boxes exactly, and how many could not.
fn replay(folder: &Path, witnesses: &[[PathBuf; 3]]) -> [usize; 2] {
    let mut text = String::new();
    for [model, property, results] in witnesses {
        let _ = writeln!(text, "{}\t{}\t{}", model.display(), property.display(), results.display());
    }
    let list = folder.join("list.txt");
    std::fs::write(&list, text).expect("writable");
    let interpreter = std::env::var("UNMOVED_PYTHON").expect("UNMOVED_PYTHON names the interpreter");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/replay.py");
    let output = Command::new(interpreter).arg(script).arg(list).output().expect("the interpreter runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    [": exactly", ": within the tolerance"].map(|end| said.lines().filter(|l| l.ends_with(end)).count())
}

/// A property of the network: not every picture around a grey one is of the class that the grey one is of. Decimals throughout;
/// every `fixed`-th input is one that no float32 number is.
fn around_grey(model: &Path, eps: f64, fixed: usize) -> String {
    let network = unmoved::read_model(model, &unmoved::Choices::default()).expect("a test model").network;
    let count = network.input().shape.len();
    let y = network.forward(&vec![0.5f32; count]).expect("a fitting image");
    let label = (0..y.len()).fold(0, |best, k| if y[k] > y[best] { k } else { best });
    let mut text = String::from("; not every picture around a grey one is of its class\n");
    for i in 0..count {
        let (low, high) = if fixed > 0 && i % fixed == 0 {
            ("0.3".into(), "0.3".into())
        } else {
            (format!("{}", 0.5 - eps), format!("{}", 0.5 + eps))
        };
        let _ = writeln!(text, "(declare-const X_{i} Real)\n(assert (>= X_{i} {low}))\n(assert (<= X_{i} {high}))");
    }
    (0..y.len()).for_each(|j| text += &format!("(declare-const Y_{j} Real)\n"));
    let others = (0..y.len()).filter(|&k| k != label).map(|k| format!("(and (>= Y_{k} Y_{label}))"));
    let _ = writeln!(text, "(assert (or {}))", others.collect::<Vec<_>>().join(" "));
    text
}

#[test]
#[ignore = "needs onnxruntime"]
fn witnesses_hold_in_python() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut cases: Vec<[PathBuf; 2]> = Vec::new();
    // Ties, several boxes, an input fixed at a decimal.
    let tiny = folder.path().join("tiny.onnx");
    let converted = Command::new(env!("CARGO_BIN_EXE_unmoved"))
        .arg("convert")
        .args([&here.join("tests/models/tiny.unm"), &tiny])
        .output()
        .expect("the binary runs");
    assert!(converted.status.success());
    for name in ["violated.vnnlib", "violated.vnnlib.gz", "boxes-violated.vnnlib", "fixed.vnnlib", "tensors.vnnlib"] {
        cases.push([tiny.clone(), here.join("tests/models").join(name)]);
    }
    for name in ["mnist-mlp", "mnist-conv", "mnist-residual", "cifar-conv"] {
        let model = here.join(format!("../../test-models/{name}.onnx"));
        for (eps, fixed) in [(0.1, 0), (0.45, 0), (0.45, 7)] {
            let property = folder.path().join(format!("{name}-{eps}-{fixed}.vnnlib"));
            std::fs::write(&property, around_grey(&model, eps, fixed)).expect("writable");
            cases.push([model.clone(), property]);
        }
    }
    let mut witnesses = Vec::new();
    for (index, [model, property]) in cases.into_iter().enumerate() {
        let results = folder.path().join(format!("{index}.txt"));
        let word = result(&model, &property, &results, "20");
        if word == "sat" {
            witnesses.push([model, property, results]);
        } else {
            println!("{}: {word}", property.display());
        }
    }
    let [exact, near] = replay(folder.path(), &witnesses);
    println!("{exact} in their boxes, {near} near");
    assert!(exact >= 10 && near >= 6 && exact + near == witnesses.len());
}

#[test]
#[ignore = "needs UNMOVED_DATA and onnxruntime"]
fn witnesses_of_the_benchmarks_hold() {
    let bench = PathBuf::from(std::env::var_os("UNMOVED_DATA").expect("UNMOVED_DATA names the folder with bench"))
        .join("bench");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let expected = std::fs::read_to_string(bench.join("expected.csv")).expect("the known verdicts");
    let mut witnesses = Vec::new();
    let mut rest = 0;
    for (index, line) in expected.lines().filter(|l| l.ends_with(",sat")).enumerate() {
        let [model, property, _] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (model, property) = (bench.join(model), bench.join(property));
        let results = folder.path().join(format!("{index}.txt"));
        match result(&model, &property, &results, "3").as_str() {
            "sat" => witnesses.push([model, property, results]),
            "timeout" | "unknown" => rest += 1,
            other => panic!("{line}: {other}"),
        }
    }
    let [exact, near] = replay(folder.path(), &witnesses);
    println!("{exact} in their boxes, {near} near, {rest} not found in the time");
    assert!(exact + near == witnesses.len() && exact >= 60 && near >= 5);
}
