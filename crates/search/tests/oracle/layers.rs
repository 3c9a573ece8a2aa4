//! The operators, written down from their definitions: an implementation of its own, to be right or wrong independently.

use super::affine::{Affine, exact};
use unmoved_ir::{Conv2d, Dense, MaxPool, Network, Node, Op, Rational, Tensor};

/// What a node computes of affine values.
pub(crate) enum Value {
    /// Affine functions again.
    Affine(Vec<Affine>),
    /// The largest of these, for each element.
    Largest(Vec<Vec<Affine>>),
}

/// Applies a node to the values of the nodes before it.
pub(crate) fn apply(network: &Network, node: &Node, values: &[Vec<Affine>]) -> Value {
    let inputs = network.input().shape.len();
    let zero = || Affine::constant(inputs, Rational::ZERO);
    let read = |k: usize| &values[node.inputs[k].0];
    let image = |shape: &unmoved_ir::Shape| shape.image().expect("an image");
    Value::Affine(match &node.op {
        Op::Input(_) => (0..inputs).map(|k| Affine::input(inputs, k)).collect(),
        Op::Dense(dense) => dense_values(dense, read(0)),
        Op::Conv2d(conv) => conv_values(conv, read(0), image(&network.node(node.inputs[0]).shape), image(&node.shape)),
        Op::Relu => return Value::Largest(read(0).iter().map(|z| vec![zero(), z.clone()]).collect()),
        Op::MaxPool(pool) => {
            let (from, to) = (image(&network.node(node.inputs[0]).shape), image(&node.shape));
            return Value::Largest(windows(pool, read(0), from, to));
        }
        Op::Flatten => read(0).clone(),
        Op::Add => read(0).iter().zip(read(1)).map(|(a, b)| sum(a.clone(), [(Rational::ONE, b)])).collect(),
        Op::Gather(gather) => {
            gather.index.iter().map(|i| i.map_or_else(zero, |i| read(0)[i as usize].clone())).collect()
        }
    })
}

fn sum<'a>(start: Affine, terms: impl IntoIterator<Item = (Rational, &'a Affine)>) -> Affine {
    terms.into_iter().fold(start, |mut sum, (weight, f)| {
        sum.add(&weight, f);
        sum
    })
}

/// The constant function that an element of a tensor is.
fn bias(tensor: &Tensor, k: usize, like: &Affine) -> Affine {
    Affine::constant(like.slope.len(), exact(tensor.get(k)))
}

fn dense_values(dense: &Dense, x: &[Affine]) -> Vec<Affine> {
    let row = |k: usize| {
        let weighted = x.iter().enumerate().map(|(i, x)| (exact(dense.weight.get(k * dense.inputs() + i)), x));
        sum(bias(&dense.bias, k, &x[0]), weighted)
    };
    (0..dense.outputs()).map(row).collect()
}

/// The element of an image, or `None` in the padding.
fn element(image: [usize; 3], channel: usize, row: i64, column: i64) -> Option<usize> {
    let [_, height, width] = image.map(|d| d as i64);
    let inside = (0..height).contains(&row) && (0..width).contains(&column);
    inside.then(|| channel * (height * width) as usize + (row * width + column) as usize)
}

/// Where a tap reads: `position * stride + tap * dilation - padding before`.
fn source(position: usize, stride: usize, tap: usize, dilation: usize, before: usize) -> i64 {
    (position * stride + tap * dilation) as i64 - before as i64
}

fn conv_values(conv: &Conv2d, x: &[Affine], from: [usize; 3], to: [usize; 3]) -> Vec<Affine> {
    let [kh, kw] = conv.kernel();
    let (inputs, outputs) = (from[0] / conv.groups, to[0] / conv.groups);
    let value = |o: usize, row: usize, column: usize| {
        let mut terms = Vec::new();
        for c in 0..inputs {
            for (ky, kx) in (0..kh).flat_map(|ky| (0..kw).map(move |kx| (ky, kx))) {
                let y = source(row, conv.stride[0], ky, conv.dilation[0], conv.padding[0]);
                let z = source(column, conv.stride[1], kx, conv.dilation[1], conv.padding[1]);
                if let Some(k) = element(from, o / outputs * inputs + c, y, z) {
                    terms.push((exact(conv.weight.get(((o * inputs + c) * kh + ky) * kw + kx)), &x[k]));
                }
            }
        }
        sum(bias(&conv.bias, o, &x[0]), terms)
    };
    positions(to).map(|[o, row, column]| value(o, row, column)).collect()
}

fn windows(pool: &MaxPool, x: &[Affine], from: [usize; 3], to: [usize; 3]) -> Vec<Vec<Affine>> {
    let window = |[channel, row, column]: [usize; 3]| {
        let mut elements = Vec::new();
        for (ky, kx) in (0..pool.kernel[0]).flat_map(|ky| (0..pool.kernel[1]).map(move |kx| (ky, kx))) {
            let y = source(row, pool.stride[0], ky, pool.dilation[0], pool.padding[0]);
            let z = source(column, pool.stride[1], kx, pool.dilation[1], pool.padding[1]);
            elements.extend(element(from, channel, y, z).map(|k| x[k].clone()));
        }
        elements
    };
    positions(to).map(window).collect()
}

/// All positions of an image, row-major.
fn positions([channels, rows, columns]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    let of_channel = move |c| (0..rows).flat_map(move |r| (0..columns).map(move |k| [c, r, k]));
    (0..channels).flat_map(of_channel)
}
