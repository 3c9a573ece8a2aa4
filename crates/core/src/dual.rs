//! A lower bound of a linear form from one multiplier per ReLU, whatever it is and wherever it comes from.
//!
//! Going backwards from the form, every node hands its adjoint `a` on to what it reads. At a ReLU with pre-activation `z` in
//! `[l, u]` and any `mu`, `a relu(z) >= mu z - t` with `t` the largest `mu v - a relu(v)` over `v` in `{l, u, 0}`: these are the
//! dual solutions of the relaxation in which each ReLU is replaced by its triangle, so LP duals are one source of
//! multipliers (Wong and Kolter, ICML 2018, section 3).
//!
//! Rounding: an adjoint that sums up `n` products is off by at most `gamma(n)` times the sum of their magnitudes; that, times the
//! largest magnitude of the node's value, is subtracted from the bound when the node is visited.

use crate::encode::Affine;
use crate::rounding::gamma;
use unmoved_bounds::{Bounds, LinearForm, Phase, Propagation};
use unmoved_ir::{NodeId, Op};
use unmoved_property::InputRegion;

/// A proved lower bound, and the multiplier of every element of every ReLU of the lowered network that proves it.
#[derive(Debug, Clone, PartialEq)]
pub struct DualBound {
    /// The bound; minus infinity where an overflow left nothing.
    pub value: f64,
    /// ReLU nodes with their multipliers, in topological order.
    pub mu: Vec<(NodeId, Vec<f64>)>,
}

/// A sum with a bound of its error.
#[derive(Default)]
struct Sum {
    value: f64,
    size: f64,
    error: f64,
    terms: usize,
}

impl Sum {
    fn add(&mut self, term: f64) {
        self.value += term;
        self.size += term.abs();
        self.terms += 1;
    }

    /// Below the exact sum, if every term is off by at most four roundings and `error` covers the rest.
    fn down(&self) -> f64 {
        let n = self.terms + 8;
        let error = (self.error + gamma(n) * self.size) * (1.0 + 1e-9) + n as f64 * f64::MIN_POSITIVE;
        (self.value - error).next_down()
    }
}

/// An adjoint while it is being summed up.
#[derive(Clone, Copy, Default)]
struct Adjoint {
    value: f64,
    size: f64,
}

impl Adjoint {
    fn add(&mut self, term: f64) {
        self.value += term;
        self.size += term.abs();
    }
}

/// Bounds a form of the lowered network from below, over the region and the bounds of the propagation.
///
/// `multiplier` may choose the `mu` of an element of a ReLU node; where it gives none, or nothing finite, `mu` is the slope that
/// the linear tier would take. Every choice is sound.
pub fn dual_bound(
    propagation: &Propagation<'_>,
    region: &InputRegion,
    form: &LinearForm,
    multiplier: impl Fn(NodeId, usize) -> Option<f64>,
) -> DualBound {
    let network = &propagation.lowered().network;
    let mut adjoints: Vec<Vec<Adjoint>> =
        network.nodes().iter().map(|n| vec![Adjoint::default(); n.shape.len()]).collect();
    let mut additions = vec![form.terms.len(); network.nodes().len()];
    let mut constant = Sum::default();
    constant.add(form.constant);
    constant.error += form.errors.1;
    for &(node, k, c) in &form.terms {
        adjoints[node.0][k].add(c);
    }
    for &(node, k, e) in &form.errors.0 {
        constant.error += e * propagation.bounds(node).magnitude(k);
    }
    let mut mu = Vec::new();
    for (id, node) in network.iter().rev() {
        let above = std::mem::take(&mut adjoints[id.0]);
        let rounding = additions[id.0];
        charge(&mut constant, &above, rounding, propagation.bounds(id));
        let Some(&input) = node.inputs.first() else {
            let q: Vec<f64> = above.iter().map(|a| a.value).collect();
            constant.add(if q.iter().all(|q| q.is_finite()) { region.minimum(&q) } else { f64::NEG_INFINITY });
            break;
        };
        let z = propagation.bounds(input);
        let below = &mut adjoints[input.0];
        match &node.op {
            Op::Relu => {
                let choose = |k: usize, a: f64| multiplier(id, k).filter(|m| m.is_finite()).unwrap_or(slope(a, z, k));
                let chosen: Vec<f64> = above.iter().enumerate().map(|(k, a)| choose(k, a.value)).collect();
                for (k, (&m, a)) in chosen.iter().zip(&above).enumerate() {
                    relu(&mut constant, m, a.value, z, k);
                    below[k].add(m);
                }
                additions[input.0] += 1;
                mu.push((id, chosen));
            }
            // Beyond the form there is nothing to hand on.
            _ if above.iter().all(|a| a.size == 0.0) => {}
            Op::Dense(_) | Op::Conv2d(_) => {
                let layer = Affine::new(network, node).expect("affine nodes have layers");
                for (k, a) in above.iter().enumerate().filter(|(_, a)| a.value != 0.0) {
                    constant.add(a.value * layer.bias(k));
                    let (weight_slack, bias_slack) = layer.slack(k);
                    let mut size = 0.0;
                    layer.row(k, |i, w| {
                        below[i].add(w * a.value);
                        size += if weight_slack > 0.0 { w.abs() * z.magnitude(i) } else { 0.0 };
                    });
                    constant.error += a.value.abs() * (weight_slack * size * (1.0 + gamma(z.len() + 4)) + bias_slack);
                }
                additions[input.0] += above.len() + 1;
            }
            Op::Gather(map) => {
                let copies = map.index.iter().zip(&above).filter_map(|(i, a)| i.map(|i| (i as usize, a.value)));
                copies.for_each(|(i, a)| below[i].add(a));
                additions[input.0] += map.index.len();
            }
            Op::Flatten | Op::Add => {
                for i in &node.inputs {
                    adjoints[i.0].iter_mut().zip(&above).for_each(|(below, a)| below.add(a.value));
                    additions[i.0] += 1;
                }
            }
            Op::MaxPool(_) | Op::Input(_) => unreachable!("max-pools are lowered and the input reads nothing"),
        }
    }
    mu.reverse();
    let value = constant.down();
    DualBound { value: if value.is_finite() { value } else { f64::NEG_INFINITY }, mu }
}

/// What the rounding of adjoints can cost; nothing where all that was added is zero.
fn charge(constant: &mut Sum, adjoints: &[Adjoint], additions: usize, value: &Bounds) {
    let relative = gamma(additions + 1);
    for (k, a) in adjoints.iter().enumerate().filter(|(_, a)| a.size > 0.0) {
        constant.error += (relative * a.size + additions as f64 * f64::MIN_POSITIVE) * value.magnitude(k);
    }
}

/// The upper line for a negative adjoint, the better of the two lower ones for a positive (CROWN).
fn slope(a: f64, z: &Bounds, k: usize) -> f64 {
    let (l, u) = (z.lower[k], z.upper[k]);
    match z.phase(k) {
        Phase::Active => a,
        Phase::Inactive => 0.0,
        Phase::Unstable if a < 0.0 => a * (u / (u - l)),
        Phase::Unstable => {
            if u > -l {
                a
            } else {
                0.0
            }
        }
    }
}

/// Subtracts the most that `mu z` exceeds `a relu(z)` by.
fn relu(constant: &mut Sum, mu: f64, a: f64, z: &Bounds, k: usize) {
    // A neuron whose bounds have overflowed but that plays no part must not spoil the sum, nor an active one rounded.
    if (mu == 0.0 && a == 0.0)
        || (mu == a && z.phase(k) == Phase::Active)
        || (mu == 0.0 && z.phase(k) == Phase::Inactive)
    {
        return;
    }
    let (l, u) = (z.lower[k], z.upper[k]);
    let mut most = f64::NEG_INFINITY;
    for v in [l, u, 0.0f64.clamp(l.min(u), u.max(l))] {
        most = most.max(mu * v - a * v.max(0.0));
        constant.error += gamma(3) * (mu.abs() + a.abs()) * v.abs();
    }
    constant.add(-most);
}
