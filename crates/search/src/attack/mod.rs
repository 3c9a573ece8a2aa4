//! Projected gradient descent on the constraints of the unsafe set (Madry et al., ICLR 2018), sixteen starts at a time.
//!
//! An attack proposes; [`unmoved_check::replay`] disposes. Nothing found here is reported before it was replayed exactly.

mod shallow;
mod strong;
mod walk;

use crate::candidates::{Candidates, seems_unsafe};
use crate::outcome::{DecidedBy, Outcome, SearchError};
use unmoved_bounds::engine::{Compact, Known, LANES};
use unmoved_check::Examiner;
use unmoved_ir::{IrError, NodeId};
use unmoved_property::{Point, Query, Reason, RegionKind, Verdict};
use walk::Pace;

pub(crate) use strong::Strong;
pub(crate) use walk::{Walk, move_l1, move_l2};

/// How hard to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttackOptions {
    /// Gradient steps from each start.
    pub steps: usize,
    /// Starts per disjunct: the centre first, then random points.
    pub restarts: usize,
    /// Seed of the random starts.
    pub seed: u64,
}

impl Default for AttackOptions {
    fn default() -> Self {
        Self { steps: 30, restarts: 16, seed: 0 }
    }
}

impl AttackOptions {
    /// Many times the effort, from other points.
    pub(crate) fn harder(self) -> Self {
        Self { steps: 4 * self.steps, restarts: 4 * self.restarts, seed: self.seed.wrapping_add(1) }
    }
}

/// The first step as a share of the region's extent: from random points, and from points that are thought to be good.
const LENGTH: f64 = 0.5;
const LENGTH_NEAR: f64 = 0.1;

/// Looks for a counterexample and for nothing else: the answer is `Violated`, replayed exactly, or `Unknown`.
///
/// # Errors
/// Only for what makes the question itself unworkable.
pub fn attack(query: &Query, options: &AttackOptions) -> Result<Outcome, SearchError> {
    let outcome = Outcome::open(query.unsafe_set().len());
    let mut found = Candidates::default();
    if at_centre(query, &mut found)? {
        return Ok(found.into_outcome(outcome, DecidedBy::Centre));
    }
    let compact = compact(&Examiner::new(query)?, query);
    let disjuncts: Vec<usize> = (0..query.unsafe_set().len()).collect();
    seek(query, &compact, &disjuncts, *options, || false, |input| found.accept(query, input));
    let starts = options.restarts.saturating_mul(disjuncts.len());
    let nothing = Reason::NotFound { starts, steps: options.steps };
    let reason = found.f32_only.take().map_or(nothing, Reason::F32Only);
    Ok(found.into_outcome(Outcome { verdict: Verdict::Unknown(reason), ..outcome }, DecidedBy::Attack))
}

/// Whether the centre of the region is a counterexample.
pub(crate) fn at_centre(query: &Query, found: &mut Candidates) -> Result<bool, IrError> {
    let Some(input) = query.region().nearest_inside(&centre(query)) else { return Ok(false) };
    Ok(seems_unsafe(query, &input.nearest)? && found.accept(query, &input))
}

/// The network cut down by the bounds that the examiner has.
pub(crate) fn compact(examiner: &Examiner<'_>, query: &Query) -> Compact {
    Compact::new(examiner.lowered(), query.region(), known(examiner))
}

/// The bounds that the examiner has.
pub(crate) fn known<'e>(examiner: &'e Examiner<'_>) -> impl Fn(NodeId) -> Option<Known<'e>> + Copy {
    let bounds = examiner.bounds();
    move |id: NodeId| bounds[id.0].as_ref().map(|b| Known { lower: &b.lower, upper: &b.upper })
}

/// Looks for inputs that satisfy one of the given disjuncts. `accept` is shown every input that seems to, float32 where the region allows it,
/// and ends the attack by returning true.
pub(crate) fn seek(
    query: &Query,
    compact: &Compact,
    disjuncts: &[usize],
    options: AttackOptions,
    out_of_time: impl Fn() -> bool,
    mut accept: impl FnMut(&Point) -> bool,
) {
    let mut random = fastrand::Rng::with_seed(options.seed);
    let mut starts = (0..options.restarts).flat_map(|restart| disjuncts.iter().map(move |&d| (restart, d)));
    let mut walk = Walk::new(query, compact);
    loop {
        let starts: Vec<(usize, usize)> = starts.by_ref().take(LANES).collect();
        if starts.is_empty() {
            return;
        }
        for (lane, &(restart, disjunct)) in starts.iter().enumerate() {
            let x = if restart == 0 { centre(query) } else { query.region().sample(|| random.f64()) };
            walk.start(lane, &query.unsafe_set()[disjunct], &x);
            walk.careful[lane] = restart % 2 == 1;
        }
        if walk.descend(starts.len(), &Pace::plain(options.steps, LENGTH), None, &out_of_time, &mut accept)
            || out_of_time()
        {
            return;
        }
    }
}

/// The same from given points, at most [`LANES`], each with the disjunct that it is to satisfy. Whether `accept` has returned true.
pub(crate) fn seek_from(
    query: &Query,
    compact: &Compact,
    starts: &[(usize, Vec<f64>)],
    steps: usize,
    mut accept: impl FnMut(&Point) -> bool,
) -> bool {
    let mut walk = Walk::new(query, compact);
    for (lane, (disjunct, x)) in starts.iter().enumerate() {
        walk.start(lane, &query.unsafe_set()[*disjunct], x);
    }
    walk.descend(starts.len(), &Pace::plain(steps, LENGTH_NEAR), None, &|| false, &mut accept)
}

/// The middle of the region.
pub(crate) fn centre(query: &Query) -> Vec<f64> {
    match query.region().kind() {
        RegionKind::Ball { centre, .. } => centre.clone(),
        RegionKind::Box { .. } => {
            let b = query.region().enclosing_box();
            b.lower.iter().zip(&b.upper).map(|(l, u)| l + (u - l) / 2.0).collect()
        }
    }
}

#[cfg(test)]
mod tests;
