//! The network as the checker walks it: max-pools lowered, weights in the checker's arithmetic, geometry precomputed.

use crate::real::{Real, add_up, inflate, mul_up, sum_up};
use unmoved_ir::{Conv2d, IrError, Lowered, Network, Node, Op, Shape, Sliding, lower_max_pool};

/// A network ready to be walked in the arithmetic `R`.
pub(crate) struct Layers<R> {
    pub(crate) nodes: Vec<Layer<R>>,
    pub(crate) output: usize,
    pub(crate) lowered: Lowered,
    /// Whether the bound table has a row for the node: the input, and whatever a Relu reads.
    pub(crate) tabled: Vec<bool>,
}

/// One node.
pub(crate) struct Layer<R> {
    pub(crate) kind: Kind<R>,
    pub(crate) inputs: Vec<usize>,
    pub(crate) image: Image,
}

/// Channels, height and width of a value; what is not an image is one row of one channel.
#[derive(Clone, Copy)]
pub(crate) struct Image(pub(crate) [usize; 3]);

/// What a node computes. Flatten is a Gather that keeps every element.
pub(crate) enum Kind<R> {
    Input,
    Affine(Box<Affine<R>>),
    Relu,
    Add,
    Gather(Gather),
}

/// A Dense or a Conv2d.
pub(crate) struct Affine<R> {
    pub(crate) map: Map,
    pub(crate) weight: Vec<R>,
    /// One per row (Dense) or output channel (Conv2d).
    pub(crate) bias: Vec<R>,
    /// How far true weights may be from these, per row (Dense) or channel (Conv2d).
    pub(crate) slack: Option<unmoved_ir::Slack>,
    /// At least the sum of `|w|` of every row: over what one output reads.
    pub(crate) row_sum: f64,
    /// At least the sum of `|w|` of every column: over what reads one input.
    pub(crate) column_sum: f64,
    /// At least the sum of `|b|` over all outputs.
    pub(crate) bias_sum: f64,
    /// The most terms that one output, or one input's adjoint, is a sum of.
    pub(crate) row_terms: usize,
    pub(crate) column_terms: usize,
}

/// Which weight connects which elements.
pub(crate) enum Map {
    /// Row-major, one row per output.
    Dense {
        inputs: usize,
    },
    Conv(Conv),
}

/// The geometry of a convolution; weights as in [`Conv2d`].
pub(crate) struct Conv {
    pub(crate) input: Image,
    pub(crate) output: Image,
    pub(crate) kernel: [usize; 2],
    pub(crate) dilation: [usize; 2],
    /// Input and output channels per group.
    pub(crate) group: [usize; 2],
    /// For each output row (axis 0) and column (axis 1) its taps outside the padding.
    pub(crate) taps: [Vec<Taps>; 2],
}

/// Taps `first .. first + count` read inputs `source`, `source + dilation`, ...
#[derive(Clone, Copy, Default)]
pub(crate) struct Taps {
    pub(crate) first: usize,
    pub(crate) count: usize,
    pub(crate) source: usize,
}

/// An index map; `None` keeps every element where it is.
pub(crate) struct Gather {
    pub(crate) index: Option<std::sync::Arc<Vec<Option<u32>>>>,
    /// How often the most popular element is copied.
    pub(crate) copies: usize,
}

impl Image {
    pub(crate) fn of(shape: &Shape) -> Self {
        Self(shape.image().unwrap_or([1, 1, shape.len()]))
    }

    pub(crate) fn len(self) -> usize {
        self.0.iter().product()
    }
}

impl Gather {
    /// The input element that output `k` copies, if it is not zero.
    #[inline]
    pub(crate) fn source(&self, k: usize) -> Option<usize> {
        match &self.index {
            None => Some(k),
            Some(index) => index[k].map(|i| i as usize),
        }
    }
}

impl<R: Real> Affine<R> {
    /// The bias of output element `k`.
    pub(crate) fn bias(&self, k: usize) -> &R {
        &self.bias[self.channel(k)]
    }

    /// The weights that output element `k` reads its inputs with, as runs: weights, and the first input with the distance
    /// to the next.
    #[inline(always)]
    pub(crate) fn runs(&self, k: usize, mut run: impl FnMut(&[R], usize, usize)) {
        match &self.map {
            Map::Dense { inputs } => run(&self.weight[k * inputs..(k + 1) * inputs], 0, 1),
            Map::Conv(conv) => {
                let [_, rows, columns] = conv.output.0;
                let [_, height, width] = conv.input.0;
                let [_, kernel_width] = conv.kernel;
                let channels = conv.group[0];
                let (o, y, x) = (k / (rows * columns), k / columns % rows, k % columns);
                let (down, right) = (conv.taps[0][y], conv.taps[1][x]);
                let first_channel = o / conv.group[1] * channels;
                for c in 0..channels {
                    let kernel = (o * channels + c) * conv.kernel[0] + down.first;
                    let image = (first_channel + c) * height + down.source;
                    for i in 0..down.count {
                        let w = (kernel + i) * kernel_width + right.first;
                        let source = (image + i * conv.dilation[0]) * width + right.source;
                        run(&self.weight[w..w + right.count], source, conv.dilation[1]);
                    }
                }
            }
        }
    }

    /// Which row (Dense) or channel (Conv2d) output element `k` belongs to.
    pub(crate) fn channel(&self, k: usize) -> usize {
        match &self.map {
            Map::Dense { .. } => k,
            Map::Conv(conv) => k / (conv.output.0[1] * conv.output.0[2]),
        }
    }
}

impl<R: Real> Layers<R> {
    /// Lowers and prepares a network. Errors only if the lowered network would be too large.
    pub(crate) fn new(network: &Network) -> Result<Self, IrError> {
        let lowered = lower_max_pool(network)?;
        let network = &lowered.network;
        let mut tabled = vec![false; network.nodes().len()];
        tabled[0] = true;
        let mut nodes = Vec::with_capacity(tabled.len());
        for node in network.nodes() {
            if node.op == Op::Relu {
                tabled[node.inputs[0].0] = true;
            }
            nodes.push(Layer::new(node, network)?);
        }
        Ok(Self { nodes, output: network.output().0, tabled, lowered })
    }
}

impl<R: Real> Layer<R> {
    pub(crate) fn is_relu(&self) -> bool {
        matches!(self.kind, Kind::Relu)
    }

    fn new(node: &Node, network: &Network) -> Result<Self, IrError> {
        let input = || &network.node(node.inputs[0]).shape;
        let kind = match &node.op {
            Op::Input(_) => Kind::Input,
            Op::Relu => Kind::Relu,
            Op::Add => Kind::Add,
            Op::Flatten => Kind::Gather(Gather { index: None, copies: 1 }),
            Op::Gather(gather) => {
                let mut copies = vec![0usize; input().len()];
                gather.index.iter().flatten().for_each(|&i| copies[i as usize] += 1);
                let copies = copies.into_iter().max().unwrap_or(0);
                Kind::Gather(Gather { index: Some(gather.index.clone()), copies })
            }
            Op::Dense(dense) => {
                let (rows, inputs) = (dense.outputs(), dense.inputs());
                let weight = dense.weight.to_f64();
                let mut columns = vec![0.0; inputs];
                for row in weight.chunks(inputs) {
                    columns.iter_mut().zip(row).for_each(|(column, w)| *column += w.abs());
                }
                Kind::Affine(Box::new(Affine {
                    row_sum: largest(weight.chunks(inputs).map(magnitude)),
                    column_sum: largest(columns.into_iter().map(|sum| inflate(sum, rows))),
                    bias_sum: magnitude(&dense.bias.to_f64()),
                    row_terms: inputs,
                    column_terms: rows,
                    map: Map::Dense { inputs },
                    weight: R::from_tensor(&dense.weight),
                    bias: R::from_tensor(&dense.bias),
                    slack: dense.slack.clone(),
                }))
            }
            Op::Conv2d(conv) => Kind::Affine(Box::new(conv_layer(conv, input(), &node.shape)?)),
            Op::MaxPool(_) => unreachable!("lowered networks have no max-pool"),
        };
        Ok(Self { kind, inputs: node.inputs.iter().map(|i| i.0).collect(), image: Image::of(&node.shape) })
    }
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}

/// The sum of the magnitudes of weights, rounded up.
fn magnitude(weights: &[f64]) -> f64 {
    sum_up(weights.iter().map(|w| w.abs()))
}

fn conv_layer<R: Real>(conv: &Conv2d, input: &Shape, output: &Shape) -> Result<Affine<R>, IrError> {
    let sliding = conv.sliding(input)?;
    let kernel = conv.kernel();
    let per_group = [sliding.input[0] / conv.groups, conv.outputs() / conv.groups];
    let area = kernel[0] * kernel[1];
    let row = per_group[0] * area;
    let weight = conv.weight.to_f64();
    // One sum per group and input channel, over all taps and output channels: no input is read by more.
    let mut columns = vec![0.0; sliding.input[0]];
    for (i, taps) in weight.chunks(area).enumerate() {
        let (output, channel) = (i / per_group[0], i % per_group[0]);
        let column = &mut columns[output / per_group[1] * per_group[0] + channel];
        *column = add_up(*column, magnitude(taps));
    }
    let taps = [0, 1].map(|axis| {
        let taps = |out| taps_of(&sliding, axis, out);
        (0..sliding.output[axis]).map(taps).collect()
    });
    Ok(Affine {
        row_sum: largest(weight.chunks(row).map(magnitude)),
        column_sum: largest(columns.into_iter()),
        bias_sum: mul_up(magnitude(&conv.bias.to_f64()), (sliding.output[0] * sliding.output[1]) as f64),
        row_terms: row,
        column_terms: per_group[1] * area,
        weight: R::from_tensor(&conv.weight),
        bias: R::from_tensor(&conv.bias),
        slack: conv.slack.clone(),
        map: Map::Conv(Conv {
            input: Image::of(input),
            output: Image::of(output),
            kernel,
            dilation: conv.dilation,
            group: per_group,
            taps,
        }),
    })
}

fn taps_of(sliding: &Sliding, axis: usize, out: usize) -> Taps {
    let valid = sliding.valid_taps(axis, out);
    let source = sliding.source(axis, out, valid.start).unwrap_or(0);
    Taps { first: valid.start, count: valid.len(), source }
}
