//! Distortions of digits that we drew, on a network that we trained; with data, of the paper's network on MNIST.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use unmoved::evaluate::{DataSet, Example, Perturbations, Question, read_image};
use unmoved::ir::{Network, Rational};
use unmoved::property::Norm;
use unmoved::search::{Distortion, Options, Prepared, distortion};

fn network(path: &Path) -> Arc<Network> {
    Arc::new(unmoved::read_model(path, &unmoved::Choices::default()).expect("a readable model").network)
}

fn test_models() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-models")
}

/// The question of any distance within the range, about all other classes or some.
fn question(network: &Arc<Network>, example: &Example, norm: Norm, targets: Option<&[usize]>) -> Question {
    let range = (Rational::ZERO, Rational::ONE);
    let eps = norm.of_range(network.input().shape.len(), &range);
    let perturbations = Perturbations { norm, eps, range: Some(range) };
    Question::new(network, example, None, perturbations, targets).expect("a question")
}

fn measure(question: &Question, seconds: u64) -> Distortion {
    let prepared = Prepared::new(question.query.network()).expect("a network");
    let options = Options { time_limit: Some(Duration::from_secs(seconds)), ..Options::default() };
    distortion(&question.query, &prepared, &options, &one_percent(), &|_| {}).expect("a workable question")
}

fn one_percent() -> Rational {
    "1/100".parse().expect("a number")
}

fn digit(k: usize) -> Example {
    read_image(&test_models().join(format!("digits/{k}.png"))).expect("a digit")
}

#[test]
fn drawn_digits_are_measured() {
    let network = network(&test_models().join("mnist-mlp.onnx"));
    for k in [3, 5, 8] {
        let question = question(&network, &digit(k), Norm::Linf, None);
        let found = measure(&question, 120);
        let gap = found.gap().expect("there is a counterexample");
        assert!(found.reason.is_none() && gap <= one_percent() && found.lower > Rational::ZERO, "{k}: {found:?}");
        // Only about a class that is farther away the answer is another.
        let nearest = question.targets[found.counterexample.expect("it comes with the upper end").disjunct];
        let others: Vec<usize> = question.targets.iter().copied().filter(|&t| t != nearest).collect();
        let farther = measure(&self::question(&network, &digit(k), Norm::Linf, Some(&others)), 120);
        assert!(farther.upper.is_some_and(|upper| upper >= found.lower));
    }
}

/// HiGHS, given the program whose objective is the distance, finds an optimum within the interval. What it says of a bound, or of a
/// point, where it runs out of time, contradicts neither end.
#[cfg(feature = "highs")]
#[test]
fn highs_finds_the_same_distance() {
    use unmoved::bounds::{Propagation, Tier};
    use unmoved::core::{Highs, Limits, Objective, Solver, Status, encode};

    let network = network(&test_models().join("mnist-mlp.onnx"));
    for (k, norm) in [(3, Norm::Linf), (5, Norm::Linf), (8, Norm::Linf), (8, Norm::L1)] {
        let all = question(&network, &digit(k), norm, None);
        let found = measure(&all, 30);
        let (lower, upper) = (found.lower.to_f64(), found.upper.clone().expect("there is a counterexample"));
        // About the nearest class alone, and in a ball that hardly holds more than its optimum: few ReLUs are undecided there.
        let nearest = found.counterexample.expect("it comes with the upper end").disjunct;
        let region = all.query.region().with_radius(upper.clone()).expect("a ball");
        let query = all.query.about(region).expect("the same network");
        let lowered = unmoved::ir::lower_max_pool(query.network()).expect("no max-pool");
        let propagation = Propagation::new(&lowered, query.region(), Tier::Linear);
        let milp = encode(&query, &propagation, Objective::Closest(norm), Some(&[nearest])).expect("an encoding");
        let time = Some(Duration::from_secs(120));
        let solution = Highs.solve(&milp, &Limits { time }).expect("HiGHS runs");
        println!("{k} {norm:?}: {lower} to {}; {:?} {:?}", upper.to_f64(), solution.status, solution.cost);
        // Its tolerances are some 1e-6 of what a constraint reads.
        let slack = 1e-4 * (1.0 + upper.to_f64());
        assert_ne!(solution.status, Status::Infeasible, "{k} {norm:?}");
        if norm == Norm::Linf {
            assert_eq!(solution.status, Status::Optimal, "{k} {norm:?}");
        }
        assert!(solution.cost.is_none_or(|cost| cost >= lower - slack), "{k} {norm:?}: {solution:?}");
        assert!(solution.bound.is_none_or(|bound| bound <= upper.to_f64() + slack), "{k} {norm:?}: {solution:?}");
    }
}

/// Prints the table of the documentation. The largest distance that is certified is no smaller than what is certified here.
#[test]
#[ignore = "needs UNMOVED_DATA"]
fn images_of_mnist_are_measured() {
    let data =
        std::path::PathBuf::from(std::env::var_os("UNMOVED_DATA").expect("UNMOVED_DATA names the folder with data"));
    let network = network(&data.join("nets/mnist_wk17a_linf0.1.onnx"));
    let examples = DataSet::Mnist.read_test(&data.join("data/mnist"), 0..20).expect("MNIST");
    for (norm, count) in [(Norm::Linf, 20), (Norm::L1, 5), (Norm::L2, 5)] {
        for (index, example) in examples.iter().take(count).enumerate() {
            let start = Instant::now();
            let found = measure(&question(&network, example, norm, None), 2);
            let upper = found.upper.as_ref().map_or(f64::INFINITY, Rational::to_f64);
            let (lower, time) = (found.lower.to_f64(), start.elapsed());
            println!("{index} {}: {lower:.4} to {upper:.4} in {time:.1?}", norm.name());
            // All but image 8 are robust at 0.1, as `data.rs` says.
            let is_near = norm == Norm::Linf && index == 8;
            assert!(upper <= 0.1 || !is_near);
            assert!(upper > 0.1 || norm != Norm::Linf || is_near, "{index}: {upper}");
        }
    }
}
