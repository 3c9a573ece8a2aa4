//! The gradient of a linear form of the outputs with respect to the input, in f64.

use unmoved_ir::{Conv2d, MaxPool, Network, Op, Shape};

/// The values of all nodes at `x`, then `sum_k weights_k dy_k/dx` by reverse accumulation; at a kink of a ReLU or a tie
/// of a max-pool one of the one-sided derivatives.
pub(crate) fn gradient(network: &Network, trace: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let mut adjoints: Vec<Vec<f64>> = network.nodes().iter().map(|n| vec![0.0; n.shape.len()]).collect();
    adjoints[network.output().0].copy_from_slice(weights);
    for (id, node) in network.iter().rev() {
        let a = std::mem::take(&mut adjoints[id.0]);
        let Some(&input) = node.inputs.first() else { return a };
        let shape = &network.node(input).shape;
        let below = &mut adjoints[input.0];
        match &node.op {
            Op::Input(_) => return a,
            Op::Dense(dense) => {
                let weight = dense.weight.to_f64();
                for (k, &a) in a.iter().enumerate().filter(|(_, a)| **a != 0.0) {
                    let row = &weight[k * below.len()..(k + 1) * below.len()];
                    below.iter_mut().zip(row).for_each(|(b, w)| *b += a * w);
                }
            }
            Op::Conv2d(conv) => conv_transposed(conv, shape, &a, below),
            Op::Relu => {
                for ((b, a), z) in below.iter_mut().zip(&a).zip(&trace[input.0]) {
                    *b += if *z > 0.0 { *a } else { 0.0 };
                }
            }
            Op::MaxPool(pool) => pool_transposed(pool, shape, &trace[input.0], &a, below),
            Op::Flatten => below.iter_mut().zip(&a).for_each(|(b, a)| *b += a),
            Op::Add => {
                for input in &node.inputs {
                    adjoints[input.0].iter_mut().zip(&a).for_each(|(b, a)| *b += a);
                }
            }
            Op::Gather(g) => {
                g.index.iter().zip(&a).for_each(|(i, a)| {
                    if let Some(i) = i {
                        below[*i as usize] += a
                    }
                });
            }
        }
    }
    unreachable!("the first node is the input")
}

fn conv_transposed(conv: &Conv2d, shape: &Shape, a: &[f64], below: &mut [f64]) {
    let sliding = conv.sliding(shape).expect("shapes were checked");
    let [_, height, width] = sliding.input;
    let [rows, columns] = sliding.output;
    let [kh, kw] = conv.kernel();
    let per_group = conv.weight.shape().dims()[1];
    let outputs_per_group = conv.outputs() / conv.groups;
    let weight = conv.weight.to_f64();
    for (k, &a) in a.iter().enumerate().filter(|(_, a)| **a != 0.0) {
        let (o, row, column) = (k / (rows * columns), k / columns % rows, k % columns);
        let first = o / outputs_per_group * per_group;
        for c in 0..per_group {
            for (ky, kx, y, x) in sliding.taps(row, column) {
                below[((first + c) * height + y) * width + x] += a * weight[((o * per_group + c) * kh + ky) * kw + kx];
            }
        }
    }
}

fn pool_transposed(pool: &MaxPool, shape: &Shape, z: &[f64], a: &[f64], below: &mut [f64]) {
    let sliding = pool.sliding(shape).expect("shapes were checked");
    let [_, height, width] = sliding.input;
    let [rows, columns] = sliding.output;
    for (k, &a) in a.iter().enumerate() {
        let (c, row, column) = (k / (rows * columns), k / columns % rows, k % columns);
        let window = sliding.taps(row, column).map(|(_, _, y, x)| (c * height + y) * width + x);
        if let Some(largest) = window.max_by(|&i, &j| z[i].total_cmp(&z[j])) {
            below[largest] += a;
        }
    }
}
