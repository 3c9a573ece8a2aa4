//! Inputs that may be counterexamples, and what replay made of them.

use crate::outcome::{DecidedBy, Outcome};
use unmoved_check::{ReplayError, replay_point};
use unmoved_ir::IrError;
use unmoved_property::{Constraint, Counterexample, Point, Query, Verdict};

/// The largest constraint of a disjunct in float64: unsafe where it is not positive, but for rounding.
pub(crate) fn value(query: &Query, disjunct: usize, input: &[f32]) -> Result<f64, IrError> {
    let x: Vec<f64> = input.iter().map(|&v| f64::from(v)).collect();
    let y = query.network().forward(&x)?;
    Ok(query.unsafe_set()[disjunct].0.iter().map(|c| float(c, &x, &y)).fold(f64::NEG_INFINITY, f64::max))
}

fn float(c: &Constraint, x: &[f64], y: &[f64]) -> f64 {
    let dot =
        |terms: &[(usize, unmoved_ir::Rational)], v: &[f64]| terms.iter().map(|(k, a)| a.to_f64() * v[*k]).sum::<f64>();
    dot(&c.outputs, y) + dot(&c.inputs, x) + c.constant.to_f64()
}

/// Whether the float64 evaluation comes so close to unsafe that exact replay should have a look.
pub(crate) fn seems_unsafe(query: &Query, input: &[f32]) -> Result<bool, IrError> {
    let x: Vec<f64> = input.iter().map(|&v| f64::from(v)).collect();
    let y = query.network().forward(&x)?;
    let scale = y.iter().fold(1.0f64, |m, v| m.max(v.abs()));
    // Written so that a NaN counts as unsafe: exact replay knows better.
    Ok(query.unsafe_set().iter().any(|d| !d.0.iter().any(|c| float(c, &x, &y) > 1e-4 * scale)))
}

/// What the attack proposed and replay made of it.
#[derive(Default)]
pub(crate) struct Candidates {
    pub(crate) counterexample: Option<Counterexample>,
    pub(crate) f32_only: Option<Vec<f32>>,
}

impl Candidates {
    /// Replays an input exactly; true if it is a counterexample.
    pub(crate) fn accept(&mut self, query: &Query, input: &Point) -> bool {
        match replay_point(query, input) {
            Ok(counterexample) => {
                self.counterexample = Some(counterexample);
                true
            }
            Err(ReplayError::F32Only) => {
                self.f32_only.get_or_insert_with(|| input.nearest.clone());
                false
            }
            Err(_) => false,
        }
    }

    /// Replays the float32 input of the region that is nearest to a point.
    pub(crate) fn accept_near(&mut self, query: &Query, x: &[f64]) -> bool {
        query.region().nearest_inside(x).is_some_and(|input| self.accept(query, &input))
    }

    pub(crate) fn into_outcome(self, outcome: Outcome, decided_by: DecidedBy) -> Outcome {
        match self.counterexample {
            Some(counterexample) => Outcome { verdict: Verdict::Violated(counterexample), decided_by, ..outcome },
            None => outcome,
        }
    }
}
