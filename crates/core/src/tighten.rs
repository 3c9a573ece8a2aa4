//! Progressive tightening (paper, section 4.2): intervals, then linear passes, then a linear program, then a mixed integer
//! program per neuron, each only for the neurons that the one before leaves unstable, layer by layer.
//!
//! The bound of a linear program is computed from its duals by [`dual_bound`], so it is proved whatever the solver did. That
//! of a mixed integer program is the solver's word.

use crate::dual::{DualBound, dual_bound};
use crate::encode::{EncodeError, all_bounds, encode_below};
use crate::milp::{Cost, Milp, Quantity};
use crate::solve::{Limits, SolverError};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use unmoved_bounds::{LinearForm, Propagation};
use unmoved_ir::{Network, NodeId, Op};
use unmoved_property::InputRegion;

/// How far to go for a neuron that stays unstable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tightening {
    /// Interval arithmetic.
    Interval,
    /// One backward linear pass in each direction.
    Linear,
    /// Two linear programs over the part of the network below.
    Lp,
    /// Also two mixed integer programs.
    Milp {
        /// Use the solver's bounds, which nothing proves. Otherwise they are reported only.
        trust_solver: bool,
    },
}

/// How long tightening may take.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// For everything together.
    pub total: Option<Duration>,
    /// For each program.
    pub each: Option<Duration>,
}

/// What tightening has done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TightenReport {
    /// The neurons that a solver was asked about, in order.
    pub neurons: Vec<Tightened>,
    /// The budget ended before the last of them.
    pub out_of_time: bool,
    /// Some bound now in use is a solver's word: nothing that follows from the bounds is proved.
    pub trusts_solver: bool,
}

/// The bounds of one pre-activation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tightened {
    /// The node of the lowered network that a ReLU reads.
    pub node: NodeId,
    /// The position in its value.
    pub element: usize,
    /// Lower and upper bound before any solver was asked.
    pub before: [f64; 2],
    /// Proved by the duals of the linear programs.
    pub proved: [f64; 2],
    /// What the solver says of the mixed integer programs, if it was asked and said anything.
    pub claimed: Option<[f64; 2]>,
}

/// Why nothing could be tightened.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TightenError {
    /// The part of the network could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// There is no solver, or it refused.
    #[error(transparent)]
    Solver(#[from] SolverError),
}

/// Tightens the bounds of all pre-activations that are still unstable, in place.
///
/// Bounds in use stay proved, unless `method` trusts the solver; the report says so.
///
/// # Errors
/// [`SolverError::NeedsHighs`] for `Lp` and `Milp` in a build without HiGHS; [`EncodeError::L2`] for these over an l2 ball.
pub fn tighten(
    propagation: &mut Propagation<'_>,
    region: &InputRegion,
    method: Tightening,
    budget: Budget,
) -> Result<TightenReport, TightenError> {
    let mut report = TightenReport::default();
    let what = match method {
        Tightening::Interval => {
            propagation.refresh_after(Network::INPUT);
            return Ok(report);
        }
        Tightening::Linear => "",
        Tightening::Lp => "tightening by linear programs",
        Tightening::Milp { .. } => "tightening by mixed integer programs",
    };
    if !what.is_empty() && !cfg!(feature = "highs") {
        return Err(SolverError::NeedsHighs { what }.into());
    }
    let clock = Clock { start: Instant::now(), budget };
    let lowered = propagation.lowered();
    let mut reads: Vec<NodeId> =
        lowered.network.nodes().iter().filter(|n| n.op == Op::Relu).map(|n| n.inputs[0]).collect();
    reads.sort();
    reads.dedup();
    for id in reads {
        let unstable: Vec<usize> = propagation.bounds(id).unstable().collect();
        propagation.tighten(id, &unstable);
        if !what.is_empty() {
            let unstable: Vec<usize> = propagation.bounds(id).unstable().collect();
            for group in groups(&lowered.network, id, unstable) {
                tighten_group(propagation, region, method, &clock, id, &group, &mut report)?;
            }
        }
        propagation.refresh_after(id);
    }
    Ok(report)
}

struct Clock {
    start: Instant,
    budget: Budget,
}

impl Clock {
    /// What one program may take now; `None` when time is up.
    fn limits(&self) -> Option<Limits> {
        let left = match self.budget.total {
            Some(total) => Some(total.checked_sub(self.start.elapsed()).filter(|left| !left.is_zero())?),
            None => None,
        };
        let time = left.into_iter().chain(self.budget.each).min();
        Some(Limits { time })
    }
}

/// Neurons of a dense layer read the same values, so one program serves them all; those of a convolution have small
/// receptive fields of their own.
fn groups(network: &Network, id: NodeId, elements: Vec<usize>) -> Vec<Vec<usize>> {
    let mut source = network.node(id);
    while matches!(source.op, Op::Flatten | Op::Relu) {
        source = network.node(source.inputs[0]);
    }
    match source.op {
        _ if elements.is_empty() => Vec::new(),
        Op::Dense(_) => vec![elements],
        _ => elements.into_iter().map(|k| vec![k]).collect(),
    }
}

fn tighten_group(
    propagation: &mut Propagation<'_>,
    region: &InputRegion,
    method: Tightening,
    clock: &Clock,
    id: NodeId,
    group: &[usize],
    report: &mut TightenReport,
) -> Result<(), TightenError> {
    let network = &propagation.lowered().network;
    let (milp, columns) = encode_below(network, &all_bounds(propagation), region, id, group)?;
    // Below an affine function of the region the linear pass was exact.
    if milp.integers() == 0 {
        return Ok(());
    }
    let mut linear = Minimiser::new(&milp.relaxed())?;
    let mut integer = match method {
        Tightening::Milp { .. } => Some(Minimiser::new(&milp)?),
        _ => None,
    };
    let mut found = Vec::new();
    for (&k, column) in group.iter().zip(columns) {
        let Some(column) = column else { continue };
        let before = [propagation.bounds(id).lower[k], propagation.bounds(id).upper[k]];
        let mut neuron = Tightened { node: id, element: k, before, proved: before, claimed: None };
        for (side, sign) in [(0, 1.0), (1, -1.0)] {
            let Some(limits) = clock.limits() else {
                report.out_of_time = true;
                break;
            };
            let cost = Cost { terms: vec![(column, sign)], constant: 0.0 };
            let Some(duals) = linear.minimise(&cost, &limits)?.duals else { continue };
            let form = LinearForm::element(id, k, sign);
            let DualBound { value, .. } = dual_bound(propagation, region, &form, multipliers(&milp, &duals));
            neuron.proved[side] = tighter(side, before[side], sign * value);
        }
        let unstable = neuron.proved[0] < 0.0 && neuron.proved[1] > 0.0;
        if let Some(integer) = integer.as_mut().filter(|_| unstable) {
            let mut claimed = neuron.proved;
            for (side, sign) in [(0, 1.0), (1, -1.0)] {
                let Some(limits) = clock.limits() else {
                    report.out_of_time = true;
                    break;
                };
                let cost = Cost { terms: vec![(column, sign)], constant: 0.0 };
                if let Some(bound) = integer.minimise(&cost, &limits)?.bound {
                    claimed[side] = tighter(side, claimed[side], sign * bound);
                }
            }
            neuron.claimed = Some(claimed);
        }
        found.push(neuron);
        if report.out_of_time {
            break;
        }
    }
    for neuron in &found {
        let [lower, upper] = match (method, neuron.claimed) {
            (Tightening::Milp { trust_solver: true }, Some(claimed)) => {
                report.trusts_solver = true;
                claimed
            }
            _ => neuron.proved,
        };
        propagation.intersect(id, neuron.element, lower, upper);
    }
    report.neurons.extend(found);
    Ok(())
}

fn tighter(side: usize, a: f64, b: f64) -> f64 {
    if side == 0 { a.max(b) } else { a.min(b) }
}

/// The multiplier of each unstable ReLU: what its rows `above` and `cap_on`, the two that contain the pre-activation, put on it.
fn multipliers(milp: &Milp, duals: &[f64]) -> impl Fn(NodeId, usize) -> Option<f64> {
    let mut mu = HashMap::new();
    for (r, row) in milp.rows.iter().enumerate().filter(|(_, row)| row.name.ends_with(":cap_on")) {
        // The binary ends the row, and `above` is the row before.
        let Some(&(on, _)) = row.terms.last() else { continue };
        if let Quantity::Active { node, element } = milp.columns[on].quantity {
            mu.insert((node, element), duals[r - 1] + duals[r]);
        }
    }
    move |node, element| mu.get(&(node, element)).copied()
}

#[cfg(feature = "highs")]
use crate::solve::Session as Minimiser;

/// Stands for HiGHS in builds without it; never made, because these stop with an error before.
#[cfg(not(feature = "highs"))]
struct Minimiser;

#[cfg(not(feature = "highs"))]
impl Minimiser {
    fn new(_: &Milp) -> Result<Self, SolverError> {
        Err(SolverError::NeedsHighs { what: "a linear program" })
    }

    fn minimise(&mut self, _: &Cost, _: &Limits) -> Result<crate::solve::Solution, SolverError> {
        Err(SolverError::NeedsHighs { what: "a linear program" })
    }
}
