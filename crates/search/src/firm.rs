//! Counterexamples that another arithmetic agrees with.
//!
//! [`unmoved_check::replay`] decides over the reals. Whoever runs the network on what is written runs it in float32, and sums in
//! another order than ours: a tie, or a violation by a hair, may not be seen there. Where there is a choice, it is better to
//! write an input that leaves no doubt.

use crate::attack::{self, AttackOptions};
use std::cell::RefCell;
use unmoved_check::{Examiner, replay_point};
use unmoved_ir::{Exact, Rational};
use unmoved_property::{Conjunction, Counterexample, Point, Query};

/// How far, as a multiple of what float32 and float64 differ by here, another order of sums may be off.
const NOISE: f64 = 8.0;
/// And as a share of the largest output.
const FLOOR: f64 = 8.0 * f32::EPSILON as f64;

/// Steps of the attacks that look for more room.
const STEPS: usize = 30;

/// Whether float32 shows the input unsafe by more than the order of its sums is likely to change. An element that is no
/// float32 is taken at the nearest one.
pub fn is_firm(query: &Query, input: &[f32]) -> bool {
    let network = query.network();
    let wide: Vec<f64> = input.iter().map(|&v| f64::from(v)).collect();
    let (Ok(narrow), Ok(exact)) = (network.forward(input), network.forward(&wide)) else { return false };
    if narrow.iter().any(|v| !v.is_finite()) || input.iter().any(|v| !v.is_finite()) {
        return false;
    }
    let narrow: Vec<f64> = narrow.into_iter().map(f64::from).collect();
    let apart = narrow.iter().zip(&exact).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()));
    let largest = narrow.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    let Some(noise) = Rational::from_f64(NOISE * apart + FLOOR * largest) else { return false };
    let [x, y] = [&wide, &narrow].map(|values| values.iter().map(|&v| Exact::from_f64(v)).collect::<Vec<_>>());
    let holds = |conjunction: &Conjunction| {
        conjunction.0.iter().all(|c| {
            let moves = c.outputs.iter().fold(Rational::ZERO, |sum, (_, a)| &sum + &(&a.abs() * &noise));
            c.holds_at(&(&c.value(&x, &y) + &moves))
        })
    };
    query.unsafe_set().iter().any(holds)
}

/// The counterexample, or one near it that is [firm](is_firm), if a short attack finds that.
pub fn firm_up(query: &Query, found: Counterexample, out_of_time: impl Fn() -> bool) -> Counterexample {
    if is_firm(query, &found.input.nearest) || out_of_time() {
        return found;
    }
    // A question that was decided can be worked on.
    let Ok(examiner) = Examiner::new(query) else { return found };
    let compact = attack::compact(&examiner, query);
    let better = RefCell::new(None);
    let accept = |input: &Point| {
        let firm = is_firm(query, &input.nearest).then(|| replay_point(query, input).ok()).flatten();
        let is_found = firm.is_some();
        better.replace(firm);
        is_found
    };
    let near = found.input.nearest.iter().map(|&v| f64::from(v)).collect();
    attack::seek_from(query, &compact, &[(found.disjunct, near)], STEPS, accept);
    if better.borrow().is_none() {
        let options = AttackOptions { steps: STEPS, ..AttackOptions::default() };
        attack::seek(query, &compact, &[found.disjunct], options, out_of_time, accept);
    }
    better.into_inner().unwrap_or(found)
}
