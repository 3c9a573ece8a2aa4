//! A network cut down to one query: what is constant over the region, or changes nothing, is left out.
//!
//! Of the 4,804 ReLUs of a small convolutional net some 1,650 can be other than zero around an image; a pass over these
//! alone is ten times cheaper.

use super::descent::Side;
use super::kernel::{Blocks, Lanes, TILE};
use crate::affine::Affine;
use std::collections::HashMap;
use unmoved_ir::{Lowered, Network, Node, NodeId, Op};
use unmoved_property::InputRegion;

/// Bounds of a pre-activation that is read by a ReLU; one table per such node, as the checker keeps it.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Lower bounds by position.
    pub lower: &'a [f64],
    /// Upper bounds by position.
    pub upper: &'a [f64],
}

/// The part of a lowered network that matters for one query, in f32.
#[derive(Debug)]
pub struct Compact {
    pub(crate) region: InputRegion,
    pub(crate) nodes: Vec<Part>,
    pub(crate) output: usize,
    pub(crate) lower: Vec<f32>,
    pub(crate) upper: Vec<f32>,
    /// The ReLU elements that may be in either phase.
    pub(crate) unstable: Vec<Unstable>,
    /// For each of them the next that reads the same pre-activation, in a circle; itself if there is no other.
    pub(crate) twins: Vec<u32>,
}

/// What is left of a node.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) kind: Kind,
    pub(crate) inputs: Vec<usize>,
    /// The positions of the elements that are left, in the order in which they are kept.
    pub(crate) elements: Vec<u32>,
    /// Where each position of the value is kept; `u32::MAX` if it is not.
    pub(crate) place: Vec<u32>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Input,
    Affine {
        /// From the value read to this one.
        up: Blocks,
        /// From the adjoint of this one to that of the value read.
        down: Blocks,
        bias: Vec<f32>,
    },
    Relu {
        /// For each element the one of the pre-activation, and its number among the unstable (`u32::MAX`: always active).
        of: Vec<(u32, u32)>,
    },
    /// Flatten, Gather and Add: for each input pairs of an element and the one that it is a copy of.
    Copy(Vec<Vec<(u32, u32)>>),
}

/// An unstable ReLU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unstable {
    /// The ReLU node.
    pub relu: NodeId,
    /// The node that it reads.
    pub node: NodeId,
    /// The position in their values.
    pub position: u32,
    /// Bounds of the pre-activation.
    pub lower: f32,
    /// See `lower`.
    pub upper: f32,
}

/// Bounds that are less than this beyond zero, as such or as a share of the range, are there for rounding alone.
const ROUNDING: f64 = 1e-12;

/// The phase that bounds leave to a ReLU; `None` if it may be in either. Where two elements are compared of which one is zero, exact bounds
/// would decide and those that the checker rounds do not, by 1e-16 or so: of a max-pool that would be most comparisons.
pub fn phase(lower: f64, upper: f64) -> Option<Side> {
    if upper <= ROUNDING * (-lower).max(1.0) {
        Some(Side::Inactive)
    } else if -lower <= ROUNDING * upper.max(1.0) {
        Some(Side::Active)
    } else {
        None
    }
}

impl Compact {
    /// Cuts a network down to what its output depends on. `known` gives the bounds of the input and of every value that a
    /// ReLU reads.
    pub fn new<'a>(lowered: &Lowered, region: &InputRegion, known: impl Fn(NodeId) -> Option<Known<'a>>) -> Self {
        let output = lowered.network.output();
        let all: Vec<u32> = (0..lowered.network.output_len() as u32).collect();
        Self::below(lowered, region, known, output, &all)
    }

    /// Cuts a network down to what some elements of one node depend on: the part below them, for a bound of a neuron.
    pub fn below<'a>(
        lowered: &Lowered,
        region: &InputRegion,
        known: impl Fn(NodeId) -> Option<Known<'a>>,
        target: NodeId,
        wanted: &[u32],
    ) -> Self {
        let network = &lowered.network;
        let kept = kept(network, &known, target, wanted);
        let patches = patches(network);
        let mut unstable: Vec<Unstable> = Vec::new();
        let mut nodes: Vec<Part> = Vec::with_capacity(kept.len());
        for (id, node) in network.iter().take(target.0 + 1) {
            let mut elements = ordered(&kept[id.0], &patches[id.0]);
            if id == target {
                elements.sort_unstable();
            }
            let mut place = vec![u32::MAX; node.shape.len()];
            elements.iter().enumerate().for_each(|(k, &e)| place[e as usize] = k as u32);
            let inputs: Vec<usize> = node.inputs.iter().map(|i| i.0).collect();
            let kind = match &node.op {
                Op::Input(_) => Kind::Input,
                Op::Relu => {
                    let Some(bounds) = known(node.inputs[0]) else { unreachable!("what a ReLU reads has bounds") };
                    let of = elements.iter().map(|&e| {
                        let (l, u) = (bounds.lower[e as usize], bounds.upper[e as usize]);
                        let is_open = phase(l, u).is_none();
                        let number = if is_open { unstable.len() as u32 } else { u32::MAX };
                        if is_open {
                            // Not so near to zero that the slope of the chord would be lost.
                            let (lower, upper) = ((l as f32).min(-1e-30), (u as f32).max(1e-30));
                            unstable.push(Unstable { relu: id, node: node.inputs[0], position: e, lower, upper });
                        }
                        (nodes[inputs[0]].place[e as usize], number)
                    });
                    Kind::Relu { of: of.collect() }
                }
                Op::Flatten | Op::Add => {
                    let pairs = inputs.iter().map(|&i| pairs(&elements, Some, &nodes[i]));
                    Kind::Copy(pairs.collect())
                }
                Op::Gather(g) => Kind::Copy(vec![pairs(&elements, |e| g.index[e as usize], &nodes[inputs[0]])]),
                Op::Dense(_) | Op::Conv2d(_) => {
                    let groups = [(&elements, id.0), (&nodes[inputs[0]].elements, inputs[0])];
                    let [up, down] = groups.map(|(elements, id)| patches[id].groups(elements));
                    affine(network, node, &elements, &nodes[inputs[0]], [up, down])
                }
                Op::MaxPool(_) => unreachable!("max-pools are lowered"),
            };
            nodes.push(Part { kind, inputs, elements, place });
        }
        let input = known(Network::INPUT).expect("the input has bounds");
        let (mut lower, mut upper) = (Vec::new(), Vec::new());
        for &e in &nodes[0].elements {
            lower.push(input.lower[e as usize] as f32);
            upper.push(input.upper[e as usize] as f32);
        }
        let twins = twins(&unstable);
        Self { region: region.clone(), nodes, output: target.0, lower, upper, unstable, twins }
    }

    /// The ReLUs that may be in either phase; positions in this list are their numbers elsewhere.
    pub fn unstable(&self) -> &[Unstable] {
        &self.unstable
    }

    /// The node that forms are about.
    pub fn output(&self) -> usize {
        self.output
    }

    /// Floating-point operations of one backward and one forward pass over all lanes.
    pub fn operations(&self) -> usize {
        let parts = self.nodes.iter().map(|part| match &part.kind {
            Kind::Affine { up, down, .. } => up.operations() + down.operations(),
            _ => 0,
        });
        parts.sum()
    }
}

impl Part {
    /// Adds the adjoint of this value to those of what it reads, whatever it is but a ReLU: what those do with it is theirs who ask.
    pub(crate) fn hand_down(&self, own: &[Lanes], below: &mut [Vec<Lanes>]) {
        match &self.kind {
            Kind::Input | Kind::Relu { .. } => {}
            Kind::Affine { down, .. } => down.multiply_add(own, &mut below[self.inputs[0]]),
            Kind::Copy(inputs) => {
                for (pairs, &input) in inputs.iter().zip(&self.inputs) {
                    pairs.iter().for_each(|&(to, from)| below[input][from as usize].add(&own[to as usize]));
                }
            }
        }
    }
}

fn twins(unstable: &[Unstable]) -> Vec<u32> {
    let mut by_value: HashMap<(NodeId, u32), Vec<u32>> = HashMap::new();
    for (j, u) in unstable.iter().enumerate() {
        by_value.entry((u.node, u.position)).or_default().push(j as u32);
    }
    let mut next: Vec<u32> = (0..unstable.len() as u32).collect();
    for circle in by_value.values().filter(|c| c.len() > 1) {
        circle.iter().zip(circle.iter().cycle().skip(1)).for_each(|(&j, &k)| next[j as usize] = k);
    }
    next
}

/// Which elements can differ from zero and reach those wanted of the target.
fn kept<'a>(
    network: &Network,
    known: &impl Fn(NodeId) -> Option<Known<'a>>,
    target: NodeId,
    wanted: &[u32],
) -> Vec<Vec<bool>> {
    let nodes = &network.nodes()[..=target.0];
    let mut alive: Vec<Vec<bool>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let read = |i: usize| &alive[node.inputs[i].0];
        alive.push(match &node.op {
            Op::Relu => match known(node.inputs[0]) {
                Some(bounds) => {
                    let ends = bounds.lower.iter().zip(bounds.upper);
                    ends.zip(read(0)).map(|((&l, &u), alive)| *alive && phase(l, u) != Some(Side::Inactive)).collect()
                }
                None => read(0).clone(),
            },
            Op::Flatten => read(0).clone(),
            Op::Add => read(0).iter().zip(read(1)).map(|(a, b)| *a || *b).collect(),
            Op::Gather(g) => g.index.iter().map(|i| i.is_some_and(|i| read(0)[i as usize])).collect(),
            Op::Conv2d(_) => {
                let layer = Affine::new(network, node).expect("an affine node");
                let is_alive = |k| {
                    let mut is_alive = layer.bias(k) != 0.0;
                    if !is_alive {
                        layer.row(k, |first, w| is_alive |= read(0)[first..first + w.len()].contains(&true));
                    }
                    is_alive
                };
                (0..node.shape.len()).map(is_alive).collect()
            }
            _ => vec![true; node.shape.len()],
        });
    }
    let mut needed: Vec<Vec<bool>> = nodes.iter().map(|n| vec![false; n.shape.len()]).collect();
    wanted.iter().for_each(|&k| needed[target.0][k as usize] = true);
    for (id, node) in nodes.iter().enumerate().rev() {
        let own: Vec<bool> = needed[id].iter().zip(&alive[id]).map(|(n, a)| *n && *a).collect();
        for input in &node.inputs {
            let below = &mut needed[input.0];
            match &node.op {
                Op::Gather(g) => {
                    let read = g.index.iter().zip(&own).filter(|(_, own)| **own).filter_map(|(i, _)| *i);
                    read.for_each(|i| below[i as usize] = true);
                }
                Op::Dense(_) if own.contains(&true) => below.fill(true),
                Op::Conv2d(_) => {
                    let layer = Affine::new(network, node).expect("an affine node");
                    for k in (0..own.len()).filter(|&k| own[k]) {
                        layer.row(k, |first, weights| below[first..first + weights.len()].fill(true));
                    }
                }
                Op::Dense(_) => {}
                _ => below.iter_mut().zip(&own).for_each(|(b, own)| *b |= own),
            }
        }
        needed[id] = own;
    }
    if target == network.output() {
        // Constraints on outputs may speak of inputs too.
        needed[0].fill(true);
    }
    needed
}

/// The kept positions; of an image patch by patch, since neighbours are read together.
fn ordered(kept: &[bool], patches: &Patches) -> Vec<u32> {
    let mut elements: Vec<u32> = (0..kept.len()).filter(|&k| kept[k]).map(|k| k as u32).collect();
    elements.sort_by_key(|&k| patches.of(k));
    elements
}

/// How an image falls into patches of so many pixels that their channels fill a block.
struct Patches {
    height: usize,
    width: usize,
    /// The sides of a patch.
    down: usize,
    right: usize,
    /// Patches begin so many pixels before the image.
    shift: [usize; 2],
}

/// The patches of every value. Those that a convolution reads begin where its windows do: then the pixels of a patch, which its
/// strides often keep together, are read by the same windows.
fn patches(network: &Network) -> Vec<Patches> {
    let new = |node: &Node| {
        let [channels, height, width] = match *node.shape.dims() {
            [c, h, w] => [c, h, w],
            _ => [1, 1, 1],
        };
        let area = (TILE / channels).max(1);
        let down = area.isqrt();
        Patches { height, width, down, right: area / down, shift: [0; 2] }
    };
    let mut patches: Vec<Patches> = network.nodes().iter().map(new).collect();
    for node in network.nodes() {
        if let Op::Conv2d(conv) = &node.op {
            let read = &mut patches[node.inputs[0].0];
            // Whole patches more or less make no difference, and a file may claim any padding.
            read.shift = [conv.padding[0] % read.down, conv.padding[1] % read.right];
        }
    }
    patches
}

impl Patches {
    /// The patch that a position belongs to.
    fn of(&self, position: u32) -> usize {
        let pixel = position as usize % (self.height * self.width);
        let [y, x] = [pixel / self.width + self.shift[0], pixel % self.width + self.shift[1]];
        y / self.down * (self.width + self.shift[1]) + x / self.right
    }

    /// Kept elements in groups of at most [`TILE`], each of one patch.
    fn groups(&self, elements: &[u32]) -> Vec<Vec<u32>> {
        let mut groups: Vec<Vec<u32>> = Vec::new();
        for k in 0..elements.len() as u32 {
            let of = |k: u32| self.of(elements[k as usize]);
            match groups.last_mut() {
                Some(group) if group.len() < TILE && of(group[0]) == of(k) => group.push(k),
                _ => groups.push(vec![k]),
            }
        }
        groups
    }
}

fn pairs(elements: &[u32], source: impl Fn(u32) -> Option<u32>, read: &Part) -> Vec<(u32, u32)> {
    let place = |e: u32| source(e).map(|s| read.place[s as usize]).filter(|p| *p != u32::MAX);
    elements.iter().enumerate().filter_map(|(k, &e)| Some((k as u32, place(e)?))).collect()
}

/// `groups` are the rows of the blocks upwards and downwards.
fn affine(
    network: &Network,
    node: &Node,
    elements: &[u32],
    read: &Part,
    [up_groups, down_groups]: [Vec<Vec<u32>>; 2],
) -> Kind {
    let layer = Affine::new(network, node).expect("an affine node");
    let rows: Vec<Vec<(u32, f32)>> = elements
        .iter()
        .map(|&e| {
            let mut row = Vec::new();
            layer.row(e as usize, |first, weights| {
                for (i, &w) in weights.iter().enumerate() {
                    let place = read.place[first + i];
                    if place != u32::MAX && w != 0.0 {
                        row.push((place, w as f32));
                    }
                }
            });
            row
        })
        .collect();
    let mut columns: Vec<Vec<(u32, f32)>> = vec![Vec::new(); read.elements.len()];
    for (k, row) in rows.iter().enumerate() {
        row.iter().for_each(|&(c, w)| columns[c as usize].push((k as u32, w)));
    }
    let list = |entries: &[Vec<(u32, f32)>], row: u32, visit: &mut dyn FnMut(u32, f32)| {
        entries[row as usize].iter().for_each(|&(c, w)| visit(c, w));
    };
    Kind::Affine {
        up: Blocks::new(up_groups.iter().map(Vec::as_slice), read.elements.len(), |r, v| list(&rows, r, v)),
        down: Blocks::new(down_groups.iter().map(Vec::as_slice), elements.len(), |r, v| list(&columns, r, v)),
        bias: elements.iter().map(|&e| layer.bias(e as usize) as f32).collect(),
    }
}
