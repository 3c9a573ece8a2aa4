//! A corpus in VNN-LIB 2.0, and the reference parser.
//!
//! | folder of `tests/vnnlib2` | we | the reference |
//! |---|---|---|
//! | `accepted` | read it | reads it |
//! | `refused` | refuse it | refuses it |
//! | `ours` | refuse it; its first line says why | reads it |
//! | `theirs` | read it | refuses it; its first line says why |
//!
//! `UNMOVED_PYTHON` names an interpreter that has the package `vnnlib`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use unmoved_ir::{Builder, DType, Dense, Network, Op, Rational, Tensor};
use unmoved_property::vnnlib::{Version, VnnlibError, declarations, read, write};
use unmoved_property::{InputRegion, Norm, Query};

const V2: Version = Version::V2 { minor: 0 };

/// Two inputs, three outputs.
fn network() -> Arc<Network> {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).unwrap();
    let weight = Tensor::f32(&[3, 2], vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0]).unwrap();
    let dense = Dense::new(weight, Tensor::f32(&[3], vec![0.0; 3]).unwrap());
    let y = b.push("y", Op::Dense(dense.unwrap()), &[x]).unwrap();
    Arc::new(b.finish(y).unwrap())
}

/// The files of a folder by their names.
fn corpus(folder: &str) -> BTreeMap<String, (PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vnnlib2").join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let file = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), (path, text))
    };
    entries.map(file).collect()
}

fn digests(queries: &[Query]) -> Vec<unmoved_ir::Digest> {
    queries.iter().map(Query::digest).collect()
}

#[test]
fn what_is_accepted_is_read_and_survives_being_written_in_either_version() {
    let mut shown = String::new();
    for (name, (_, text)) in corpus("accepted").into_iter().chain(corpus("theirs")) {
        let queries = read(&text, &network()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(matches!(declarations(&text).unwrap().version, Version::V2 { .. }));
        shown.extend([format!("---- {name}\n")].into_iter().chain(queries.iter().map(Query::to_text)));
        if queries.iter().all(|q| q.unsafe_set().is_empty()) && queries.len() > 1 {
            continue;
        }
        for version in [Version::V1, V2] {
            let written = write(&queries, version).unwrap();
            let again = read(&written, &network()).unwrap_or_else(|e| panic!("{name}: {e}\n{written}"));
            assert_eq!(digests(&again), digests(&queries), "{name} as {version}:\n{written}");
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn what_is_refused_is_refused_with_its_place() {
    let mut shown = String::new();
    for folder in ["refused", "ours"] {
        for (name, (_, text)) in corpus(folder) {
            let Err(error) = read(&text, &network()) else { panic!("{folder}/{name} is read") };
            assert!(folder != "ours" || text.starts_with("; "), "{name} does not say why");
            let message = match error {
                VnnlibError::Text { place, problem } => format!("{problem}\n{}", place.excerpt(&name)),
                error => format!("{name}: {error}"),
            };
            shown += &format!("{message}\n\n");
        }
    }
    insta::assert_snapshot!(shown);
}

/// Which files the reference takes.
fn reference(files: &[PathBuf]) -> Vec<bool> {
    let interpreter = std::env::var("UNMOVED_PYTHON").expect("UNMOVED_PYTHON names the interpreter");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/vnnlib2.py");
    let output = Command::new(interpreter).arg(script).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Warnings of its type checker go to the same stream.
    let said = String::from_utf8(output.stdout).unwrap();
    let lines = said.lines().filter(|l| l.starts_with("ok ") || l.starts_with("no "));
    let taken: Vec<bool> = lines.map(|l| l.starts_with("ok ")).collect();
    assert_eq!(taken.len(), files.len());
    taken
}

#[test]
#[ignore = "needs UNMOVED_PYTHON"]
fn the_reference_in_python_takes_the_same_files() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (folder, expected) in [("accepted", true), ("refused", false), ("ours", true), ("theirs", false)] {
        let files: Vec<PathBuf> = corpus(folder).into_values().map(|(path, _)| path).collect();
        count += files.len();
        let taken = reference(&files);
        wrong.extend(files.into_iter().zip(taken).filter(|(_, taken)| *taken != expected).map(|(file, _)| file));
    }
    assert!(wrong.is_empty(), "the reference decides otherwise: {wrong:#?}");
    assert!(count >= 60, "{count} files");
}

#[test]
#[ignore = "needs UNMOVED_PYTHON"]
fn the_reference_in_python_takes_what_we_write() {
    let network = network();
    let mut written: Vec<String> =
        corpus("accepted").into_values().map(|(_, text)| write(&read(&text, &network).unwrap(), V2).unwrap()).collect();
    for eps in ["8/255", "0.1", "1/3", "0"] {
        let centre = vec![f64::from(0.1f32), f64::from(f32::MIN_POSITIVE)];
        let range = Some((Rational::ZERO, Rational::ONE));
        let ball = InputRegion::ball(centre, Norm::Linf, eps.parse().unwrap(), range).unwrap();
        let query = Query::robustness(network.clone(), ball, 1).unwrap();
        let text = write(&[query], V2).unwrap();
        assert_eq!(read(&text, &network).unwrap().len(), 1);
        written.push(text);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |(k, text): (usize, &String)| {
        let path = folder.path().join(format!("{k}.vnnlib"));
        std::fs::write(&path, text).unwrap();
        path
    };
    let files: Vec<PathBuf> = written.iter().enumerate().map(file).collect();
    let refused: Vec<&String> =
        written.iter().zip(reference(&files)).filter(|(_, taken)| !taken).map(|(text, _)| text).collect();
    assert!(refused.is_empty(), "{}", refused.into_iter().map(String::as_str).collect::<Vec<_>>().join("\n----\n"));
}
