//! Networks of one hidden layer of ReLUs over a box: moves of one input at a time, at the price of one column each.
//!
//! One input moved from end to end changes what the hidden units read by a column of the weights: all such moves of a
//! point cost no more than one evaluation of it. Descents end a little above the least value near them, these moves at it.

use super::walk::Best;
use pulp::{Arch, Simd, WithSimd};
use unmoved_ir::{Network, NodeId, Op};
use unmoved_property::{Conjunction, Query};

/// Units side by side.
const WIDTH: usize = 16;
type Units = [f32; WIDTH];
/// Moves that gain less than this are left alone: roundings are no gain.
const LEAST: f32 = 1e-6;
/// All inputs are tried at most so often.
const TURNS: usize = 50;

/// A function `hidden . relu(W x + b) + inputs . x + constant` on the box.
pub(super) struct Form {
    hidden: Vec<Units>,
    inputs: Vec<f32>,
    constant: f32,
}

/// The network cut down to the box: units that are always active are part of the linear terms, those that never are
/// have gone.
pub(super) struct Shallow {
    /// For each input the weights that read it, in [`Shallow::blocks`] pieces.
    columns: Vec<Units>,
    bias: Vec<Units>,
    lower: Vec<f32>,
    upper: Vec<f32>,
    outputs: Vec<Form>,
}

impl Shallow {
    /// `None` for networks of another shape, and for regions that are no boxes.
    pub(super) fn new(query: &Query) -> Option<Self> {
        let network = query.network();
        query.region().exact_box()?;
        let output = network.node(network.output());
        let Op::Dense(last) = &output.op else { return None };
        let relu = network.node(past_shapes(network, output.inputs[0]));
        let Op::Relu = relu.op else { return None };
        let hidden = network.node(relu.inputs[0]);
        let Op::Dense(first) = &hidden.op else { return None };
        if past_shapes(network, hidden.inputs[0]) != Network::INPUT {
            return None;
        }
        let ends = query.region().enclosing_box();
        let (n, units) = (first.inputs(), first.outputs());
        let (weight, bias, above, constant) =
            (first.weight.to_f64(), first.bias.to_f64(), last.weight.to_f64(), last.bias.to_f64());
        let row = |k: usize| &weight[k * n..(k + 1) * n];
        let (mut open, mut active) = (Vec::new(), Vec::new());
        for k in 0..units {
            let (mut low, mut high) = (bias[k], bias[k]);
            for (w, (l, u)) in row(k).iter().zip(ends.lower.iter().zip(&ends.upper)) {
                low += (w * l).min(w * u);
                high += (w * l).max(w * u);
            }
            if low >= 0.0 {
                active.push(k);
            } else if high > 0.0 {
                open.push(k);
            }
        }
        let blocks = open.len().div_ceil(WIDTH);
        let mut columns = vec![[0.0; WIDTH]; n * blocks];
        for (at, &k) in open.iter().enumerate() {
            row(k).iter().enumerate().for_each(|(i, &w)| columns[i * blocks + at / WIDTH][at % WIDTH] = w as f32);
        }
        let form = |j: usize| {
            let mut form =
                Form { hidden: vec![[0.0; WIDTH]; blocks], inputs: vec![0.0; n], constant: constant[j] as f32 };
            let above = &above[j * units..(j + 1) * units];
            open.iter().enumerate().for_each(|(at, &k)| form.hidden[at / WIDTH][at % WIDTH] = above[k] as f32);
            let mut inputs = vec![0.0; n];
            let mut constant = constant[j];
            for &k in &active {
                inputs.iter_mut().zip(row(k)).for_each(|(to, w)| *to += above[k] * w);
                constant += above[k] * bias[k];
            }
            form.inputs.iter_mut().zip(&inputs).for_each(|(to, v)| *to = *v as f32);
            form.constant = constant as f32;
            form
        };
        let mut own = vec![[0.0; WIDTH]; blocks];
        open.iter().enumerate().for_each(|(at, &k)| own[at / WIDTH][at % WIDTH] = bias[k] as f32);
        let outputs = (0..last.outputs()).map(form).collect();
        let float = |v: &[f64]| v.iter().map(|&v| v as f32).collect();
        Some(Self { columns, bias: own, lower: float(&ends.lower), upper: float(&ends.upper), outputs })
    }

    /// The constraint of a disjunct that has but one.
    pub(super) fn form(&self, conjunction: &Conjunction) -> Option<Form> {
        let [constraint] = &conjunction.0[..] else { return None };
        let mut form = Form {
            hidden: vec![[0.0; WIDTH]; self.bias.len()],
            inputs: vec![0.0; self.lower.len()],
            constant: constraint.constant.to_f64() as f32,
        };
        for (j, c) in &constraint.outputs {
            let (c, output) = (c.to_f64() as f32, &self.outputs[*j]);
            form.hidden.iter_mut().flatten().zip(output.hidden.iter().flatten()).for_each(|(to, v)| *to += c * v);
            form.inputs.iter_mut().zip(&output.inputs).for_each(|(to, v)| *to += c * v);
            form.constant += c * output.constant;
        }
        constraint.inputs.iter().for_each(|(i, c)| form.inputs[*i] += c.to_f64() as f32);
        Some(form)
    }

    fn column(&self, i: usize) -> &[Units] {
        &self.columns[i * self.bias.len()..(i + 1) * self.bias.len()]
    }

    /// Moves single inputs to the end where the form is less, in a random order, until none is; tells where that leads
    /// if it is less.
    pub(super) fn sweep(&self, form: &Form, from: Best, random: &mut fastrand::Rng) -> Best {
        let inside = |(i, &x): (usize, &f64)| (x as f32).max(self.lower[i]).min(self.upper[i]);
        let mut x: Vec<f32> = from.x.iter().enumerate().map(inside).collect();
        if x.len() != self.lower.len() {
            return from;
        }
        let mut order: Vec<usize> = (0..x.len()).filter(|&i| self.lower[i] < self.upper[i]).collect();
        random.shuffle(&mut order);
        let mut read = self.read(&x);
        Arch::new().dispatch(Sweep { shallow: self, form, x: &mut x, read: &mut read, order: &order });
        // Small steps add up roundings.
        let linear: f32 = form.inputs.iter().zip(&x).map(|(c, x)| c * x).sum();
        let value = form.constant + linear + sum(&form.hidden, &self.read(&x));
        if value < from.value { Best { value, x: x.into_iter().map(f64::from).collect() } } else { from }
    }

    /// What the units read.
    fn read(&self, x: &[f32]) -> Vec<Units> {
        let mut read = self.bias.clone();
        x.iter().enumerate().for_each(|(i, &x)| add(&mut read, self.column(i), x));
        read
    }
}

fn past_shapes(network: &Network, mut id: NodeId) -> NodeId {
    while network.node(id).op == Op::Flatten {
        id = network.node(id).inputs[0];
    }
    id
}

#[inline(always)]
fn add(to: &mut [Units], column: &[Units], by: f32) {
    for (to, w) in to.iter_mut().zip(column) {
        (0..WIDTH).for_each(|k| to[k] += by * w[k]);
    }
}

#[inline(always)]
fn sum(weights: &[Units], read: &[Units]) -> f32 {
    let mut sums = [0.0; WIDTH];
    for (c, z) in weights.iter().zip(read) {
        (0..WIDTH).for_each(|k| sums[k] += c[k] * z[k].max(0.0));
    }
    sums.iter().sum()
}

/// [`sum`] where one input has moved.
#[inline(always)]
fn moved(weights: &[Units], read: &[Units], column: &[Units], by: f32) -> f32 {
    let mut sums = [0.0; WIDTH];
    for ((c, z), w) in weights.iter().zip(read).zip(column) {
        for k in 0..WIDTH {
            let z = z[k] + by * w[k];
            sums[k] += c[k] * if z > 0.0 { z } else { 0.0 };
        }
    }
    sums.iter().sum()
}

struct Sweep<'a> {
    shallow: &'a Shallow,
    form: &'a Form,
    x: &'a mut [f32],
    read: &'a mut [Units],
    order: &'a [usize],
}

impl WithSimd for Sweep<'_> {
    type Output = ();

    // Plain loops, compiled for this processor.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { shallow, form, x, read, order } = self;
        let mut now = sum(&form.hidden, read);
        let mut tried_in_vain = 0;
        for &i in order.iter().cycle().take(TURNS * order.len()) {
            tried_in_vain += 1;
            for end in [shallow.lower[i], shallow.upper[i]].into_iter().filter(|&end| end != x[i]) {
                let by = end - x[i];
                let after = moved(&form.hidden, read, shallow.column(i), by);
                if by * form.inputs[i] + after - now < -LEAST * now.abs().max(1.0) {
                    add(read, shallow.column(i), by);
                    (x[i], now, tried_in_vain) = (end, after, 0);
                    break;
                }
            }
            if tried_in_vain == order.len() {
                break;
            }
        }
    }
}
