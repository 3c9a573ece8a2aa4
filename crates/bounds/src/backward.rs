//! One backward linear pass: a lower bound of a linear form of any values, for several forms at once.
//!
//! Going backwards from the form, every affine node hands its adjoints on through its transposed weights, and every
//! ReLU is replaced by the line that is best for the sign of its adjoint: above by the chord from `(l, 0)` to `(u, u)`,
//! below by `y >= z` or `y >= 0`, whichever leaves the smaller area (Zhang et al. 2018, section 3.3).
//!
//! Rounding: for fixed adjoints `A` at a node with value `x`, the form is at least `constant + A . x`. If `A` was computed
//! with an error `d`, then `|d| . max|x|` makes up for it, there and then; errors need not be carried further down. Each
//! adjoint is a sum of at most `terms` products, so each of these is charged `gamma(terms)` of itself times `max|x|`, by
//! whoever adds it: for an affine node that is `gamma * sum |a_k| (|W| max|x|)_k`, and the last factor is known from the
//! interval pass. Products that underflow lose no share of themselves but up to half the smallest float, times `max|x|`.

use crate::affine::{Affine, Extent, LANES, Lanes};
use crate::rounding::{Sum, gamma};
use crate::table::{Bounds, Phase};
use unmoved_ir::{Gather, Network, NodeId, Op};
use unmoved_property::{Constraint, InputRegion};

/// `sum c_k v_k + constant` over elements of values of the network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LinearForm {
    /// Which element of which node, with its coefficient.
    pub terms: Vec<(NodeId, usize, f64)>,
    /// The constant term.
    pub constant: f64,
    /// How far the form may be from the one that was meant, as `(node, element, |c - c~|)`, and the constant likewise.
    pub errors: (Vec<(NodeId, usize, f64)>, f64),
}

impl LinearForm {
    /// One element.
    pub fn element(node: NodeId, k: usize, coefficient: f64) -> Self {
        Self { terms: vec![(node, k, coefficient)], ..Self::default() }
    }

    /// The `g` of a constraint about a network's output and input.
    pub fn constraint(network: &Network, c: &Constraint) -> Self {
        let outputs = c.outputs.iter().map(|(k, a)| (network.output(), *k, a));
        let inputs = c.inputs.iter().map(|(k, a)| (Network::INPUT, *k, a));
        let mut form = Self { constant: c.constant.to_f64(), ..Self::default() };
        form.errors.1 = c.constant.distance_up(form.constant);
        for (node, k, a) in outputs.chain(inputs) {
            form.terms.push((node, k, a.to_f64()));
            form.errors.0.push((node, k, a.distance_up(a.to_f64())));
        }
        form
    }
}

/// What the passes read, and the adjoints that they write; reused from pass to pass.
pub(crate) struct Backward {
    adjoints: Vec<Vec<Lanes>>,
    extents: Vec<Extent>,
    /// For each node, how many terms any of its adjoints sums up at most.
    terms: Vec<usize>,
    /// How many errors are charged at most, forms apart.
    charges: usize,
    sums: [Sum; LANES],
    added: usize,
    seeded: usize,
}

/// The bounds so far, and for affine nodes `|W| max|x| + |b|` (see [`crate::interval::affine`]).
pub(crate) struct Known<'a> {
    pub(crate) network: &'a Network,
    pub(crate) layers: &'a [Option<Affine>],
    pub(crate) bounds: &'a [Bounds],
    pub(crate) sizes: &'a [Vec<f64>],
    /// The largest magnitude in each value.
    pub(crate) largest: &'a [f64],
    pub(crate) region: &'a InputRegion,
}

impl Backward {
    pub(crate) fn new(network: &Network, layers: &[Option<Affine>]) -> Self {
        let count = network.nodes().len();
        let (mut terms, mut charges) = (vec![2; count], 0);
        for (id, node) in network.iter() {
            // Per reading one for each element that is read or written, and one for underflow.
            for input in &node.inputs {
                charges += node.shape.len() + 1;
                terms[input.0] += match (&node.op, &layers[id.0]) {
                    (_, Some(layer)) => layer.terms_per_input(),
                    (Op::Gather(g), _) => multiplicity(g, network.node(*input).shape.len()),
                    _ => 1,
                };
            }
        }
        Self {
            adjoints: network.nodes().iter().map(|n| vec![[0.0; LANES]; n.shape.len()]).collect(),
            extents: vec![Extent::Nowhere; count],
            terms,
            charges,
            sums: [Sum::default(); LANES],
            added: 0,
            seeded: 0,
        }
    }

    /// Lower bounds of up to [`LANES`] forms over the region.
    pub(crate) fn minima(&mut self, known: &Known<'_>, forms: &[LinearForm]) -> Lanes {
        self.seed(known, forms);
        let last = forms.iter().flat_map(|f| &f.terms).map(|(n, ..)| n.0).max().unwrap_or(0);
        for k in (1..=last).rev() {
            if self.extents[k] != Extent::Nowhere {
                self.step(known, NodeId(k));
            }
        }
        self.finish(known, forms.len())
    }

    fn seed(&mut self, known: &Known<'_>, forms: &[LinearForm]) {
        debug_assert!(forms.len() <= LANES);
        self.sums = [Sum::default(); LANES];
        (self.added, self.seeded) = (0, 0);
        for (lane, form) in forms.iter().enumerate() {
            self.sums[lane].add(form.constant);
            self.sums[lane].add_error(form.errors.1);
            for &(node, k, c) in &form.terms {
                if form.terms.len() > 1 {
                    // Other terms, and what flows down from them, may be added to this one and round it.
                    let rounding = gamma(self.terms[node.0] + form.terms.len());
                    self.sums[lane].add_error(rounding * c.abs() * known.bounds[node.0].magnitude(k));
                }
                self.adjoints[node.0][k][lane] += c;
                let at = match *known.network.node(node).shape.dims() {
                    [_, h, w] => {
                        let (y, x) = (k / w % h, k % w);
                        Extent::Window { rows: [y, y + 1], columns: [x, x + 1] }
                    }
                    _ => Extent::Everywhere,
                };
                self.extents[node.0] = self.extents[node.0].join(at);
            }
            for &(node, k, e) in form.errors.0.iter().filter(|(.., e)| *e != 0.0) {
                self.sums[lane].add_error(e * known.bounds[node.0].magnitude(k));
            }
            self.added += form.terms.len() + 2;
            self.seeded += form.terms.len() + form.errors.0.len() + 1;
        }
    }

    /// Hands the adjoints of one node on to its inputs and clears them.
    fn step(&mut self, known: &Known<'_>, id: NodeId) {
        let node = known.network.node(id);
        let extent = std::mem::replace(&mut self.extents[id.0], Extent::Nowhere);
        let dims = node.shape.dims();
        let mut adjoint = std::mem::take(&mut self.adjoints[id.0]);
        let input = node.inputs[0].0;
        match &node.op {
            Op::Dense(_) | Op::Conv2d(_) => {
                let layer = known.layers[id.0].as_ref().expect("affine nodes have layers");
                self.charge_affine(
                    layer,
                    &known.sizes[id.0],
                    &adjoint,
                    extent.positions(dims),
                    gamma(self.terms[input]),
                );
                // At most 2^52 products, each of which may have lost 2^-1075.
                let underflow = f64::MIN_POSITIVE * known.largest[input];
                self.sums.iter_mut().for_each(|sum| sum.add_error(underflow));
                let touched = layer.add_transposed(&adjoint, extent, dims, &mut self.adjoints[input]);
                self.extents[input] = self.extents[input].join(touched);
            }
            Op::Relu => {
                self.relu(&known.bounds[input], &adjoint, extent.positions(dims), input);
                self.extents[input] = self.extents[input].join(extent);
            }
            Op::Add | Op::Flatten => {
                for i in &node.inputs {
                    self.copy(&known.bounds[i.0], &adjoint, extent.positions(dims).map(|k| (k, k)), i.0);
                    let same_dims = known.network.node(*i).shape.dims() == dims;
                    self.extents[i.0] = if same_dims { self.extents[i.0].join(extent) } else { Extent::Everywhere };
                }
            }
            Op::Gather(g) => {
                let pairs = extent.positions(dims).filter_map(|k| g.index[k].map(|i| (k, i as usize)));
                self.copy(&known.bounds[input], &adjoint, pairs, input);
                self.extents[input] = Extent::Everywhere;
            }
            Op::MaxPool(_) | Op::Input(_) => unreachable!("max-pools are lowered and the input is the end"),
        }
        extent.positions(dims).for_each(|k| adjoint[k] = [0.0; LANES]);
        self.adjoints[id.0] = adjoint;
    }

    /// The bias, the rounding of the transposed product, and the slack of an inexact import.
    fn charge_affine(
        &mut self,
        layer: &Affine,
        sizes: &[f64],
        adjoint: &[Lanes],
        positions: impl Iterator<Item = usize>,
        rounding: f64,
    ) {
        for k in positions {
            let (eta, beta) = layer.slack(k).unwrap_or((0.0, 0.0));
            let (bias, price) = (layer.bias(k), (rounding + eta) * sizes[k] + beta);
            for (sum, &a) in self.sums.iter_mut().zip(&adjoint[k]) {
                sum.add(a * bias);
                sum.add_error(a.abs() * price);
            }
            self.added += 1;
        }
    }

    fn relu(&mut self, z: &Bounds, adjoint: &[Lanes], positions: impl Iterator<Item = usize>, input: usize) {
        let rounding = gamma(self.terms[input]);
        for k in positions {
            let below = &mut self.adjoints[input][k];
            match z.phase(k) {
                Phase::Inactive => {}
                Phase::Active => {
                    for lane in 0..LANES {
                        below[lane] += adjoint[k][lane];
                        self.sums[lane].add_error(rounding * adjoint[k][lane].abs() * z.magnitude(k));
                    }
                }
                Phase::Unstable => {
                    let (l, u) = (z.lower[k], z.upper[k]);
                    let (chord, identity) = (u / (u - l), u > -l);
                    for lane in 0..LANES {
                        let a = adjoint[k][lane];
                        if a >= 0.0 {
                            if identity {
                                below[lane] += a;
                                self.sums[lane].add_error(rounding * a * z.magnitude(k));
                            } else {
                                // Zero, but NaN for an adjoint that overflowed: its sign says nothing then.
                                self.sums[lane].add_error(0.0 * a);
                            }
                        } else {
                            let mu = a * chord;
                            below[lane] += mu;
                            // What mu z exceeds a relu(z) by, at the ends of the chord, whatever rounding did to mu.
                            let (left, right) = (mu * l, mu * u - a * u);
                            let sum = &mut self.sums[lane];
                            sum.add(-left.max(right).max(0.0));
                            sum.add_error(
                                gamma(4) * (left.abs() + 2.0 * (a * u).abs()) + rounding * mu.abs() * z.magnitude(k),
                            );
                        }
                    }
                    self.added += 1;
                }
            }
        }
    }

    /// Adds adjoints to those of `input` along `(from, to)` pairs.
    fn copy(&mut self, x: &Bounds, adjoint: &[Lanes], pairs: impl Iterator<Item = (usize, usize)>, input: usize) {
        let rounding = gamma(self.terms[input]);
        for (k, i) in pairs {
            for lane in 0..LANES {
                let a = adjoint[k][lane];
                self.adjoints[input][i][lane] += a;
                self.sums[lane].add_error(rounding * a.abs() * x.magnitude(i));
            }
        }
    }

    /// The minimum over the region, and everything cleared for the next pass.
    fn finish(&mut self, known: &Known<'_>, lanes: usize) -> Lanes {
        let dims = known.network.input().shape.dims();
        let extent = std::mem::replace(&mut self.extents[0], Extent::Nowhere);
        let mut minima = [f64::NEG_INFINITY; LANES];
        for lane in 0..lanes {
            let q = extent.positions(dims).map(|k| (k, self.adjoints[0][k][lane]));
            let sum = &mut self.sums[lane];
            sum.add(known.region.minimum_of(q));
            let bound = sum.down(self.added + 1, self.charges + self.seeded);
            // An overflow to NaN or infinity says nothing.
            minima[lane] = if bound.is_finite() { bound } else { f64::NEG_INFINITY };
        }
        extent.positions(dims).for_each(|k| self.adjoints[0][k] = [0.0; LANES]);
        minima
    }
}

/// How often a map reads any one element at most.
fn multiplicity(g: &Gather, len: usize) -> usize {
    let mut counts = vec![0; len];
    g.index.iter().flatten().for_each(|&i| counts[i as usize] += 1);
    counts.into_iter().max().unwrap_or(0)
}
