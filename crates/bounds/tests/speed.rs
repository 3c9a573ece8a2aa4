//! How long a real network takes: `cargo test --release -p unmoved-bounds -- --ignored --nocapture`.

use std::path::PathBuf;
use std::time::Instant;
use unmoved_bounds::{Propagation, Tier};
use unmoved_ir::{Builder, Conv2d, DType, Dense, Network, Op, Rational, Tensor, lower_max_pool};
use unmoved_property::{InputRegion, Norm};

/// A tensor of a safetensors file, which are stored back to back behind a header.
fn tensor(data: &[u8], at: usize, dims: &[usize]) -> Tensor {
    let len: usize = dims.iter().product();
    let values = data[at..at + 4 * len].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    Tensor::f32(dims, values.collect()).unwrap()
}

fn wk17a(file: &[u8]) -> Network {
    let header = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let data = &file[8 + header..];
    let conv = |bias: usize, weight: usize, dims: [usize; 4]| {
        let mut conv = Conv2d::new(tensor(data, weight, &dims), tensor(data, bias, &dims[..1])).unwrap();
        (conv.stride, conv.padding) = ([2; 2], [1; 4]);
        Op::Conv2d(conv)
    };
    let dense = |bias: usize, weight: usize, dims: [usize; 2]| {
        Op::Dense(Dense::new(tensor(data, weight, &dims), tensor(data, bias, &dims[..1])).unwrap())
    };
    let layers = [
        conv(0, 64, [16, 1, 4, 4]),
        Op::Relu,
        conv(1088, 1216, [32, 16, 4, 4]),
        Op::Relu,
        Op::Flatten,
        dense(33984, 34384, [100, 1568]),
        Op::Relu,
        dense(661584, 661624, [10, 100]),
    ];
    let mut b = Builder::new();
    let mut x = b.input("x", &[1, 28, 28], DType::F32).unwrap();
    for (k, op) in layers.into_iter().enumerate() {
        x = b.push(&format!("n{k}"), op, &[x]).unwrap();
    }
    b.finish(x).unwrap()
}

#[test]
#[ignore = "needs UNMOVED_DATA"]
fn a_convolutional_network_takes_milliseconds() {
    let folder =
        PathBuf::from(std::env::var_os("UNMOVED_DATA").expect("UNMOVED_DATA names the folder with the networks"));
    let network = wk17a(&std::fs::read(folder.join("nets/mnist_wk17a_linf0.1.safetensors")).unwrap());
    let lowered = lower_max_pool(&network).unwrap();
    // A bright ring on black, about as much ink as a digit.
    let ink = |k: usize| {
        let (y, x) = ((k / 28) as f64 - 13.5, (k % 28) as f64 - 13.5);
        if ((y * y + x * x).sqrt() - 7.0).abs() < 1.5 { 1.0 } else { 0.0 }
    };
    let centre: Vec<f64> = (0..784).map(ink).collect();
    // The numbers of unstable ReLUs tell that the bounds are as tight as ever; times are for people to judge.
    for (norm, eps, most) in [(Norm::Linf, "1/10", 55), (Norm::L1, "3", 2500), (Norm::L2, "1/2", 1750)] {
        let range = Some((Rational::ZERO, Rational::ONE));
        let region = InputRegion::ball(centre.clone(), norm, eps.parse().unwrap(), range).unwrap();
        let mut best = f64::INFINITY;
        let mut unstable = 0;
        for _ in 0..5 {
            let start = Instant::now();
            unstable = Propagation::new(&lowered, &region, Tier::Linear).unstable();
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("{}: {unstable} unstable, {:.1} ms", norm.name(), 1e3 * best);
        assert!(unstable <= most, "{unstable}");
    }
}
