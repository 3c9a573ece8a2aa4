//! How long a real network takes: `cargo test --release -p unmoved-core --test speed -- --ignored --nocapture`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use unmoved_bounds::{Propagation, Tier};
use unmoved_core::{Objective, encode};
use unmoved_ir::{Rational, lower_max_pool};
use unmoved_property::{InputRegion, Norm, Query};

const ARCHITECTURE: &str = "net 1
input x f32 [1 28 28]
layer c1 = conv x 0.weight 0.bias stride 2 2 pad 1 1 1 1
layer a1 = relu c1
layer c2 = conv a1 2.weight 2.bias stride 2 2 pad 1 1 1 1
layer a2 = relu c2
layer f = flatten a2
layer h3 = dense f 5.weight 5.bias
layer a3 = relu h3
layer y = dense a3 7.weight 7.bias
output y
end
";

#[test]
#[ignore = "needs UNMOVED_DATA"]
fn a_convolutional_network_is_encoded_in_fifty_milliseconds() {
    let folder: PathBuf = std::env::var_os("UNMOVED_DATA").expect("UNMOVED_DATA names the folder with nets").into();
    let file = std::fs::read(folder.join("nets/mnist_wk17a_linf0.1.safetensors")).unwrap();
    let network = Arc::new(unmoved_safetensors::from_bytes(&file, Some(ARCHITECTURE)).unwrap().network);
    // A bright ring on black, about as much ink as a digit.
    let ink = |k: usize| {
        let (y, x) = ((k / 28) as f64 - 13.5, (k % 28) as f64 - 13.5);
        if ((y * y + x * x).sqrt() - 7.0).abs() < 1.5 { 1.0 } else { 0.0 }
    };
    let centre = (0..784).map(ink).collect();
    let range = Some((Rational::ZERO, Rational::ONE));
    let region = InputRegion::ball(centre, Norm::Linf, "1/10".parse().unwrap(), range).unwrap();
    let query = Query::robustness(network, region, 0).unwrap();
    let lowered = lower_max_pool(query.network()).unwrap();
    let propagation = Propagation::new(&lowered, query.region(), Tier::Linear);
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        let milp = encode(&query, &propagation, Objective::Worst, None).unwrap();
        best = best.min(start.elapsed().as_secs_f64());
        println!("{}", milp.listing().lines().next().unwrap());
    }
    let milp = encode(&query, &propagation, Objective::Worst, None).unwrap();
    let (mut lp, mut mps) = (Vec::new(), Vec::new());
    let start = Instant::now();
    milp.write_lp(&mut lp).unwrap();
    let lp_time = start.elapsed();
    milp.write_mps(&mut mps).unwrap();
    println!("{}", milp.listing());
    println!("encoded in {:.1} ms, {} nonzeros", 1e3 * best, milp.nonzeros());
    println!("LP {} bytes in {lp_time:?}, MPS {} bytes in {:?}", lp.len(), mps.len(), start.elapsed() - lp_time);
    assert!(cfg!(debug_assertions) || best < 0.05);
}
