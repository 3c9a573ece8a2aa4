//! A long proof is cut into pieces, whole subtrees, that threads check side by side.
//!
//! What a subtree proves depends on the table and the disjunct that it begins with and on nothing that other subtrees do. So one walk goes
//! over what lies above the pieces and notes with what each begins; then they are checked in any order. Where the cuts are
//! depends on the proof alone, and so does what comes of it.

use crate::check::Checker;
use crate::queue::share;
use crate::real::Real;
use crate::table::Table;
use crate::{Accepted, Refusal, Step};
use std::ops::Range;

/// How many pieces a proof is cut into, about, and the fewest steps for which that is worth it. A quadratic leaf alone is.
const PIECES: usize = 64;
const FEWEST: usize = 32;
/// No piece is so many times smaller than the largest: there are at most so many times [`PIECES`].
const UNEVEN: usize = 8;
/// How many bounds all pieces together may begin with, if none is so small.
const MAX_BOUNDS: usize = 1 << 21;

/// A subtree that is checked for itself, and the state with which it begins.
pub(crate) struct Piece {
    steps: Range<usize>,
    table: Table,
    disjunct: Option<usize>,
    /// How many changes of bounds and open subtrees lie behind it.
    kept: usize,
    depth: usize,
}

/// The steps of each piece of a proof, in order; none if the proof is short, or no whole number of subtrees. `bounds` is how many a
/// table has.
pub(crate) fn cut(steps: &[Step], disjuncts: usize, bounds: usize) -> Vec<Range<usize>> {
    cut_into(PIECES.min(MAX_BOUNDS / bounds.max(1)), FEWEST, steps, disjuncts)
}

/// The same with about so many pieces, of proofs of more than so many steps; a quadratic leaf counts as that many.
pub(crate) fn cut_into(count: usize, fewest: usize, steps: &[Step], disjuncts: usize) -> Vec<Range<usize>> {
    let Some(ends) = ends(steps, disjuncts) else { return Vec::new() };
    // What comes before the first branch may have been accepted earlier; where the cuts are must not depend on it.
    let mut k = 0;
    while let Some(step @ (Step::Lemma { .. } | Step::Recompute { .. } | Step::Clip { .. })) = steps.get(k) {
        k = if matches!(step, Step::Lemma { .. }) { ends[k + 1] } else { k + 1 };
    }
    let work = |step: &Step| if matches!(step, Step::Quadratic(_)) { fewest } else { 1 };
    let mut done = Vec::with_capacity(steps.len() + 1);
    done.push(0);
    done.extend(steps.iter().scan(0, |done, step| {
        *done += work(step);
        Some(*done)
    }));
    let size = |k: usize| done[ends[k]] - done[k];
    let left = done[steps.len()] - done[k];
    let most = (left / count.max(1)).max(fewest);
    let mut pieces = Vec::new();
    while left > most && k < steps.len() {
        k = match &steps[k] {
            _ if size(k) <= most => {
                if size(k) >= most / UNEVEN {
                    pieces.push(k..ends[k]);
                }
                ends[k]
            }
            // The proof of a lemma is not cut: what uses the lemma waits for it.
            Step::Lemma { .. } => ends[k + 1],
            _ => k + 1,
        };
    }
    pieces
}

/// Where the subtree of each step ends; `None` if one does not.
fn ends(steps: &[Step], disjuncts: usize) -> Option<Vec<usize>> {
    let mut ends = vec![0; steps.len()];
    // The ends of the subtrees that begin behind the step at hand, the nearest last.
    let mut behind: Vec<usize> = Vec::new();
    for (k, step) in steps.iter().enumerate().rev() {
        let parts = match step {
            Step::Linear(_) | Step::Quadratic(_) | Step::Empty => 0,
            Step::Clip { .. } | Step::Recompute { .. } => 1,
            Step::SplitRelu { .. } | Step::SplitInput { .. } | Step::Lemma { .. } => 2,
            Step::SplitDisjuncts => disjuncts,
        };
        let left = behind.len().checked_sub(parts)?;
        ends[k] = if parts == 0 { k + 1 } else { behind[left] };
        behind.truncate(left);
        behind.push(ends[k]);
    }
    Some(ends)
}

impl<R: Real, const B: usize> Checker<'_, R, B> {
    /// Notes with what the subtree of so many steps begins that the walk has come to.
    pub(crate) fn piece(&self, steps: Range<usize>) -> Piece {
        Piece {
            steps,
            table: self.prover.table.settled(),
            disjunct: self.disjunct,
            kept: self.kept + self.prover.table.changes(),
            depth: self.depth + self.open.len(),
        }
    }

    /// Checks pieces of a proof of which `before` steps were checked earlier. The first step that is wrong is refused.
    pub(crate) fn check_pieces(&mut self, pieces: &[Piece], before: usize, steps: &[Step]) -> Result<(), Refusal> {
        let threads = self.prover.threads().min(pieces.len());
        let mut workers: Vec<Self> = (0..threads).map(|_| Self::with(self.query, self.prover.share())).collect();
        for accepted in share(&mut workers, pieces.len(), |worker, k| worker.check_piece(&pieces[k], before, steps)) {
            let Accepted { leaves, margin, .. } = accepted?;
            self.accepted.leaves += leaves;
            self.accepted.margin = self.accepted.margin.min(margin);
        }
        Ok(())
    }

    fn check_piece(&mut self, piece: &Piece, before: usize, steps: &[Step]) -> Result<Accepted, Refusal> {
        self.reset();
        self.prover.table = piece.table.settled();
        (self.disjunct, self.kept, self.depth) = (piece.disjunct, piece.kept, piece.depth);
        let first = before + piece.steps.start;
        let steps = &steps[piece.steps.clone()];
        match self.walk_around(first, steps, &[], &mut Vec::new())? {
            Some(taken) if taken == steps.len() => Ok(self.accepted),
            // It was cut where it ends, so it is neither longer nor shorter.
            _ => Err(Refusal::MissingStep(first + steps.len())),
        }
    }
}
