//! Training by interval bound propagation, and measuring the result.

use anyhow::Result;
use candle_core::{D, Tensor};
use candle_nn::ops::log_softmax;
use candle_nn::{AdamW, Optimizer, ParamsAdamW};

use crate::data::Images;
use crate::net::Net;
use crate::recipes::Recipe;
use crate::rng::Rng;

/// Where training stands; handed to the caller after every step.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps taken.
    pub step: usize,
    /// Steps there are.
    pub steps: usize,
    /// Whether an epoch ends here.
    pub epoch_ends: bool,
    /// Loss of this step's batch.
    pub loss: f32,
    /// Radius that this step trained for.
    pub eps: f64,
}

/// What a network achieves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Share of the images that are classified correctly.
    pub accuracy: f64,
    /// Share that is correct and that interval bounds alone prove robust.
    pub certified: f64,
}

/// How far radius, mixture and learning rate have come after a share `t` of the steps.
struct Schedule {
    eps: f64,
    kappa: f64,
    rate: f64,
}

impl Schedule {
    /// A tenth of the steps learns the plain images, then the radius grows until the middle: a network that meets
    /// the full radius at once learns to ignore its input. The last third cools down.
    fn at(t: f64, recipe: &Recipe) -> Self {
        let ramp = ((t - 0.1) / 0.4).clamp(0.0, 1.0);
        let cooling = ((t - 0.65) / 0.35).clamp(0.0, 1.0);
        Self {
            eps: recipe.eps * ramp,
            kappa: 1.0 - (1.0 - recipe.kappa) * ramp,
            rate: recipe.rate * 0.02f64.powf(cooling),
        }
    }
}

/// Trains a new network; the same recipe, images and seed give the same network. `report` is called after each step.
pub fn train(
    recipe: &Recipe,
    images: &Images,
    seed: u64,
    mut report: impl FnMut(&Net, Progress) -> Result<()>,
) -> Result<Net> {
    let mut rng = Rng::new(seed);
    let net = Net::new(recipe.arch.clone(), &mut rng)?;
    let mut optimizer = AdamW::new(net.variables(), ParamsAdamW { weight_decay: 0.0, ..ParamsAdamW::default() })?;
    let mut order: Vec<usize> = (0..images.len()).collect();
    let steps = recipe.epochs * images.len().div_ceil(recipe.batch);
    let mut step = 0;
    for _ in 0..recipe.epochs {
        rng.shuffle(&mut order);
        let mut batches = order.chunks(recipe.batch).peekable();
        while let Some(batch) = batches.next() {
            let schedule = Schedule::at(step as f64 / steps as f64, recipe);
            let (x, labels) = images.augmented_batch(batch, recipe.augment, &mut rng)?;
            let loss = loss(&net, &x, &labels, schedule.eps, schedule.kappa)?;
            optimizer.set_learning_rate(schedule.rate);
            optimizer.backward_step(&loss)?;
            step += 1;
            let epoch_ends = batches.peek().is_none();
            report(&net, Progress { step, steps, epoch_ends, loss: loss.to_scalar()?, eps: schedule.eps })?;
        }
    }
    Ok(net)
}

/// Cross entropy of the scores (weight `kappa`) and of the worst scores in the ball of radius `eps` (the rest).
pub fn loss(net: &Net, x: &Tensor, labels: &Tensor, eps: f64, kappa: f64) -> Result<Tensor> {
    let plain = cross_entropy(&net.scores(x)?, labels)?;
    if eps == 0.0 {
        return Ok(plain);
    }
    let (lower, upper) = ball(x, eps)?;
    let worst = cross_entropy(&net.margins(&lower, &upper, labels)?, labels)?;
    Ok(((plain * kappa)? + (worst * (1.0 - kappa))?)?)
}

/// The l-infinity ball around `x`, within the valid pixels.
pub fn ball(x: &Tensor, eps: f64) -> Result<(Tensor, Tensor)> {
    Ok(((x - eps)?.clamp(0f32, 1f32)?, (x + eps)?.clamp(0f32, 1f32)?))
}

fn cross_entropy(scores: &Tensor, labels: &Tensor) -> Result<Tensor> {
    Ok((log_softmax(scores, D::Minus1)? * labels)?.sum(1)?.mean(0)?.neg()?)
}

/// Measures accuracy, and what interval bounds prove at radius `eps`, on the first `count` images.
pub fn measure(net: &Net, images: &Images, count: usize, eps: f64) -> Result<Figures> {
    let indices: Vec<usize> = (0..count.min(images.len())).collect();
    let (mut correct, mut certified) = (0.0, 0.0);
    for batch in indices.chunks(250) {
        let (x, labels) = images.batch(batch)?;
        let scores = net.scores(&x)?;
        let own = (&scores * &labels)?.sum_keepdim(1)?;
        correct += count_unbeaten(&scores.broadcast_sub(&own)?, &labels)?;
        let (lower, upper) = ball(&x, eps)?;
        certified += count_unbeaten(&net.margins(&lower, &upper, &labels)?, &labels)?;
    }
    let total = indices.len() as f64;
    Ok(Figures { accuracy: correct / total, certified: certified / total })
}

/// The rows in which every margin but the label's is negative.
fn count_unbeaten(margins: &Tensor, labels: &Tensor) -> Result<f64> {
    let others = (margins - (labels * 1e30)?)?.max(1)?;
    Ok(others.to_vec1::<f32>()?.iter().filter(|worst| **worst < 0.0).count() as f64)
}
