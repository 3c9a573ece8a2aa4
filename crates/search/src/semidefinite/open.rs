//! What is still to be bounded, and what has come of it so far.

use crate::outcome::Progress;
use crate::tree::Place;
use crate::workers::{Rank, Ranked};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use unmoved_bounds::engine::Split;
use unmoved_bounds::semidefinite;

/// The multipliers of a subproblem, shared by those below it.
pub(super) type Found = Arc<semidefinite::Found>;

/// A subproblem that waits to be bounded.
pub(super) struct Open {
    /// The value of the one above it.
    pub(super) value: f64,
    pub(super) place: Place,
    pub(super) goal: usize,
    pub(super) splits: Vec<Split>,
    pub(super) found: Option<Found>,
}

/// As many subproblems of linear bounds are spent for one below a root, where only so many are allowed.
const EACH: usize = 100;
/// Operations below the roots that are spent in any case, about half a second's worth on two cores, and how many times that for the whole tree.
const PATIENCE: f64 = 4e10;
const GAIN: f64 = 1000.0;

/// The largest value first: what is nearest to a proof. So few wait at a time.
impl Rank for Open {
    fn rank(&self, other: &Self) -> Ordering {
        self.value.total_cmp(&other.value).then_with(|| other.place.cmp(&self.place))
    }
}

/// All goals. Of the goals of a group one is enough.
pub(super) struct State {
    heap: BinaryHeap<Ranked<Open>>,
    groups: Vec<usize>,
    /// By group: whether a goal of it is proved, and how many may still be.
    proved: Vec<bool>,
    hopes: Vec<usize>,
    /// By goal: its subproblems that are not closed, and the bound at its root.
    unfinished: Vec<usize>,
    /// By goal: the share of its tree that is closed, where a split halves it.
    shares: Vec<f64>,
    given_up: Vec<bool>,
    pub(super) margins: Vec<f64>,
    pub(super) bounded: usize,
    /// What they count for, those below the roots [`EACH`].
    pub(super) counted: usize,
    /// By goal, operations below its root.
    spent: Vec<f64>,
    busy: usize,
    stopped: bool,
}

impl State {
    /// For goals of these groups, which begin at these places.
    pub(super) fn new(groups: impl Iterator<Item = usize>, places: &[Place]) -> Self {
        let groups: Vec<usize> = groups.collect();
        let mut hopes = vec![0; groups.iter().max().map_or(0, |g| g + 1)];
        groups.iter().for_each(|&g| hopes[g] += 1);
        let root = |(goal, &place): (usize, &Place)| Open {
            value: f64::INFINITY,
            place,
            goal,
            splits: Vec::new(),
            found: None,
        };
        Self {
            heap: places.iter().enumerate().map(root).map(Ranked).collect(),
            proved: vec![false; hopes.len()],
            hopes,
            unfinished: vec![1; groups.len()],
            shares: vec![0.0; groups.len()],
            given_up: vec![false; groups.len()],
            margins: vec![f64::NEG_INFINITY; groups.len()],
            bounded: 0,
            counted: 0,
            spent: vec![0.0; groups.len()],
            busy: 0,
            stopped: false,
            groups,
        }
    }

    /// The next subproblem of a goal that is still wanted. Where one group will not be proved, what others have at their roots may still be of use
    /// to other means, but is not worth splits.
    pub(super) fn take(&mut self) -> Option<Open> {
        let is_lost = self.is_lost();
        loop {
            let Ranked(open) = self.heap.pop()?;
            let is_wanted = !self.proved[self.groups[open.goal]] && !self.given_up[open.goal];
            if is_wanted && !(is_lost && open.found.is_some()) {
                self.busy += 1;
                return Some(open);
            }
        }
    }

    /// One that was taken is dealt with.
    pub(super) fn done(&mut self, is_root: bool) {
        self.busy -= 1;
        self.bounded += 1;
        self.counted += if is_root { 1 } else { EACH };
    }

    /// So many operations were spent below the root of a goal. The search ends where what was spent on all groups that are still to be proved is
    /// too much for the share of their trees that is closed.
    pub(super) fn spend(&mut self, goal: usize, operations: f64) {
        self.spent[goal] += operations;
        let (mut spent, mut shares) = (0.0, vec![f64::NAN; self.hopes.len()]);
        for (goal, &group) in self.groups.iter().enumerate() {
            if !self.proved[group] && !self.given_up[goal] {
                spent += self.spent[goal];
                shares[group] = shares[group].max(self.shares[goal]);
            }
        }
        let open: Vec<f64> = shares.into_iter().filter(|share| !share.is_nan()).collect();
        let share = open.iter().sum::<f64>() / open.len().max(1) as f64;
        self.stopped |= spent > PATIENCE * (1.0 + GAIN * share);
    }

    /// One that was taken falls into these two.
    pub(super) fn split(&mut self, goal: usize, children: [Open; 2]) {
        self.unfinished[goal] += 1;
        self.heap.extend(children.map(Ranked));
    }

    /// A subproblem below so many splits is proved, with this bound.
    pub(super) fn closed(&mut self, goal: usize, splits: usize, bound: f64) {
        if splits == 0 {
            self.margins[goal] = bound;
        }
        self.shares[goal] += 0.5f64.powi(splits as i32);
        self.unfinished[goal] -= 1;
        if self.unfinished[goal] == 0 {
            self.proved[self.groups[goal]] = true;
        }
    }

    /// A goal will not be proved; this is what was shown of it.
    pub(super) fn give_up(&mut self, goal: usize, shown: f64) {
        self.margins[goal] = self.margins[goal].max(shown);
        if !std::mem::replace(&mut self.given_up[goal], true) {
            self.hopes[self.groups[goal]] -= 1;
        }
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Nothing is left to do, or the first goals say that it does not pay.
    pub(super) fn is_over(&self) -> bool {
        let (done, none) = (self.proved.iter().all(|p| *p), !self.proved.contains(&true));
        self.stopped || done || (none && self.is_lost()) || (self.heap.is_empty() && self.busy == 0)
    }

    /// Whether some group will not be proved.
    fn is_lost(&self) -> bool {
        self.proved.iter().zip(&self.hopes).any(|(proved, hopes)| !proved && *hopes == 0)
    }

    pub(super) fn progress(&self) -> Progress {
        let margin = self.heap.iter().map(|Ranked(open)| open.value).fold(f64::INFINITY, f64::min);
        Progress::Search { subproblems: self.bounded, open: self.heap.len(), margin: margin as f32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finished_trees_took_is_not_held_against_the_next() {
        let mut state = State::new([0, 1].into_iter(), &[0, 1]);
        state.spend(0, PATIENCE);
        assert!(!state.stopped);
        state.split(0, [2, 3].map(|place| Open { value: 0.0, place, goal: 0, splits: Vec::new(), found: None }));
        state.closed(0, 1, 1.0);
        state.spend(0, 100.0 * PATIENCE);
        assert!(!state.stopped, "half of one tree of two is closed");
        state.closed(0, 1, 1.0);
        assert!(state.proved[0] && !state.proved[1]);
        state.spend(1, 0.5 * PATIENCE);
        assert!(!state.stopped);
        state.spend(1, PATIENCE);
        assert!(state.stopped, "nothing of the other is closed");
    }
}
