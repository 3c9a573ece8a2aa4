//! Every operator and attribute variation against onnxruntime, in both directions.
//!
//! `UNMOVED_PYTHON` names an interpreter that has the packages `onnx`, `onnxruntime` and `numpy`. Where `UNMOVED_DATA` names
//! a folder, the networks in it are compared too.

mod common;

use common::deployed;
use std::path::{Path, PathBuf};
use std::process::Command;
use unmoved_ir::DType;

fn python(verb: &str, folder: &Path, models: &[PathBuf]) {
    let interpreter = std::env::var("UNMOVED_PYTHON").expect("UNMOVED_PYTHON names the interpreter");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/models.py");
    let output = Command::new(interpreter).arg(script).arg(verb).arg(folder).args(models).output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Numbers of a file, in the type of the network's input.
fn numbers(path: &Path, dtype: DType) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap();
    match dtype {
        DType::F32 => bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect(),
        DType::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
    }
}

/// How a network and onnxruntime differ, over all inputs and outputs.
struct Difference {
    /// The largest.
    largest: f64,
    /// The largest output.
    magnitude: f64,
    /// From the least output to the largest.
    range: f64,
}

/// `at` is a path whose neighbours hold inputs and outputs.
fn difference(model: &Path, at: &Path) -> Result<Difference, String> {
    let network = unmoved_onnx::read(model).map_err(|e| e.to_string())?;
    let inputs = numbers(&at.with_extension("input"), network.input_dtype());
    let outputs = numbers(&at.with_extension("output"), network.input_dtype());
    let count = inputs.len() / network.input().shape.len();
    if outputs.len() != count * network.output_len() {
        return Err(format!("{} outputs instead of {}", count * network.output_len(), outputs.len()));
    }
    let bound = |of: fn(f64, f64) -> f64, from: f64| outputs.iter().copied().fold(from, of);
    let range = bound(f64::max, f64::NEG_INFINITY) - bound(f64::min, f64::INFINITY);
    let magnitude = outputs.iter().fold(1e-30, |largest: f64, v| largest.max(v.abs()));
    let got = inputs.chunks_exact(network.input().shape.len()).flat_map(|input| deployed(&network, input));
    let mut largest = 0.0f64;
    for (got, want) in got.zip(&outputs) {
        if !got.is_finite() {
            return Err(format!("{got} instead of {want}"));
        }
        largest = largest.max((got - want).abs());
    }
    Ok(Difference { largest, magnitude, range })
}

/// The operators of a file and how often each stands there.
fn operators(path: &Path) -> String {
    let imported = unmoved_onnx::import(path, None).expect("it was read before");
    let mut counts = std::collections::BTreeMap::new();
    imported.translations.iter().for_each(|t| *counts.entry(t.operator.as_str()).or_insert(0) += 1);
    counts.iter().map(|(operator, count)| format!("{count} {operator}")).collect::<Vec<_>>().join(", ")
}

/// Every `.onnx` file below a folder.
fn models(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if path.is_dir() {
            models(&path, found);
        } else if path.extension().is_some_and(|e| e == "onnx") {
            found.push(path);
        }
    }
    found.sort();
}

#[test]
#[ignore = "needs onnxruntime"]
fn agrees_with_onnxruntime_in_python() {
    let folder = tempfile::tempdir().unwrap();
    // Of the files of real exporters those that are read, and have one output.
    let mut real = Vec::new();
    models(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exported"), &mut real);
    real.retain(|path| unmoved_onnx::read(path).is_ok());
    assert!(real.len() > 400);
    if let Ok(root) = std::env::var("UNMOVED_DATA") {
        models(Path::new(&root), &mut real);
    }
    python("make", folder.path(), &real);
    let mut paths: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "onnx"));
    paths.sort();
    println!("{} models, {} of them real", paths.len(), real.len());
    assert!(paths.len() > 1000 + real.len());
    let mut failures = Vec::new();
    for path in &paths {
        let name = path.file_stem().unwrap().display().to_string();
        // A real network's outputs may lie close together; those of a made one may all be the same.
        let origin =
            name.strip_prefix("real_").map(|rest| &real[rest.split('_').next().unwrap().parse::<usize>().unwrap()]);
        let model = origin.unwrap_or(path);
        match difference(model, path) {
            Ok(Difference { largest, magnitude, range }) => {
                let relative = if largest == 0.0 { 0.0 } else { largest / origin.map_or(magnitude, |_| range) };
                if origin.is_some() {
                    println!("{name}: {relative:.1e} of {range:.3}: {}", operators(model));
                }
                if relative > 1e-5 {
                    failures.push(format!("{name}: differs by {relative:e}"));
                    continue;
                }
                let network = unmoved_onnx::read(model).unwrap();
                unmoved_onnx::write(&network, &path.with_extension("written.onnx")).unwrap();
            }
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), paths.len(), failures.join("\n"));
    python("check", folder.path(), &[]);
}
