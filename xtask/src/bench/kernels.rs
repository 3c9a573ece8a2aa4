//! How fast the matrix products of the search are, beside those of the crate gemm in the same run, on one thread each.
//!
//! A product of ours multiplies a layer's weights, in sparse blocks, with sixteen vectors. The peer has the same layer as a dense
//! matrix; that of a convolution is the im2col shape, whose columns it is given for nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use unmoved_bounds::engine::{Compact, Known, LANES, Product};
use unmoved_ir::{Builder, Conv2d, DType, Dense, NodeId, Op, Rational, Tensor, lower_max_pool};
use unmoved_property::InputRegion;

/// A layer to measure.
struct Layer {
    name: &'static str,
    input: &'static [usize],
    /// Outputs and inputs, or output channels, input channels and the kernel's sides.
    weight: &'static [usize],
}

const LAYERS: [Layer; 6] = [
    Layer { name: "dense 256x256", input: &[256], weight: &[256, 256] },
    Layer { name: "dense 500x784", input: &[784], weight: &[500, 784] },
    Layer { name: "dense 100x1568", input: &[1568], weight: &[100, 1568] },
    Layer { name: "conv 16->32 4x4/2 on 14x14", input: &[16, 14, 14], weight: &[32, 16, 4, 4] },
    Layer { name: "conv 3->16 4x4/2 on 32x32", input: &[3, 32, 32], weight: &[16, 3, 4, 4] },
    Layer { name: "conv 16->32 4x4/2 on 16x16", input: &[16, 16, 16], weight: &[32, 16, 4, 4] },
];

/// A measurement is the least of the times of so many runs, and of as many as fit into this.
const RUNS: usize = 5;
const LEAST: Duration = Duration::from_millis(400);

/// Prints the table.
pub(super) fn run() -> Result<()> {
    println!("| layer | pass | of its products useful | GFLOP/s | gemm | ratio |");
    println!("|---|---|---|---|---|---|");
    for layer in &LAYERS {
        layer.measure()?;
    }
    Ok(())
}

impl Layer {
    fn measure(&self) -> Result<()> {
        let weights: Vec<f32> = (0..self.weight.iter().product()).map(weight).collect();
        let compact = self.compact(&weights)?;
        let products = compact.products().next().context("the layer is affine")?;
        // Of a window: its rows and columns as a matrix, and how often it is applied.
        let [rows, columns] = [self.weight[0], self.weight[1..].iter().product()];
        let windows = products[0].result().len() / rows;
        for (pass, mut product) in ["up", "down"].into_iter().zip(products) {
            let seconds = fastest(|| product.run());
            let (m, k) = if pass == "up" { (rows, columns) } else { (columns, rows) };
            let peer = Peer::new(&weights, [m, k], pass == "down", windows * LANES);
            if self.weight.len() == 2 {
                agree(&compact, &peer, pass)?;
            }
            let (ours, theirs) = (product.useful() as f64 / seconds / 1e9, peer.speed());
            let useful = 100.0 * product.useful() as f64 / product.operations() as f64;
            let name = self.name;
            println!("| {name} | {pass} | {useful:.0} % | {ours:.1} | {theirs:.1} | {:.2} |", ours / theirs);
        }
        Ok(())
    }

    /// The layer alone, as the search has it.
    fn compact(&self, weights: &[f32]) -> Result<Compact> {
        let weight = Tensor::f32(self.weight, weights.to_vec())?;
        let bias = Tensor::f32(&self.weight[..1], vec![0.0; self.weight[0]])?;
        let op = if self.weight.len() == 2 {
            Op::Dense(Dense::new(weight, bias)?)
        } else {
            let mut conv = Conv2d::new(weight, bias)?;
            (conv.stride, conv.padding) = ([2; 2], [1; 4]);
            Op::Conv2d(conv)
        };
        let mut builder = Builder::new();
        let x = builder.input("x", self.input, DType::F32)?;
        let y = builder.push("y", op, &[x])?;
        // Elements of an output stand in their own order, those of all other values so that blocks are full.
        let y = if self.weight.len() == 2 { y } else { builder.push("flat", Op::Flatten, &[y])? };
        let lowered = lower_max_pool(&builder.finish(y)?)?;
        let inputs = self.input.iter().product();
        let region = InputRegion::boxed(vec![Rational::ZERO; inputs], vec![Rational::ONE; inputs])?;
        let limits = region.enclosing_box();
        let known = |_: NodeId| Some(Known { lower: &limits.lower, upper: &limits.upper });
        Ok(Compact::new(&lowered, &region, known))
    }
}

/// Never zero, since zeros are left out of sparse blocks.
fn weight(k: usize) -> f32 {
    ((k * 37 % 101) as f32 - 50.3) * 1e-2
}

/// The same product as gemm has it.
struct Peer {
    /// Row-major, or column-major for a backward pass: no weight is moved.
    weights: Vec<f32>,
    shape: [usize; 2],
    transposed: bool,
    vectors: usize,
}

impl Peer {
    fn new(weights: &[f32], shape: [usize; 2], transposed: bool, vectors: usize) -> Self {
        Self { weights: weights.to_vec(), shape, transposed, vectors }
    }

    fn multiply(&self, from: &[f32], to: &mut [f32]) {
        let ([m, k], n) = (self.shape, self.vectors);
        let weights = match self.transposed {
            true => MatRef::from_column_major_slice(&self.weights, m, k),
            false => MatRef::from_row_major_slice(&self.weights, m, k),
        };
        let from = MatRef::from_row_major_slice(from, k, n);
        matmul(MatMut::from_row_major_slice_mut(to, m, n), Accum::Add, weights, from, 1.0, Par::Seq);
    }

    /// In GFLOP/s.
    fn speed(&self) -> f64 {
        let ([m, k], n) = (self.shape, self.vectors);
        let (from, mut to) = (vec![1e-3; k * n], vec![0.0; m * n]);
        (2 * m * k * n) as f64 / fastest(|| self.multiply(&from, &mut to)) / 1e9
    }
}

/// That both compute the same; a fast product of something else is worth nothing.
fn agree(compact: &Compact, peer: &Peer, pass: &str) -> Result<()> {
    let [up, down] = compact.products().next().context("the layer is affine")?;
    let mut product: Product<'_> = if pass == "up" { up } else { down };
    product.run();
    let from: Vec<f32> = product.from().iter().flat_map(|v| v.0).collect();
    let mut to = vec![0.0; peer.shape[0] * peer.vectors];
    peer.multiply(&from, &mut to);
    let ours = product.result().iter().flat_map(|v| v.0);
    let most = ours.zip(&to).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    ensure!(most < 1e-3, "{pass}: the products differ by {most}");
    Ok(())
}

/// The least seconds that one call takes.
fn fastest(mut call: impl FnMut()) -> f64 {
    // Several calls at a time, so that reading the clock costs nothing.
    let clock = |calls: usize, call: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_secs_f64()
    };
    let once = clock(2, &mut call) / 2.0;
    let calls = ((1e-3 / once.max(1e-9)) as usize).max(1);
    let start = Instant::now();
    let mut best = f64::INFINITY;
    let mut runs = 0;
    while runs < RUNS || start.elapsed() < LEAST {
        best = best.min(clock(calls, &mut call) / calls as f64);
        runs += 1;
    }
    best
}
