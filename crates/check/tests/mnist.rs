//! Robustness of networks trained on MNIST. Needs the data that the folder in `UNMOVED_DATA` holds.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use unmoved_check::{Arithmetic, Certificate, Examiner, LinearForm, Refusal, Step, check, replay};
use unmoved_ir::{Network, Rational};
use unmoved_property::{InputRegion, Norm, Query};

fn data() -> PathBuf {
    std::env::var_os("UNMOVED_DATA").expect("UNMOVED_DATA names the folder with data/ and nets/").into()
}

fn unzipped(path: &str) -> Vec<u8> {
    let file = std::fs::File::open(data().join(path)).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The first test images with their labels.
fn images(count: usize) -> Vec<(Vec<f32>, usize)> {
    let (pixels, labels) =
        (unzipped("data/mnist/t10k-images-idx3-ubyte.gz"), unzipped("data/mnist/t10k-labels-idx1-ubyte.gz"));
    let image = |i: usize| pixels[16 + 784 * i..][..784].iter().map(|&p| f32::from(p) / 255.0).collect();
    (0..count).map(|i| (image(i), usize::from(labels[8 + i]))).collect()
}

fn query(network: &Arc<Network>, image: &[f32], label: usize, norm: Norm, eps: &str) -> Query {
    let centre = image.iter().map(|&v| f64::from(v)).collect();
    let region = InputRegion::ball(centre, norm, eps.parse().unwrap(), Some((Rational::ZERO, Rational::ONE)));
    Query::robustness(network.clone(), region.unwrap(), label).unwrap()
}

/// Linear bounds everywhere, then one default leaf per class.
fn plain(query: &Query) -> Certificate {
    let leaf = || Step::Linear(LinearForm::with_lambda(vec![1.0]));
    let nodes = Examiner::new(query).unwrap().tabled();
    let first = [Step::Recompute { nodes }, Step::SplitDisjuncts];
    Certificate::new(query, first.into_iter().chain(query.unsafe_set().iter().map(|_| leaf())).collect())
}

fn network(name: &str) -> Arc<Network> {
    Arc::new(unmoved_onnx::read(&data().join("nets").join(name)).unwrap())
}

#[test]
#[ignore = "needs UNMOVED_DATA"]
fn one_linear_pass_certifies_most_images() {
    let net = network("mnist_wk17a_linf0.1.onnx");
    let (mut robust, mut wrong, mut seconds) = (0, 0, 0.0);
    for (image, label) in images(50) {
        let query = query(&net, &image, label, Norm::Linf, "0.1");
        let certificate = plain(&query);
        let start = Instant::now();
        let answer = check(&query, &certificate, Arithmetic::Float);
        seconds += start.elapsed().as_secs_f64();
        match answer {
            Ok(_) => robust += 1,
            Err(Refusal::Step { .. }) => wrong += 1,
            Err(other) => panic!("{other}"),
        }
    }
    println!("{robust} certified, {wrong} not; {:.1} ms each", seconds * 1000.0 / 50.0);
    assert!(robust >= 45);
}

#[test]
#[ignore = "needs UNMOVED_DATA"]
fn exact_arithmetic_agrees_on_a_real_network() {
    let net = network("mnist_wk17a_linf0.1.onnx");
    let (image, label) = images(1).remove(0);
    let query = query(&net, &image, label, Norm::Linf, "0.1");
    let certificate = plain(&query);
    let start = Instant::now();
    let float = check(&query, &certificate, Arithmetic::Float).unwrap();
    let middle = Instant::now();
    let exact = check(&query, &certificate, Arithmetic::Exact).unwrap();
    println!("float {float:?} {:?}, exact {exact:?} {:?}", middle - start, middle.elapsed());
    assert!(exact.margin >= float.margin && exact.margin - float.margin < 1e-6);
    let start = Instant::now();
    println!("{:?} {:?}", replay(&query, &image), start.elapsed());
}
