//! A small network, ready to be walked for many boxes.

use crate::affine::Affine;
use std::sync::Arc;
use unmoved_ir::{Lowered, Network, NodeId, Op};

/// The most weights of one matrix, zeros included, with which a network counts as small.
const MOST_WEIGHTS: usize = 1 << 20;

/// A lowered network whose affine layers are matrices.
#[derive(Debug)]
pub struct Layers {
    pub(super) nodes: Vec<Layer>,
    pub(super) output: usize,
    /// All elements of all tabled values.
    pub(super) tabled: usize,
}

/// One node.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) kind: Kind,
    pub(super) inputs: Vec<usize>,
    pub(super) len: usize,
    /// Where its bounds stand in a table, if it is tabled: the input, and whatever a ReLU reads.
    pub(super) place: Option<usize>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Input,
    Affine(Matrix),
    Relu,
    /// The sum of two values; if it computes a maximum, the two values that it is the maximum of.
    Add(Option<[usize; 2]>),
    Flatten,
    Gather(Arc<Vec<Option<u32>>>),
}

/// `y = W x + b`.
#[derive(Debug)]
pub(super) struct Matrix {
    pub(super) columns: usize,
    /// From one row to the next: the columns and as many zeros as fill up the last tile.
    pub(super) stride: usize,
    /// Row after row.
    pub(super) weights: Vec<f64>,
    /// Column after column.
    pub(super) transposed: Vec<f64>,
    pub(super) bias: Vec<f64>,
    /// The largest sum of the magnitudes of a row, and the largest of a bias.
    pub(super) row_sum: f64,
    pub(super) most_bias: f64,
}

impl Layers {
    /// `None` for networks that are not small.
    pub fn new(lowered: &Lowered) -> Option<Self> {
        let network = &lowered.network;
        let mut read = vec![false; network.nodes().len()];
        read[0] = true;
        for node in network.nodes().iter().filter(|node| node.op == Op::Relu) {
            read[node.inputs[0].0] = true;
        }
        let mut nodes = Vec::with_capacity(read.len());
        let mut tabled = 0;
        for (id, node) in network.iter() {
            let len = node.shape.len();
            let place = read[id.0].then_some(tabled);
            tabled += if read[id.0] { len } else { 0 };
            nodes.push(Layer {
                kind: kind(lowered, id)?,
                inputs: node.inputs.iter().map(|i| i.0).collect(),
                len,
                place,
            });
        }
        Some(Self { nodes, output: network.output().0, tabled })
    }

    /// The number of input elements.
    pub fn inputs(&self) -> usize {
        self.nodes[0].len
    }
}

fn kind(lowered: &Lowered, id: NodeId) -> Option<Kind> {
    let network = &lowered.network;
    let node = network.node(id);
    Some(match &node.op {
        Op::Input(_) => Kind::Input,
        Op::Relu => Kind::Relu,
        Op::Flatten => Kind::Flatten,
        Op::Gather(gather) => Kind::Gather(gather.index.clone()),
        Op::Add => Kind::Add(lowered.maximum(id).map(|m| [m.before.0, m.candidate.0])),
        Op::Dense(_) | Op::Conv2d(_) => {
            let columns = network.node(node.inputs[0]).shape.len();
            Kind::Affine(matrix(network, id, node.shape.len(), columns)?)
        }
        Op::MaxPool(_) => return None,
    })
}

fn matrix(network: &Network, id: NodeId, rows: usize, columns: usize) -> Option<Matrix> {
    let affine = Affine::new(network, network.node(id))?;
    let stride = columns.next_multiple_of(super::product::TILE);
    if rows.saturating_mul(stride) > MOST_WEIGHTS {
        return None;
    }
    let (mut weights, mut transposed) = (vec![0.0; rows * stride], vec![0.0; rows * columns]);
    for k in 0..rows {
        affine.row(k, |first, run| weights[k * stride + first..][..run.len()].copy_from_slice(run));
        (0..columns).for_each(|j| transposed[j * rows + k] = weights[k * stride + j]);
    }
    let bias: Vec<f64> = (0..rows).map(|k| affine.bias(k)).collect();
    let row_sum = weights.chunks(stride).map(|row| row.iter().map(|w| w.abs()).sum()).fold(0.0, f64::max);
    let most_bias = bias.iter().fold(0.0, |most: f64, b| most.max(b.abs()));
    Some(Matrix { columns, stride, weights, transposed, bias, row_sum, most_bias })
}
