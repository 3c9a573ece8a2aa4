//! The network as the checker walks it: max-pools lowered, weights in the checker's arithmetic, geometry precomputed.

use crate::real::{Real, add_up, inflate, mul_up, sum_up};
use crate::window::Window;
use std::ops::Range;
use unmoved_ir::{Conv2d, IrError, Lowered, Network, Node, NodeId, Op, Shape, Sliding, lower_max_pool};

/// A network ready to be walked in the arithmetic `R`.
pub(crate) struct Layers<R> {
    pub(crate) nodes: Vec<Layer<R>>,
    pub(crate) output: usize,
    pub(crate) lowered: Lowered,
    /// Whether the bound table has a row for the node: the input, and whatever a Relu reads.
    pub(crate) tabled: Vec<bool>,
    /// Multiplications of one walk through all nodes, about.
    pub(crate) products: usize,
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
    /// The same weights, those of one input (of one tap of a Conv2d's window) side by side: `[input or tap][output]`, per group.
    columns: Vec<R>,
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

/// Outputs that read the same inputs: all rows of a Dense, the channels of one group and one pixel of a Conv2d.
#[derive(Clone, Copy)]
pub(crate) struct Site {
    group: usize,
    /// The first of them, and how far the next is.
    pub(crate) first: usize,
    pub(crate) stride: usize,
    pub(crate) count: usize,
}

/// Where the window of one output element lies.
pub(crate) struct Place {
    output: usize,
    first_channel: usize,
    pub(crate) down: Taps,
    right: Taps,
}

impl Conv {
    /// The window of output element `k`.
    #[inline(always)]
    pub(crate) fn at(&self, k: usize) -> Place {
        let [_, rows, columns] = self.output.0;
        let (output, y, x) = (k / (rows * columns), k / columns % rows, k % columns);
        let first_channel = output / self.group[1] * self.group[0];
        Place { output, first_channel, down: self.taps[0][y], right: self.taps[1][x] }
    }

    /// The weights of channel `c` of the window, row `i`, and the first input that they read.
    #[inline(always)]
    pub(crate) fn run(&self, place: &Place, c: usize, i: usize) -> (Range<usize>, usize) {
        let [_, height, width] = self.input.0;
        let Place { output, first_channel, down, right } = place;
        let line = (output * self.group[0] + c) * self.kernel[0] + down.first + i;
        let weight = line * self.kernel[1] + right.first;
        let row = (first_channel + c) * height + down.source + i * self.dilation[0];
        (weight..weight + right.count, row * width + right.source)
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
                let tap = conv.at(k);
                for c in 0..conv.group[0] {
                    for i in 0..tap.down.count {
                        let (weights, start) = conv.run(&tap, c, i);
                        run(&self.weight[weights], start, conv.dilation[1]);
                    }
                }
            }
        }
    }

    /// All outputs within a window, site by site.
    pub(crate) fn sites(&self, window: &Window) -> impl Iterator<Item = Site> + use<R> {
        let ([groups, width, area, count], rows, columns) = match &self.map {
            Map::Dense { .. } => ([1, 1, 1, self.bias.len()], 0..1, 0..1),
            Map::Conv(conv) => {
                let [channels, height, width] = conv.output.0;
                let sizes = [channels / conv.group[1], width, height * width, conv.group[1]];
                (sizes, window.rows.clone(), window.columns.clone())
            }
        };
        let first = move |group, y, x| group * count * area + y * width + x;
        let site = move |group, y, x| Site { group, first: first(group, y, x), stride: area, count };
        (0..groups).flat_map(move |g| {
            let columns = columns.clone();
            rows.clone().flat_map(move |y| columns.clone().map(move |x| site(g, y, x)))
        })
    }

    /// The inputs that a site reads, each with its weights, one per output of the site.
    #[inline(always)]
    pub(crate) fn columns<'a>(&'a self, site: &Site, mut visit: impl FnMut(usize, &'a [R])) {
        let column = |k: usize| &self.columns[k * site.count..(k + 1) * site.count];
        match &self.map {
            Map::Dense { inputs } => (0..*inputs).for_each(|i| visit(i, column(i))),
            Map::Conv(conv) => {
                let place = conv.at(site.first);
                for c in 0..conv.group[0] {
                    for i in 0..place.down.count {
                        // The run of the group's first output is as long as that of any other.
                        let (weights, start) = conv.run(&place, c, i);
                        let taps = conv.group[0] * conv.kernel[0] * conv.kernel[1];
                        let tap = site.group * taps + weights.start % taps;
                        for j in 0..weights.len() {
                            visit(start + j * conv.dilation[1], column(tap + j));
                        }
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
        let products = |layer: &Layer<R>| match &layer.kind {
            Kind::Affine(affine) => layer.image.len().saturating_mul(affine.row_terms),
            _ => layer.image.len(),
        };
        let products = nodes.iter().map(products).fold(0, usize::saturating_add);
        Ok(Self { nodes, output: network.output().0, tabled, products, lowered })
    }

    /// The nodes that have a row in the bound table, but for the input.
    pub(crate) fn tabled_nodes(&self) -> Vec<NodeId> {
        (1..self.tabled.len()).filter(|&node| self.tabled[node]).map(NodeId).collect()
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
                    columns: transposed(&R::from_tensor(&dense.weight), rows),
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
        columns: R::from_tensor(&conv.weight)
            .chunks(row * per_group[1])
            .flat_map(|g| transposed(g, per_group[1]))
            .collect(),
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

/// A matrix of so many rows, column by column.
fn transposed<R: Real>(matrix: &[R], rows: usize) -> Vec<R> {
    let columns = matrix.len() / rows.max(1);
    (0..columns).flat_map(|c| (0..rows).map(move |r| matrix[r * columns + c].clone())).collect()
}

fn taps_of(sliding: &Sliding, axis: usize, out: usize) -> Taps {
    let valid = sliding.valid_taps(axis, out);
    let source = sliding.source(axis, out, valid.start).unwrap_or(0);
    Taps { first: valid.start, count: valid.len(), source }
}
