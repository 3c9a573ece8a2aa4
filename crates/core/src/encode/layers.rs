//! The rows of each layer.
//!
//! An element of a value is a column, or shares the column of another element (a stable active ReLU is its
//! pre-activation, Flatten and Gather copy), or is always zero and has none.

use super::needed::{self, Needed};
use super::program::{Program, element_name, input_quantity};
use super::{Affine, EncodeError};
use crate::milp::{Quantity, Sense};
use crate::rounding::{product_up, sum_down, sum_up};
use unmoved_bounds::{Bounds, Phase};
use unmoved_ir::{MaxPool, Network, Node, NodeId, Op};

/// Where the elements of each value are found.
pub(crate) struct Layers<'a> {
    network: &'a Network,
    bounds: &'a [&'a Bounds],
    columns: Vec<Vec<Option<usize>>>,
}

impl<'a> Layers<'a> {
    /// Writes the needed part of every layer, one section each. The input's columns are there already, first of all.
    pub(crate) fn encode(
        program: &mut Program,
        network: &'a Network,
        bounds: &'a [&'a Bounds],
        mut needed: Needed,
    ) -> Result<Self, EncodeError> {
        let affine: Vec<Option<Affine<'_>>> = network.nodes().iter().map(|n| Affine::new(network, n)).collect();
        needed.close(network, &affine, bounds);
        let columns = network.nodes().iter().map(|n| vec![None; n.shape.len()]).collect();
        let mut this = Self { network, bounds, columns };
        this.columns[0] = (0..network.input().shape.len()).map(Some).collect();
        let mut merge = Merge::default();
        for (id, node) in network.iter().skip(1) {
            program.section(format!("layer {} = {} {}", node.name, node.op.name().to_lowercase(), node.shape));
            for k in needed.of(id) {
                this.columns[id.0][k] = match &node.op {
                    Op::Dense(_) | Op::Conv2d(_) => {
                        let layer = affine[id.0].as_ref().expect("affine nodes have layers");
                        this.affine(program, id, layer, k, &mut merge)
                    }
                    Op::Relu => this.relu(program, id, k),
                    Op::MaxPool(pool) => this.max_pool(program, id, pool, k),
                    Op::Flatten => this.read(node, 0, k),
                    Op::Add => this.add(program, id, k),
                    Op::Gather(map) => map.index[k].and_then(|i| this.read(node, 0, i as usize)),
                    Op::Input(_) => unreachable!("the input is skipped"),
                };
            }
            if node.op == Op::Relu {
                let pre = bounds[node.inputs[0].0];
                let unstable = needed.of(id).filter(|&k| pre.phase(k) == Phase::Unstable).count();
                program.annotate(&format!(", {unstable} unstable"));
            }
        }
        Ok(this)
    }

    /// The column of an element; `None` if it is always zero.
    pub(crate) fn column(&self, node: NodeId, element: usize) -> Option<usize> {
        self.columns[node.0][element]
    }

    /// The node that constraints are about.
    pub(crate) fn output(&self) -> NodeId {
        self.network.output()
    }

    /// The bounds of an element.
    pub(crate) fn range(&self, node: NodeId, element: usize) -> [f64; 2] {
        let b = self.bounds[node.0];
        [b.lower[element], b.upper[element]]
    }

    fn read(&self, node: &Node, input: usize, k: usize) -> Option<usize> {
        self.columns[node.inputs[input].0][k]
    }

    fn name(&self, id: NodeId, k: usize) -> String {
        let node = self.network.node(id);
        element_name(&node.name, &node.shape, k)
    }

    fn value(&self, program: &mut Program, id: NodeId, k: usize, range: [f64; 2]) -> usize {
        program.column(self.name(id, k), range, Quantity::Value { node: id, element: k })
    }

    /// `y - sum w x = b`; two inequalities where an inexact import leaves the weights open.
    fn affine(
        &self,
        program: &mut Program,
        id: NodeId,
        layer: &Affine<'_>,
        k: usize,
        merge: &mut Merge,
    ) -> Option<usize> {
        let input = self.network.node(id).inputs[0];
        let y = self.value(program, id, k, self.range(id, k));
        let (weight_slack, bias_slack) = layer.slack(k);
        let mut slack = bias_slack;
        merge.start(y);
        layer.row(k, |i, w| {
            let Some(x) = self.columns[input.0][i] else { return };
            let magnitude = self.bounds[input.0].magnitude(i);
            if weight_slack > 0.0 {
                slack = sum_up(slack, product_up(weight_slack, product_up(w.abs(), magnitude)));
            }
            let rounding = merge.add(x, -w);
            if rounding > 0.0 {
                slack = sum_up(slack, product_up(rounding, magnitude));
            }
        });
        let (name, terms, bias) = (self.name(id, k), merge.finish(), layer.bias(k));
        if slack == 0.0 {
            program.row(name + ":sum", terms, Sense::Equal, bias);
        } else {
            program.row(format!("{name}:least"), terms.clone(), Sense::AtLeast, sum_down(bias, -slack));
            program.row(format!("{name}:most"), terms, Sense::AtMost, sum_up(bias, slack));
        }
        Some(y)
    }

    /// `s - a - b = 0`, unless one of them is always zero.
    fn add(&self, program: &mut Program, id: NodeId, k: usize) -> Option<usize> {
        let node = self.network.node(id);
        let (a, b) = match (self.read(node, 0, k), self.read(node, 1, k)) {
            (Some(a), Some(b)) => (a, b),
            (one, other) => return one.or(other),
        };
        let s = self.value(program, id, k, self.range(id, k));
        let terms = if a == b { vec![(s, 1.0), (a, -2.0)] } else { vec![(s, 1.0), (a, -1.0), (b, -1.0)] };
        program.row(self.name(id, k) + ":sum", terms, Sense::Equal, 0.0);
        Some(s)
    }

    /// Stable ReLUs need no row. An unstable one has a binary `on` (paper, section 4.1): `y >= x`, `y >= 0`,
    /// `y <= x - l (1 - on)`, `y <= u on`.
    fn relu(&self, program: &mut Program, id: NodeId, k: usize) -> Option<usize> {
        let node = self.network.node(id);
        let pre = node.inputs[0];
        let x = self.read(node, 0, k)?;
        let [l, u] = self.range(pre, k);
        match self.bounds[pre.0].phase(k) {
            Phase::Active => return Some(x),
            Phase::Inactive => return None,
            Phase::Unstable => {}
        }
        let name = self.name(id, k);
        let y = self.value(program, id, k, [0.0, u]);
        let on = program.binary(format!("{name}:on"), Quantity::Active { node: id, element: k });
        program.row(format!("{name}:above"), vec![(y, 1.0), (x, -1.0)], Sense::AtLeast, 0.0);
        program.row(format!("{name}:cap_on"), vec![(y, 1.0), (x, -1.0), (on, -l)], Sense::AtMost, -l);
        program.row(format!("{name}:cap_off"), vec![(y, 1.0), (on, -u)], Sense::AtMost, 0.0);
        Some(y)
    }

    /// One binary per element that can be the largest (paper, section 4.1): `y >= x_i`,
    /// `y <= x_i + (u_others - l_i) (1 - is_i)`, `sum is_i = 1`.
    fn max_pool(&self, program: &mut Program, id: NodeId, pool: &MaxPool, k: usize) -> Option<usize> {
        let node = self.network.node(id);
        let input = node.inputs[0];
        let all = needed::window(self.network, node, pool, k);
        let contenders = needed::contenders(&all, self.bounds[input.0]);
        if let [only] = contenders[..] {
            return self.columns[input.0][only];
        }
        let name = self.name(id, k);
        let largest = |bound: fn(&Bounds) -> &Vec<f64>, except: Option<usize>| {
            let others = contenders.iter().filter(|i| Some(**i) != except);
            others.map(|&i| bound(self.bounds[input.0])[i]).fold(f64::NEG_INFINITY, f64::max)
        };
        let y = self.value(program, id, k, [largest(|b| &b.lower, None), largest(|b| &b.upper, None)]);
        let binaries: Vec<usize> = contenders
            .iter()
            .map(|&i| {
                let quantity = Quantity::Largest { node: id, element: k, candidate: i };
                let position = all.iter().position(|w| *w == i).expect("contenders are in the window");
                program.binary(format!("{name}:is{position}"), quantity)
            })
            .collect();
        for (&i, &is) in contenders.iter().zip(&binaries) {
            let position = all.iter().position(|w| *w == i).expect("contenders are in the window");
            let x = self.columns[input.0][i];
            let with = |more: &[(usize, f64)]| {
                let x = x.map(|x| (x, -1.0));
                [(y, 1.0)].into_iter().chain(x).chain(more.iter().copied().filter(|t| t.1 != 0.0)).collect::<Vec<_>>()
            };
            let big = sum_up(largest(|b| &b.upper, Some(i)), -self.bounds[input.0].lower[i]);
            program.row(format!("{name}:above{position}"), with(&[]), Sense::AtLeast, 0.0);
            program.row(format!("{name}:cap{position}"), with(&[(is, big)]), Sense::AtMost, big);
        }
        program.row(format!("{name}:one"), binaries.iter().map(|&is| (is, 1.0)).collect(), Sense::Equal, 1.0);
        Some(y)
    }
}

/// Terms of one row, where two paths to one column become one coefficient.
#[derive(Default)]
struct Merge {
    terms: Vec<(usize, f64)>,
    /// For each column, its place in `terms` if it has one there.
    place: Vec<usize>,
}

impl Merge {
    fn start(&mut self, y: usize) {
        self.place.resize(self.place.len().max(y + 1), usize::MAX);
        self.terms.clear();
        self.terms.push((y, 1.0));
    }

    /// Adds a term and returns how far the merged coefficient may be from the exact one.
    fn add(&mut self, column: usize, coefficient: f64) -> f64 {
        match self.place[column] {
            usize::MAX => {
                self.place[column] = self.terms.len();
                self.terms.push((column, coefficient));
                0.0
            }
            at => {
                let before = self.terms[at].1;
                let (low, high) = (sum_down(before, coefficient), sum_up(before, coefficient));
                self.terms[at].1 = before + coefficient;
                high - low
            }
        }
    }

    fn finish(&mut self) -> Vec<(usize, f64)> {
        self.terms.iter().for_each(|&(c, _)| self.place[c] = usize::MAX);
        self.terms.retain(|(_, a)| *a != 0.0);
        self.terms.clone()
    }
}

/// The columns of the input are the first, in order; written by [`super::region::encode`].
pub(crate) fn input_columns(program: &mut Program, network: &Network, lower: &[f64], upper: &[f64]) {
    let node = network.input();
    for k in 0..lower.len() {
        program.column(element_name(&node.name, &node.shape, k), [lower[k], upper[k]], input_quantity(k));
    }
}
