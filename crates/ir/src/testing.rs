//! Small random networks for tests, of this crate and of others: every operator, shared values, padding, duplicates.
//!
//! Not part of the interface; built only with the feature `testing`.

use crate::{Builder, Conv2d, DType, Dense, Gather, MaxPool, Network, NodeId, NodeProblem, Op, Shape, Slack, Tensor};

/// A generator of numbers (SplitMix64): the same seed, the same numbers.
#[derive(Debug, Clone)]
pub struct Rng(pub u64);

impl Rng {
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `[0, n)`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in `[-1, 1)`.
    pub fn signed(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }
}

/// What random networks look like.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The shape of the input.
    pub input: Vec<usize>,
    /// The number of operators.
    pub nodes: usize,
    /// The number of outputs.
    pub outputs: usize,
    /// Weights are single-precision numbers of about this size, every fourth of them zero.
    pub scale: f64,
    /// Round weights to multiples of this: coarse ones make values tie and meet zero.
    pub step: Option<f64>,
    /// Give some layers a slack of this size.
    pub slack: Option<f64>,
    /// Allow max-pools.
    pub max_pool: bool,
    /// The most elements of a value.
    pub width: usize,
    /// The most ReLUs, those included that lowering makes of max-pools.
    pub relus: usize,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            input: vec![2, 4, 3],
            nodes: 8,
            outputs: 3,
            scale: 0.7,
            step: None,
            slack: None,
            max_pool: true,
            width: usize::MAX,
            relus: usize::MAX,
        }
    }
}

/// A random network of all seven operators, where values are often read more than once.
pub fn random_network(rng: &mut Rng, recipe: &Recipe) -> Network {
    let mut b = Builder::new();
    let input = b.input("x", &recipe.input, DType::F32).expect("an input");
    let mut values = vec![input];
    let mut relus = 0;
    while values.len() <= recipe.nodes {
        // Mostly the latest value, so that networks are deep.
        let x = if rng.below(3) > 0 { values[values.len() - 1] } else { values[rng.below(values.len())] };
        let (op, inputs) = random_op(rng, recipe, &b, &values, x).expect("a valid operator");
        // Now and then what was drawn does not fit (a window wholly in the padding, too many ReLUs); then draw again.
        let shapes: Vec<&Shape> = inputs.iter().map(|&i| b.shape(i)).collect();
        let Ok(shape) = op.output_shape(&shapes) else { continue };
        let more = relus + relus_of(&op, &shape);
        if shape.len() > recipe.width || more > recipe.relus {
            continue;
        }
        relus = more;
        values.push(b.push(&format!("n{}", values.len()), op, &inputs).expect("it fits"));
    }
    let last = values[values.len() - 1];
    let len = b.shape(last).len();
    let flat = b.reshape("flat", last, &[len]).expect("a reshape");
    let dense = random_dense(rng, recipe, recipe.outputs, len).expect("a dense layer");
    let output = b.push("output", Op::Dense(dense), &[flat]).expect("an output");
    b.finish(output).expect("a network")
}

/// How many ReLUs an operator has, or at most becomes.
fn relus_of(op: &Op, output: &Shape) -> usize {
    match op {
        Op::Relu => output.len(),
        Op::MaxPool(pool) => (pool.kernel[0] * pool.kernel[1] - 1) * output.len(),
        _ => 0,
    }
}

/// One weight.
fn weight(rng: &mut Rng, recipe: &Recipe) -> f32 {
    if rng.below(4) == 0 {
        return 0.0;
    }
    let weight = recipe.scale * rng.signed();
    recipe.step.map_or(weight, |step| (weight / step).round() * step) as f32
}

fn tensor(rng: &mut Rng, recipe: &Recipe, dims: &[usize]) -> Result<Tensor, NodeProblem> {
    Tensor::f32(dims, (0..dims.iter().product()).map(|_| weight(rng, recipe)).collect())
}

fn random_slack(rng: &mut Rng, recipe: &Recipe, rows: usize) -> Option<Slack> {
    let size = recipe.slack.filter(|_| rng.below(2) == 0)?;
    let mut list = || (0..rows).map(|_| size * rng.unit()).collect();
    Some(Slack { weight: list(), bias: list() })
}

fn random_dense(rng: &mut Rng, recipe: &Recipe, outputs: usize, inputs: usize) -> Result<Dense, NodeProblem> {
    let mut dense = Dense::new(tensor(rng, recipe, &[outputs, inputs])?, tensor(rng, recipe, &[outputs])?)?;
    dense.slack = random_slack(rng, recipe, outputs);
    Ok(dense)
}

fn random_conv(rng: &mut Rng, recipe: &Recipe, channels: usize) -> Result<Conv2d, NodeProblem> {
    let groups = if channels.is_multiple_of(2) { 1 + rng.below(2) } else { 1 };
    let outputs = groups * (1 + rng.below(2));
    let dims = [outputs, channels / groups, 1 + rng.below(2), 1 + rng.below(3)];
    let mut conv = Conv2d::new(tensor(rng, recipe, &dims)?, tensor(rng, recipe, &[outputs])?)?;
    (conv.groups, conv.stride, conv.dilation) = (groups, pair(rng, 2), pair(rng, 2));
    conv.padding = padding(rng);
    conv.slack = random_slack(rng, recipe, outputs);
    Ok(conv)
}

fn pair(rng: &mut Rng, most: usize) -> [usize; 2] {
    [1 + rng.below(most), 1 + rng.below(most)]
}

fn padding(rng: &mut Rng) -> [usize; 4] {
    std::array::from_fn(|_| rng.below(2))
}

fn random_op(
    rng: &mut Rng,
    recipe: &Recipe,
    b: &Builder,
    values: &[NodeId],
    x: NodeId,
) -> Result<(Op, Vec<NodeId>), NodeProblem> {
    let shape = b.shape(x);
    let op = match (rng.below(8), shape.image()) {
        (0 | 1, Some([channels, ..])) => Op::Conv2d(random_conv(rng, recipe, channels)?),
        (2, Some(_)) if recipe.max_pool => {
            let pool =
                MaxPool { kernel: pair(rng, 3), stride: pair(rng, 2), padding: padding(rng), dilation: pair(rng, 2) };
            Op::MaxPool(pool)
        }
        (0..=2, _) if shape.rank() == 1 => {
            let outputs = 2 + rng.below(6);
            Op::Dense(random_dense(rng, recipe, outputs, shape.len())?)
        }
        (3, _) => {
            // Duplicates, zeros, and back to an image.
            let dims = [1 + rng.below(2), 1 + rng.below(4), 1 + rng.below(4)];
            let mut index = || (rng.below(5) > 0).then(|| rng.below(shape.len()) as u32);
            let index = (0..dims.iter().product()).map(|_| index()).collect();
            Op::Gather(Gather::new(index, &dims)?)
        }
        (4, _) => {
            let same: Vec<NodeId> = values.iter().copied().filter(|&v| b.shape(v) == shape).collect();
            return Ok((Op::Add, vec![same[rng.below(same.len())], x]));
        }
        (5, _) => Op::Flatten,
        _ => Op::Relu,
    };
    Ok((op, vec![x]))
}
