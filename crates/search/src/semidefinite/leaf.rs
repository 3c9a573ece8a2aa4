//! A semidefinite bound as a leaf of a certificate.

use std::collections::{BTreeMap, HashSet};
use unmoved_bounds::engine::Compact;
use unmoved_bounds::semidefinite::Leaf;
use unmoved_check::{Bounds, Examiner, Lifted, LiftedElement, LinearForm, Multipliers, QuadraticForm, Step};
use unmoved_ir::{NodeId, Op};

/// The multiplier of an input whose range is lost in float32: large beside all that it is multiplied with, and its range's square still nothing.
const PINNED: f32 = 1e6;
/// A range up to here costs nothing with that multiplier.
const LOST: f64 = 1e-8;

/// ReLUs that the table leaves undecided and the compact network leaves out: values that are always the same, whose range is rounding, or
/// that nothing reads. The checker knows neither, and wants all that rows reach to be variables.
pub(super) fn left_out(examiner: &Examiner<'_>, compact: &Compact) -> Vec<(NodeId, LiftedElement)> {
    let known: HashSet<(NodeId, u32)> = compact.unstable().iter().map(|u| (u.relu, u.position)).collect();
    let mut out = Vec::new();
    for (relu, node) in examiner.lowered().network.iter().filter(|(_, node)| node.op == Op::Relu) {
        let Some(bounds) = &examiner.bounds()[node.inputs[0].0] else { continue };
        for (index, (l, u)) in (0..).zip(bounds.lower.iter().zip(&bounds.upper)) {
            if *l < 0.0 && *u > 0.0 && !known.contains(&(relu, index)) {
                let kappa = if *u < LOST { PINNED } else { 0.0 };
                out.push((relu, LiftedElement { index, nu: 0.0, d: 0.0, kappa }));
            }
        }
    }
    out
}

/// The step. `input` is the box of the table that it is checked in.
pub(super) fn leaf(
    compact: &Compact,
    input: &Bounds,
    left_out: &[(NodeId, LiftedElement)],
    proof: &Leaf,
    lambda: Vec<f64>,
) -> Step {
    let unstable = compact.unstable();
    let mut raw: BTreeMap<NodeId, BTreeMap<u32, f64>> = BTreeMap::new();
    let mut lifted: BTreeMap<NodeId, BTreeMap<u32, LiftedElement>> = BTreeMap::new();
    let handed_down = proof.lifted.iter().map(|l| (l.relu, l.mu)).chain(proof.fixed.iter().copied());
    for (number, mu) in handed_down {
        let u = unstable[number as usize];
        raw.entry(u.relu).or_default().insert(u.position, f64::from(mu));
    }
    for l in &proof.lifted {
        let u = unstable[l.relu as usize];
        let element = LiftedElement { index: u.position, nu: l.nu, d: l.product, kappa: l.kappa };
        lifted.entry(u.relu).or_default().insert(u.position, element);
    }
    for (relu, element) in left_out {
        lifted.entry(*relu).or_default().insert(element.index, *element);
    }
    let mut kappa = vec![0.0; input.lower.len()];
    proof.inputs.iter().for_each(|&(position, k)| kappa[position as usize] = k);
    let moves = input.lower.iter().zip(&input.upper).map(|(l, u)| l < u);
    let inputs = kappa.iter().zip(moves).filter(|(_, moves)| *moves).map(|(k, _)| if *k > 0.0 { *k } else { PINNED });
    let multipliers =
        raw.into_iter().map(|(relu, raw)| Multipliers { relu, slopes: Vec::new(), raw: raw.into_iter().collect() });
    let lifted = lifted
        .into_iter()
        .map(|(relu, elements)| Lifted { relu, elements: elements.into_values().collect() })
        .collect();
    Step::Quadratic(Box::new(QuadraticForm {
        form: LinearForm { lambda, multipliers: multipliers.collect() },
        lifted,
        constant: proof.constant,
        inputs: inputs.collect(),
        ball: proof.ball,
    }))
}
