//! Which elements of which values the rows to be written depend on. All others get neither column nor row.

use super::Affine;
use unmoved_bounds::{Bounds, Phase};
use unmoved_ir::{MaxPool, Network, Node, NodeId, Op};

pub(crate) struct Needed(Vec<Vec<bool>>);

impl Needed {
    pub(crate) fn new(network: &Network) -> Self {
        Self(network.nodes().iter().map(|n| vec![false; n.shape.len()]).collect())
    }

    pub(crate) fn add(&mut self, node: NodeId, element: usize) {
        self.0[node.0][element] = true;
    }

    pub(crate) fn of(&self, node: NodeId) -> impl Iterator<Item = usize> + '_ {
        self.0[node.0].iter().enumerate().filter(|(_, needed)| **needed).map(|(k, _)| k)
    }

    /// Adds, from the output to the input, all that the elements added so far are computed from.
    pub(crate) fn close(&mut self, network: &Network, layers: &[Option<Affine<'_>>], bounds: &[&Bounds]) {
        for (id, node) in network.iter().skip(1).rev() {
            let mine = std::mem::take(&mut self.0[id.0]);
            for k in (0..mine.len()).filter(|&k| mine[k]) {
                match &node.op {
                    Op::Dense(_) | Op::Conv2d(_) => {
                        let layer = layers[id.0].as_ref().expect("affine nodes have layers");
                        layer.row(k, |i, _| self.add(node.inputs[0], i));
                    }
                    Op::Relu if bounds[node.inputs[0].0].phase(k) == Phase::Inactive => {}
                    Op::Relu | Op::Flatten | Op::Add => node.inputs.iter().for_each(|&input| self.add(input, k)),
                    Op::Gather(map) => map.index[k].iter().for_each(|&i| self.add(node.inputs[0], i as usize)),
                    Op::MaxPool(pool) => {
                        let all = window(network, node, pool, k);
                        contenders(&all, bounds[node.inputs[0].0]).iter().for_each(|&i| self.add(node.inputs[0], i));
                    }
                    Op::Input(_) => {}
                }
            }
            self.0[id.0] = mine;
        }
    }
}

/// The elements that output `k` of a max-pool is the largest of, row-major, without padding.
pub(crate) fn window(network: &Network, node: &Node, pool: &MaxPool, k: usize) -> Vec<usize> {
    let sliding = pool.sliding(&network.node(node.inputs[0]).shape).expect("shapes were checked");
    let [_, height, width] = sliding.input;
    let [rows, columns] = sliding.output;
    let first = k / (rows * columns) * height * width;
    sliding.taps(k / columns % rows, k % columns).map(|(_, _, y, x)| first + y * width + x).collect()
}

/// Those that can be the largest: the one with the largest lower bound always stays, and drops the others that never exceed
/// that bound. Dropping pairwise would lose both of two ties.
pub(crate) fn contenders(window: &[usize], bounds: &Bounds) -> Vec<usize> {
    let mut best = window[0];
    for &i in window {
        if bounds.lower[i] > bounds.lower[best] {
            best = i;
        }
    }
    window.iter().copied().filter(|&i| i == best || bounds.upper[i] > bounds.lower[best]).collect()
}
