//! Real networks: the folder that UNMOVED_DATA names holds `nets/` and `bench/`.

use std::path::{Path, PathBuf};

/// Every `.onnx` and `.onnx.gz` file below a folder.
fn models(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            models(&entry, found);
        } else if entry.to_string_lossy().ends_with(".onnx") || entry.to_string_lossy().ends_with(".onnx.gz") {
            found.push(entry);
        }
    }
}

fn paths() -> Vec<PathBuf> {
    let root = PathBuf::from(std::env::var("UNMOVED_DATA").expect("UNMOVED_DATA names the data folder"));
    let mut paths = Vec::new();
    models(&root.join("nets"), &mut paths);
    models(&root.join("bench"), &mut paths);
    paths.sort();
    paths
}

#[test]
#[ignore = "needs UNMOVED_DATA"]
fn every_network_loads_and_survives_a_round_trip() {
    let paths = paths();
    let mut failures = Vec::new();
    for path in &paths {
        let start = std::time::Instant::now();
        match unmoved_onnx::read(path) {
            Err(error) => failures.push(format!("{}: {error}", path.display())),
            Ok(network) => {
                let seconds = start.elapsed().as_secs_f64();
                let ops: Vec<_> = network.nodes().iter().map(|n| format!("{}{}", n.op.name(), n.shape)).collect();
                println!("{}: {seconds:.3} s, {}", path.file_name().unwrap().display(), ops.join(" "));
                let first = unmoved_onnx::to_bytes(&network).unwrap();
                let again = unmoved_onnx::from_bytes(&first.bytes).unwrap();
                assert_eq!(unmoved_onnx::to_bytes(&again).unwrap().bytes, first.bytes, "{}", path.display());
            }
        }
    }
    assert!(failures.is_empty() && !paths.is_empty(), "{}", failures.join("\n"));
}

/// How many random inputs the networks are compared on, and how far apart outputs may lie, relative to their range.
#[cfg(feature = "tract")]
const INPUTS: usize = 64;
#[cfg(feature = "tract")]
const TOLERANCE: f64 = 1e-5;

#[cfg(feature = "tract")]
#[test]
#[ignore = "needs UNMOVED_DATA"]
fn every_network_agrees_with_tract() {
    let mut failures = Vec::new();
    for path in paths() {
        let network = unmoved_onnx::read(&path).unwrap();
        match unmoved_onnx::compare_with_tract(&path, &network, INPUTS, 0) {
            Ok(difference) if difference < TOLERANCE => println!("{}: {difference:.1e}", path.display()),
            Ok(difference) => failures.push(format!("{}: differs by {difference:e}", path.display())),
            Err(error) => failures.push(format!("{}: {error}", path.display())),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
