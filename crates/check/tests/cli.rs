//! The binary from outside: what it prints and how it exits.

#![cfg(feature = "cli")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use unmoved_check::{Certificate, LinearForm, QuadraticForm, Step};
use unmoved_ir::{Builder, DType, Dense, Network, Op, Rational, Tensor};
use unmoved_property::{InputRegion, Norm, Query};

/// Two outputs: the inputs themselves.
fn network() -> Network {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).unwrap();
    let weight = Tensor::f32(&[2, 2], vec![1.0, 0.0, 0.0, 1.0]).unwrap();
    let y = b.push("y", Op::Dense(Dense::new(weight, Tensor::zeros(&[2]).unwrap()).unwrap()), &[x]).unwrap();
    b.finish(y).unwrap()
}

fn query(network: Network, centre: [f64; 2]) -> Query {
    let range = Some((Rational::ZERO, Rational::ONE));
    let region = InputRegion::ball(centre.to_vec(), Norm::Linf, "1/10".parse().unwrap(), range).unwrap();
    Query::robustness(Arc::new(network), region, 1).unwrap()
}

fn certificate(query: &Query) -> Vec<u8> {
    Certificate::new(query, vec![Step::Linear(LinearForm::with_lambda(vec![1.0]))]).to_bytes()
}

/// The three files in a folder.
fn written(query: &Query, certificate: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    unmoved_text::write(&network(), &folder.path().join("m.unm")).unwrap();
    std::fs::write(folder.path().join("q"), query.to_text()).unwrap();
    std::fs::write(folder.path().join("c"), certificate).unwrap();
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_unmoved-check")).current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn what_is_proved_is_said_in_words() {
    let query = query(network(), [0.25, 0.75]);
    let folder = written(&query, &certificate(&query));
    let (code, out, _) = run(folder.path(), &["m.unm", "q", "c", "--exact"]);
    assert_eq!(code, Some(0), "{out}");
    let expected = format!(
        "accepted: the certificate proves that
  for      every input within linf distance 1/10 of the centre (2 elements), every element within 0 and 1
  holds    y1 exceeds y0
  over     the real numbers, weights taken exactly as stored
  network  {}
  query    {}
  proof    1 steps, 1 leaves
  margin   at least ",
        query.network().digest(),
        query.digest()
    );
    assert!(out.starts_with(&expected), "{out}");
    assert!(out.ends_with("  checked  in exact arithmetic\n"), "{out}");
}

#[test]
fn refusals_exit_with_one() {
    let query = query(network(), [0.5, 0.5]);
    let folder = written(&query, &certificate(&query));
    let (code, out, _) = run(folder.path(), &["m.unm", "q", "c"]);
    assert_eq!(code, Some(1));
    assert!(out.starts_with("refused: step 0: the bound is -0.2"), "{out}");
    std::fs::write(folder.path().join("c"), b"UNMOVED").unwrap();
    let (code, out, _) = run(folder.path(), &["m.unm", "q", "c", "--format", "json"]);
    assert_eq!(code, Some(1));
    assert!(out.starts_with("{\"accepted\":false,"), "{out}");
    assert!(out.contains("\"refusal\":\"byte 0: not a certificate: it does not begin with \\\"UNMOVED\\\"\""), "{out}");
}

#[test]
fn errors_exit_with_two() {
    let query = query(network(), [0.25, 0.75]);
    let folder = written(&query, &certificate(&query));
    for (arguments, message) in [
        (&["m.unm", "q"][..], "expected MODEL QUERY CERTIFICATE"),
        (&["m.unm", "q", "c", "--fast"], "unknown option --fast"),
        (&["m.unm", "q", "c", "--mean", "0"], "--mean and --std belong together"),
        (&["m.unm", "q", "c", "--format", "xml"], "unknown format"),
        (&["m.unm", "q", "c", "--format"], "--format needs a value"),
        (&["m.pt", "q", "c"], "unknown model format"),
        (&["none.unm", "q", "c"], "none.unm"),
        (&["m.unm", "none", "c"], "none: "),
        (&["m.unm", "c", "q"], "c: "),
    ] {
        let (code, out, err) = run(folder.path(), arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(err.starts_with("error: ") && err.contains(message), "{arguments:?}: {err}");
    }
}

#[test]
fn a_network_behind_a_normalisation() {
    // (x - 1/2) / (3/10) keeps the order; 10/3 is rounded, and that is said.
    let number = |text: &str| vec![text.parse::<Rational>().unwrap()];
    let normalized = network().with_normalized_input(&number("0.5"), &number("0.3")).unwrap();
    let query = query(normalized, [0.25, 0.75]);
    let folder = written(&query, &certificate(&query));
    let (code, out, err) = run(folder.path(), &["m.unm", "q", "c", "--mean", "0.5", "--std", "0.3"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("for all weights within the rounding of the import"), "{out}");
    // Without it the certificate is for another network.
    let (code, out, _) = run(folder.path(), &["m.unm", "q", "c"]);
    assert_eq!(code, Some(1));
    assert!(out.starts_with("refused: the certificate is for the network"), "{out}");
}

#[test]
fn quadratic_leaves_are_known() {
    let query = query(network(), [0.25, 0.75]);
    let leaf = |constant| {
        let form = LinearForm::with_lambda(vec![1.0]);
        let leaf = QuadraticForm { form, constant, inputs: vec![2.0, 2.0], ..QuadraticForm::default() };
        Certificate::new(&query, vec![Step::Quadratic(Box::new(leaf))]).to_bytes()
    };
    let folder = written(&query, &leaf(0.3));
    for arithmetic in [&[][..], &["--exact"]] {
        let (code, out, _) = run(folder.path(), &[&["m.unm", "q", "c"], arithmetic].concat());
        assert_eq!(code, Some(0), "{out}");
    }
    let folder = written(&query, &leaf(0.2));
    let (code, out, _) = run(folder.path(), &["m.unm", "q", "c"]);
    assert_eq!(code, Some(1));
    assert!(out.starts_with("refused: step 0: the matrix is not positive definite"), "{out}");
}
