//! Trains a small network with candle and proves, in the same program, how far its answers stay unmoved.
//!
//!     cargo run --release --example candle --features candle -p unmoved

use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::{
    AdamW, BatchNorm, Conv2d, Conv2dConfig, Linear, Module, ModuleT, Optimizer, ParamsAdamW, VarBuilder, VarMap,
    batch_norm, conv2d, linear, loss,
};
use fastrand::Rng;
use std::sync::Arc;
use std::time::Duration;
use unmoved::candle::{NetworkBuilder, NetworkExt};
use unmoved::property::{InputRegion, Norm, Query, Verdict};
use unmoved::search::{Options, decide};

/// Width and height of a picture.
const SIZE: usize = 8;
const SHAPES: [&str; 3] = ["line across", "line down", "square"];
const STEPS: usize = 150;
const BATCH: usize = 64;
/// How many pictures are asked about.
const ASKED: usize = 12;
const EPS: [&str; 4] = ["1/100", "1/20", "1/10", "1/4"];

struct Model {
    conv: Conv2d,
    norm: BatchNorm,
    hidden: Linear,
    scores: Linear,
}

impl Model {
    fn new(vb: VarBuilder<'_>) -> Result<Self> {
        let config = Conv2dConfig { stride: 2, padding: 1, ..Default::default() };
        Ok(Self {
            conv: conv2d(1, 6, 3, config, vb.pp("conv"))?,
            norm: batch_norm(6, 1e-5, vb.pp("norm"))?,
            hidden: linear(6 * (SIZE / 2) * (SIZE / 2), 24, vb.pp("hidden"))?,
            scores: linear(24, SHAPES.len(), vb.pp("scores"))?,
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let x = self.norm.forward_t(&self.conv.forward(x)?, train)?.relu()?;
        self.scores.forward(&self.hidden.forward(&x.flatten_from(1)?)?.relu()?)
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut rng = Rng::with_seed(1);
    let variables = VarMap::new();
    let model = Model::new(VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu))?;
    train(&model, &seeded(&variables, &mut rng)?, &mut rng)?;

    // The same layers in the same order, now as a network that can be reasoned about.
    let network = NetworkBuilder::new(&[1, SIZE, SIZE], DType::F32)
        .conv2d(&model.conv)
        .batch_norm(&model.norm)
        .relu()
        .flatten()
        .named("hidden")
        .linear(&model.hidden)
        .relu()
        .named("scores")
        .linear(&model.scores)
        .finish()?;
    let difference = network.check_against(|x| model.forward(x, false), 32)?;
    println!("{} ReLUs; differs from candle by {difference:.0e} of the range, which is rounding\n", network.relus());

    let network = Arc::new(network);
    let pictures: Vec<(Vec<f32>, usize)> = (0..ASKED).map(|k| draw(k % SHAPES.len(), &mut rng)).collect();
    let options = Options { time_limit: Some(Duration::from_secs(20)), ..Options::default() };
    println!("{:>6} {:>8} {:>8} {:>8}", "eps", "robust", "violated", "unknown");
    let mut moved = None;
    for eps in EPS {
        let mut counts = [0; 3];
        for (pixels, shape) in &pictures {
            let centre = pixels.iter().map(|&p| f64::from(p)).collect();
            let range = Some(("0".parse()?, "1".parse()?));
            let region = InputRegion::ball(centre, Norm::Linf, eps.parse()?, range)?;
            match decide(&Query::robustness(network.clone(), region, *shape)?, &options)?.verdict {
                Verdict::Robust => counts[0] += 1,
                Verdict::Violated(found) => {
                    counts[1] += 1;
                    moved.get_or_insert((eps, *shape, pixels, found));
                }
                Verdict::Unknown(_) => counts[2] += 1,
            }
        }
        println!("{eps:>6} {:>8} {:>8} {:>8}", counts[0], counts[1], counts[2]);
    }
    if let Some((eps, shape, pixels, found)) = moved {
        let others = (0..SHAPES.len()).filter(|&k| k != shape);
        let other = others.max_by(|&a, &b| found.output[a].total_cmp(&found.output[b])).unwrap_or(shape);
        println!("\nWithin {eps}, a {} becomes a {}:\n", SHAPES[shape], SHAPES[other]);
        for (before, after) in pixels.chunks(SIZE).zip(found.input.nearest.chunks(SIZE)) {
            println!("    {}    {}", shade(before), shade(after));
        }
    }
    Ok(())
}

fn train(model: &Model, variables: &[Var], rng: &mut Rng) -> Result<()> {
    let mut optimizer = AdamW::new(variables.to_vec(), ParamsAdamW { lr: 0.01, ..Default::default() })?;
    for step in 1..=STEPS {
        let (pixels, shapes): (Vec<_>, Vec<_>) = (0..BATCH).map(|k| draw(k % SHAPES.len(), rng)).unzip();
        let x = Tensor::from_vec(pixels.concat(), (BATCH, 1, SIZE, SIZE), &Device::Cpu)?;
        let labels: Vec<u32> = shapes.into_iter().map(|shape| shape as u32).collect();
        let labels = Tensor::new(labels, &Device::Cpu)?;
        let scores = model.forward(&x, true)?;
        let loss = loss::cross_entropy(&scores, &labels)?;
        optimizer.backward_step(&loss)?;
        if step % 50 == 0 {
            let right = scores.argmax(D::Minus1)?.eq(&labels)?.to_dtype(DType::F32)?.mean_all()?.to_scalar::<f32>()?;
            println!("step {step}: loss {:.3}, {:.0} % right", loss.to_scalar::<f32>()?, 100.0 * right);
        }
    }
    Ok(())
}

/// All variables, set to numbers that are the same in every run; candle's own cannot be seeded on the CPU.
fn seeded(variables: &VarMap, rng: &mut Rng) -> Result<Vec<Var>> {
    let data = variables.data().lock().map_err(|_| candle_core::Error::msg("a thread panicked"))?;
    let mut named: Vec<(&String, &Var)> = data.iter().collect();
    named.sort_by_key(|(name, _)| *name);
    for (name, var) in &named {
        // Those of the batch normalisation are constants, ones and zeros.
        if !name.starts_with("norm") {
            let spread = if var.rank() > 1 { (6.0 / (var.elem_count() / var.dim(0)?) as f32).sqrt() } else { 0.0 };
            let numbers = (0..var.elem_count()).map(|_| spread * (2.0 * rng.f32() - 1.0)).collect();
            var.set(&Tensor::from_vec(numbers, var.shape(), var.device())?)?;
        }
    }
    Ok(named.into_iter().map(|(_, var)| var.clone()).collect())
}

/// A noisy picture of a shape somewhere, pixels from 0 to 1.
fn draw(shape: usize, rng: &mut Rng) -> (Vec<f32>, usize) {
    let side = rng.usize(4..=5);
    let (top, left) = (rng.usize(0..=SIZE - side), rng.usize(0..=SIZE - side));
    let is_drawn = |y: usize, x: usize| {
        let (y, x) = (y.wrapping_sub(top), x.wrapping_sub(left));
        let inside = y < side && x < side;
        inside
            && match shape {
                0 => y == side / 2,
                1 => x == side / 2,
                _ => y == 0 || x == 0 || y == side - 1 || x == side - 1,
            }
    };
    let pixels = (0..SIZE * SIZE).map(|k| {
        let noise = 0.2 * rng.f32();
        if is_drawn(k / SIZE, k % SIZE) { 1.0 - noise } else { noise }
    });
    (pixels.collect(), shape)
}

/// A row of pixels as characters.
fn shade(row: &[f32]) -> String {
    row.iter().map(|p| [' ', '.', ':', '+', '#'][(p * 4.0).round() as usize]).collect()
}
