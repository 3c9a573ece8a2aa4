//! A semidefinite bound as a leaf of a certificate.

use std::collections::BTreeMap;
use unmoved_bounds::engine::Compact;
use unmoved_bounds::semidefinite::Leaf;
use unmoved_check::{Bounds, Lifted, LiftedElement, LinearForm, Multipliers, QuadraticForm, Step};
use unmoved_ir::NodeId;

/// The multiplier of an input whose range is lost in float32: large beside all that it is multiplied with, and its range's square still nothing.
const PINNED: f32 = 1e6;

/// The step. `input` is the box of the table that it is checked in.
pub(super) fn leaf(compact: &Compact, input: &Bounds, proof: &Leaf, lambda: Vec<f64>) -> Step {
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
