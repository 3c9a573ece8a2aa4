//! The progressive pass over a whole network.

use crate::affine::{Affine, LANES};
use crate::backward::{Backward, Known, LinearForm};
use crate::interval;
use crate::table::Bounds;
use unmoved_ir::{Lowered, Network, NodeId, Op};
use unmoved_property::{InputRegion, Norm, RegionKind};

/// How much to spend on a neuron before giving it up as unstable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Interval arithmetic.
    Interval,
    /// One backward pass per neuron that intervals leave unstable.
    Linear,
}

/// Bounds of every value of a lowered network over a region, and the means to bound linear forms with them.
pub struct Propagation<'a> {
    lowered: &'a Lowered,
    region: &'a InputRegion,
    layers: Vec<Option<Affine>>,
    sizes: Vec<Vec<f64>>,
    largest: Vec<f64>,
    bounds: Vec<Bounds>,
    backward: Backward,
}

impl<'a> Propagation<'a> {
    /// Bounds every value, in topological order, each from the tightened bounds of those before.
    pub fn new(lowered: &'a Lowered, region: &'a InputRegion, tier: Tier) -> Self {
        let network = &lowered.network;
        let layers: Vec<Option<Affine>> = network.nodes().iter().map(|n| Affine::new(network, n)).collect();
        let backward = Backward::new(network, &layers);
        let mut this =
            Self { lowered, region, layers, sizes: Vec::new(), largest: Vec::new(), bounds: Vec::new(), backward };
        let feeds_relu = feeds_relu(network);
        for k in 0..network.nodes().len() {
            let id = NodeId(k);
            let (bounds, sizes) = this.interval(id);
            this.largest.push(bounds.largest());
            this.bounds.push(bounds);
            this.sizes.push(sizes);
            if tier >= Tier::Linear && feeds_relu[k] && !this.interval_is_exact(id) {
                let unstable: Vec<usize> = this.bounds[k].unstable().collect();
                this.tighten(id, &unstable);
            }
        }
        this
    }

    /// The bounds of a node of the lowered network.
    pub fn bounds(&self, id: NodeId) -> &Bounds {
        &self.bounds[id.0]
    }

    /// The lowered network that the bounds are about.
    pub fn lowered(&self) -> &'a Lowered {
        self.lowered
    }

    /// The number of unstable ReLUs.
    pub fn unstable(&self) -> usize {
        let relus = self.lowered.network.nodes().iter().filter(|n| n.op == Op::Relu);
        relus.map(|n| self.bounds[n.inputs[0].0].unstable().count()).sum()
    }

    /// Replaces bounds by tighter ones found elsewhere (and proved sound there); later nodes keep theirs.
    pub fn intersect(&mut self, id: NodeId, k: usize, lower: f64, upper: f64) {
        self.bounds[id.0].intersect(k, lower, upper);
    }

    /// Computes the bounds of all nodes after `id` again from the current ones, intervals only, keeping what is tighter.
    pub fn refresh_after(&mut self, id: NodeId) {
        for k in id.0 + 1..self.bounds.len() {
            let (mut bounds, sizes) = self.interval(NodeId(k));
            for i in 0..bounds.len() {
                bounds.intersect(i, self.bounds[k].lower[i], self.bounds[k].upper[i]);
            }
            self.largest[k] = bounds.largest();
            self.bounds[k] = bounds;
            self.sizes[k] = sizes;
        }
    }

    /// Lower bounds of linear forms over the region, by one backward pass for every eight.
    pub fn minima(&mut self, forms: &[LinearForm]) -> Vec<f64> {
        let known = Known {
            network: &self.lowered.network,
            layers: &self.layers,
            bounds: &self.bounds,
            sizes: &self.sizes,
            largest: &self.largest,
            region: self.region,
        };
        let mut minima = Vec::with_capacity(forms.len());
        for batch in forms.chunks(LANES) {
            minima.extend_from_slice(&self.backward.minima(&known, batch)[..batch.len()]);
        }
        minima
    }

    /// Tightens the given elements of a node by backward passes in both directions.
    pub fn tighten(&mut self, id: NodeId, elements: &[usize]) {
        // Channels of one position share a receptive field, so they should share a batch.
        let mut elements = elements.to_vec();
        if let [_, h, w] = *self.lowered.network.node(id).shape.dims() {
            elements.sort_by_key(|k| (k % (h * w), *k));
        }
        let forms = |sign: f64| elements.iter().map(|&k| LinearForm::element(id, k, sign)).collect::<Vec<_>>();
        let (lower, upper) = (self.minima(&forms(1.0)), self.minima(&forms(-1.0)));
        for (j, &k) in elements.iter().enumerate() {
            self.bounds[id.0].intersect(k, lower[j], -upper[j]);
        }
    }

    fn interval(&self, id: NodeId) -> (Bounds, Vec<f64>) {
        let network = &self.lowered.network;
        let node = network.node(id);
        let read = |i: usize| &self.bounds[node.inputs[i].0];
        let bounds = match &node.op {
            Op::Input(_) => {
                let b = self.region.enclosing_box();
                Bounds { lower: b.lower.clone(), upper: b.upper.clone() }
            }
            Op::Dense(_) | Op::Conv2d(_) => {
                let layer = self.layers[id.0].as_ref().expect("affine nodes have layers");
                return interval::affine(layer, node.shape.len(), read(0));
            }
            Op::Relu => interval::relu(read(0)),
            Op::Flatten => read(0).clone(),
            Op::Add => match self.lowered.maximum(id) {
                Some(m) => {
                    let Op::Gather(present) = &network.node(m.candidate).op else {
                        unreachable!("candidates are gathered")
                    };
                    interval::maximum(&self.bounds[m.before.0], &self.bounds[m.candidate.0], present)
                }
                None => interval::add(read(0), read(1)),
            },
            Op::Gather(g) => interval::gather(g, read(0)),
            Op::MaxPool(_) => unreachable!("max-pools are lowered"),
        };
        (bounds, Vec::new())
    }

    /// True where a backward pass could not do better: one affine layer on independent inputs.
    fn interval_is_exact(&self, id: NodeId) -> bool {
        let network = &self.lowered.network;
        let independent = !matches!(self.region.kind(), RegionKind::Ball { norm: Norm::L1 | Norm::L2, .. });
        let mut source = network.node(id);
        if self.layers[id.0].is_some() {
            source = network.node(source.inputs[0]);
        }
        while matches!(source.op, Op::Flatten) {
            source = network.node(source.inputs[0]);
        }
        independent && matches!(source.op, Op::Input(_))
    }
}

fn feeds_relu(network: &Network) -> Vec<bool> {
    let mut feeds = vec![false; network.nodes().len()];
    for node in network.nodes().iter().filter(|n| n.op == Op::Relu) {
        feeds[node.inputs[0].0] = true;
    }
    feeds
}
