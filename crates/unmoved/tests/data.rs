//! The networks of the paper on real images, and what they are known to be worth; needs the data sets.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use unmoved::evaluate::{DataSet, Example};
use unmoved::ir::{Network, Rational};
use unmoved::property::vnnlib::{self, Version};
use unmoved::property::{InputRegion, Norm, Query, Verdict};
use unmoved::search::{AttackOptions, Options, decide};

fn data() -> PathBuf {
    std::env::var_os("UNMOVED_DATA").expect("UNMOVED_DATA names the folder with data and nets").into()
}

fn network(name: &str) -> Arc<Network> {
    Arc::new(
        unmoved::read_model(&data().join("nets").join(name), &unmoved::Choices::default())
            .expect("a readable model")
            .network,
    )
}

fn predicted(network: &Network, values: &[f32]) -> usize {
    let y = network.forward(values).expect("a fitting image");
    (0..y.len()).fold(0, |best, k| if y[k] > y[best] { k } else { best })
}

/// Whether the label survives perturbations of `eps`.
fn robustness(network: &Arc<Network>, example: &Example, eps: &str) -> Query {
    let centre = example.values.iter().map(|&v| f64::from(v)).collect();
    let eps = eps.parse().expect("a number");
    let region = InputRegion::ball(centre, Norm::Linf, eps, Some((Rational::ZERO, Rational::ONE))).expect("a region");
    Query::robustness(network.clone(), region, example.label.expect("labelled")).expect("a query")
}

/// The paper's test errors: 1.89 % and 4.18 %.
#[test]
#[ignore = "needs UNMOVED_DATA"]
fn test_errors_are_those_of_the_paper() {
    let examples = DataSet::Mnist.read_test(&data().join("data/mnist"), 0..10_000).expect("MNIST");
    for (name, wrong) in [("mnist_wk17a_linf0.1.onnx", 189), ("mnist_rsl18a_linf0.1.onnx", 418)] {
        let network = network(name);
        let found = examples.iter().filter(|e| Some(predicted(&network, &e.values)) != e.label).count();
        assert_eq!(found, wrong, "{name}");
    }
}

/// Of the first fifty images one has an adversarial example within 0.1; bounds certify the others.
#[test]
#[ignore = "needs UNMOVED_DATA"]
fn the_first_fifty_images_are_decided() {
    let network = network("mnist_wk17a_linf0.1.onnx");
    let examples = DataSet::Mnist.read_test(&data().join("data/mnist"), 0..50).expect("MNIST");
    for (index, example) in examples.iter().enumerate() {
        let outcome = decide(&robustness(&network, example, "0.1"), &Options::default()).expect("a workable query");
        match outcome.verdict {
            Verdict::Violated(_) => assert_eq!(index, 8),
            Verdict::Robust => assert_ne!(index, 8),
            Verdict::Unknown(reason) => panic!("image {index}: {reason}"),
        }
    }
}

fn unmoved(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_unmoved")).args(arguments).output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// ONNX -> text -> safetensors -> ONNX, twice: nothing is lost and the second round has the bytes of the first.
#[test]
#[ignore = "needs UNMOVED_DATA"]
fn conversion_loses_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    for name in ["mnist_wk17a_linf0.1.onnx", "mnist_rsl18a_linf0.1.onnx"] {
        let original = data().join("nets").join(name);
        let mut from = original.to_str().expect("UTF-8").to_owned();
        let files = ["a.unm", "b.safetensors", "c.onnx", "d.unm", "e.safetensors", "f.onnx"].map(path);
        for to in &files {
            let text = unmoved(&["convert", &from, to, "--format", "json", "--quiet"]);
            assert!(text.contains("\"exact\":true") && text.contains("\"largest_difference\":0.0"), "{text}");
            from.clone_from(to);
        }
        let bytes = |file: &str| std::fs::read(Path::new(file)).expect("written");
        for (first, second) in [(0, 3), (1, 4), (2, 5)] {
            assert!(bytes(&files[first]) == bytes(&files[second]), "{name}: {}", files[first]);
        }
    }
}

/// Every property in VNN-COMP form is read as queries about its network, and what is written of them in either version is
/// read as the same. `--nocapture` shows how long the slowest take.
#[test]
#[ignore = "needs UNMOVED_DATA"]
fn properties_of_the_competitions_are_read() {
    let bench = data().join("bench");
    let cases = std::fs::read_to_string(bench.join("instances.csv")).expect("a list of cases");
    let mut networks: HashMap<&str, Arc<Network>> = HashMap::new();
    let mut times = Vec::new();
    for case in cases.lines() {
        let mut fields = case.split(',');
        let (Some(onnx), Some(file)) = (fields.next(), fields.next()) else { panic!("{case}: two files and a limit") };
        let network = networks.entry(onnx).or_insert_with(|| {
            Arc::new(
                unmoved::read_model(&bench.join(onnx), &unmoved::Choices::default()).expect("a readable model").network,
            )
        });
        let start = Instant::now();
        let queries = unmoved::read_vnnlib(&bench.join(file), network).expect("a readable property");
        times.push((start.elapsed(), queries.len(), file));
        // All of them say something of the outputs.
        let disjuncts = || queries.iter().flat_map(|q| q.unsafe_set());
        assert!(disjuncts().count() > 0 && disjuncts().all(|d| d.0.iter().all(|c| !c.outputs.is_empty())), "{case}");
        for version in [Version::V1, Version::V2 { minor: 0 }] {
            let written = vnnlib::write(&queries, version).expect("boxes");
            let again = vnnlib::read(&written, network).unwrap_or_else(|e| panic!("{case} as {version}: {e}"));
            let digests = |queries: &[Query]| queries.iter().map(Query::digest).collect::<Vec<_>>();
            assert_eq!(digests(&again), digests(&queries), "{case} as {version}");
        }
    }
    times.sort_unstable_by(|a, b| b.cmp(a));
    times.iter().take(10).for_each(|(time, boxes, file)| println!("{time:?}, {boxes} boxes: {file}"));
    assert!(times[0].0 < Duration::from_secs(1), "{:?}", times[0]);
}

/// The same query gives the same program, byte by byte.
#[test]
#[ignore = "needs UNMOVED_DATA"]
fn encoding_is_deterministic() {
    let (model, mnist) = (data().join("nets/mnist_wk17a_linf0.1.onnx"), data().join("data/mnist"));
    let (model, mnist) = (model.to_str().expect("UTF-8"), mnist.to_str().expect("UTF-8"));
    let question =
        [model, "--dataset", "mnist", "--data", mnist, "--index", "0", "--eps", "0.1", "--as", "lp", "--quiet"];
    let arguments = [&["encode"], &question[..]].concat();
    let first = unmoved(&arguments);
    assert!(first.len() > 100_000);
    assert!(first == unmoved(&arguments));
}

/// How many of the images are classified correctly, and certified at `eps` by bounds alone.
fn worth(model: &str, examples: &[Example], eps: &str) -> (usize, usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-models").join(model);
    let network = Arc::new(unmoved::read_model(&path, &unmoved::Choices::default()).expect("a readable model").network);
    let attack = AttackOptions { restarts: 0, ..AttackOptions::default() };
    let options = Options { attack, subproblems: 0, ..Options::default() };
    let (mut right, mut certified) = (0, 0);
    for example in examples {
        right += usize::from(Some(predicted(&network, &example.values)) == example.label);
        let outcome = decide(&robustness(&network, example, eps), &options).expect("a workable query");
        certified += usize::from(outcome.verdict == Verdict::Robust);
    }
    println!("{model}: {right} right, {certified} certified at {eps}, of {}", examples.len());
    (right, certified)
}

/// The table in `test-models/README.md`.
#[test]
#[ignore = "needs UNMOVED_DATA"]
fn test_models_are_worth_what_is_said_of_them() {
    let mnist = DataSet::Mnist.read_test(&data().join("data/mnist"), 0..500).expect("MNIST");
    let cifar = DataSet::Cifar10.read_test(&data().join("data/cifar10"), 0..1017).expect("CIFAR-10");
    for (model, examples, eps, right, certified) in [
        ("mnist-mlp.onnx", &mnist, "0.05", 485, 450),
        ("mnist-conv.onnx", &mnist, "0.1", 487, 430),
        ("mnist-residual.onnx", &mnist, "0.1", 493, 448),
        ("cifar-conv.onnx", &cifar, "2/255", 509, 359),
    ] {
        let found = worth(model, examples, eps);
        assert_eq!(found.0, right, "{model}");
        assert!(found.1 >= certified, "{model}: {}", found.1);
    }
}

/// HiGHS, given the encoding alone, says the same as the certificates and counterexamples.
#[cfg(feature = "highs")]
#[test]
#[ignore = "needs UNMOVED_DATA"]
fn highs_agrees_on_the_first_twenty_images() {
    use unmoved::bounds::{Propagation, Tier};
    use unmoved::core::{Highs, Limits, Objective, Solver, Status, encode};

    let network = network("mnist_wk17a_linf0.1.onnx");
    let examples = DataSet::Mnist.read_test(&data().join("data/mnist"), 0..20).expect("MNIST");
    for (index, example) in examples.iter().enumerate() {
        let query = robustness(&network, example, "0.1");
        let lowered = unmoved::ir::lower_max_pool(query.network()).expect("no max-pool");
        let propagation = Propagation::new(&lowered, query.region(), Tier::Linear);
        // Class by class, as the paper does: nine small programs are solved faster than their disjunction.
        let is_violated = (0..query.unsafe_set().len()).any(|disjunct| {
            let milp = encode(&query, &propagation, Objective::Feasibility, Some(&[disjunct])).expect("an encoding");
            match Highs.solve(&milp, &Limits::default()).expect("HiGHS runs").status {
                Status::Optimal => true,
                Status::Infeasible => false,
                status => panic!("image {index}, disjunct {disjunct}: {status:?}"),
            }
        });
        assert_eq!(is_violated, index == 8, "image {index}");
        let verdict = decide(&query, &Options::default()).expect("a workable query").verdict;
        assert_eq!(is_violated, verdict != Verdict::Robust, "image {index}");
    }
}
