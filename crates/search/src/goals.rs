//! What a search has still to do, goal by goal.

use crate::bab::Effort;
use crate::history::Branch;
use crate::outcome::Progress;
use crate::tree::Place;
use crate::workers::{Rank, Ranked};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use unmoved_bounds::engine::Split;

/// A subproblem that waits to be split.
pub(crate) struct Open {
    pub(crate) bound: f32,
    pub(crate) place: Place,
    pub(crate) goal: usize,
    /// The ReLU to split next.
    pub(crate) branch: Branch,
    /// Its shift in either case, to begin with.
    pub(crate) inherited: [f32; 2],
    pub(crate) splits: Vec<Split>,
    pub(crate) slopes: Box<[u8]>,
    pub(crate) shifts: Box<[(u32, f32)]>,
}

/// The least bound first.
impl Rank for Open {
    fn rank(&self, other: &Self) -> Ordering {
        other.bound.total_cmp(&self.bound).then_with(|| other.place.cmp(&self.place))
    }
}

/// Reports come after so many batches.
const REPORT_EVERY: usize = 512;

/// A search that proves this share of what it bounds comes to its end: half of them, and nothing would be left over.
const ENDING: f64 = 0.05;

/// What a worker should do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Work,
    /// Others may still find something.
    Wait,
    Over,
}

/// The open subproblems of all goals.
pub(crate) struct State {
    goals: Vec<Pursuit>,
    /// The groups of which some goal is proved: the others are of no use any more.
    proved: Vec<bool>,
    /// What came when too many were open; worked on first, the latest before the others, so that it stays short.
    deep: Vec<Open>,
    open: usize,
    most: usize,
    most_open: usize,
    /// How often `most` may still be doubled; how many were bounded and how many of them proved when it last was.
    extensions: usize,
    before: [usize; 2],
    /// The goal whose turn it is.
    turn: usize,
    /// Batches being worked on.
    busy: usize,
    batches: usize,
    stopped: bool,
}

/// One goal.
#[derive(Default)]
struct Pursuit {
    heap: BinaryHeap<Ranked<Open>>,
    nodes: usize,
    closed: usize,
    /// Subproblems that are not closed, wherever they are.
    unfinished: usize,
    /// What can be split no further: the goal will not be proved.
    stuck: Vec<Open>,
    group: usize,
}

impl State {
    /// For goals of these groups.
    pub(crate) fn new(groups: impl Iterator<Item = usize>, effort: &Effort) -> Self {
        let goals: Vec<Pursuit> = groups.map(|group| Pursuit { unfinished: 1, group, ..Pursuit::default() }).collect();
        let groups = goals.iter().map(|g| g.group + 1).max().unwrap_or(0);
        Self {
            proved: vec![false; groups],
            goals,
            deep: Vec::new(),
            open: 0,
            most: effort.most,
            most_open: effort.most_open,
            extensions: effort.extensions,
            before: [0; 2],
            turn: 0,
            busy: 0,
            batches: 0,
            stopped: false,
        }
    }

    pub(crate) fn nodes(&self) -> usize {
        self.goals.iter().map(|g| g.nodes).sum()
    }

    /// The least bound of what is open of a goal.
    pub(crate) fn margin(&self, goal: usize) -> f32 {
        let deep = self.deep.iter().filter(|o| o.goal == goal);
        let own = &self.goals[goal];
        let least =
            own.heap.iter().map(|ranked| &ranked.0).chain(&own.stuck).chain(deep).map(|o| o.bound).reduce(f32::min);
        // A goal that was never begun has nothing open either.
        least.unwrap_or(if own.unfinished == 0 { f32::INFINITY } else { f32::NEG_INFINITY })
    }

    /// Whether some group has no goal left that may be proved.
    pub(crate) fn is_hopeless(&self) -> bool {
        let given_up = |g: &Pursuit| !g.stuck.is_empty() || g.nodes >= self.most;
        let lost = |group| self.goals.iter().filter(|g| g.group == group).all(given_up);
        (0..self.proved.len()).any(|group| !self.proved[group] && lost(group))
    }

    /// Whether as many were bounded as may be. Where enough of the last were proved that the rest should be soon, more may.
    pub(crate) fn is_spent(&mut self) -> bool {
        let nodes = self.nodes();
        if nodes < self.most {
            return false;
        }
        let proved = self.goals.iter().map(|g| g.closed).sum();
        let [bounded, closed] = [nodes - self.before[0], proved - self.before[1]];
        if self.extensions == 0 || (closed as f64) < ENDING * bounded as f64 {
            return true;
        }
        self.extensions -= 1;
        self.before = [nodes, proved];
        self.most = self.most.saturating_mul(2);
        false
    }

    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(crate) fn status(&self) -> Status {
        if self.stopped {
            Status::Over
        } else if !self.deep.is_empty() || self.goals.iter().any(|g| self.is_workable(g)) {
            Status::Work
        } else if self.busy > 0 {
            Status::Wait
        } else {
            Status::Over
        }
    }

    fn is_workable(&self, goal: &Pursuit) -> bool {
        !goal.heap.is_empty() && goal.nodes < self.most && !self.proved[goal.group] && goal.stuck.is_empty()
    }

    /// Up to `most` subproblems, fewer where other workers would be left without; goals take turns.
    pub(crate) fn take(&mut self, most: usize, workers: usize) -> Vec<Open> {
        let share = (self.open + self.deep.len()).div_ceil(workers.max(1)).min(most);
        let mut taken = self.deep.split_off(self.deep.len() - share.min(self.deep.len()));
        let mut passed = 0;
        while taken.len() < share && passed < self.goals.len() {
            self.turn = (self.turn + 1) % self.goals.len();
            passed += 1;
            if self.is_workable(&self.goals[self.turn]) {
                taken.extend(self.goals[self.turn].heap.pop().map(|ranked| ranked.0));
                self.open -= 1;
                passed = 0;
            }
        }
        // Each of them becomes two.
        taken.iter().for_each(|open| self.goals[open.goal].unfinished += 1);
        self.busy += 1;
        taken
    }

    /// After a batch; a report, if it is time for one.
    pub(crate) fn batch_done(&mut self, found: bool) -> Option<Progress> {
        self.busy -= 1;
        self.stopped |= found;
        self.batches += 1;
        self.batches.is_multiple_of(REPORT_EVERY).then(|| self.progress())
    }

    pub(crate) fn progress(&self) -> Progress {
        let open = (0..self.goals.len()).filter(|&g| !self.proved[self.goals[g].group]);
        let margin = open.map(|g| self.margin(g)).fold(f32::INFINITY, f32::min);
        Progress::Search { subproblems: self.nodes(), open: self.open + self.deep.len(), margin }
    }

    /// Counts bounded subproblems.
    pub(crate) fn count(&mut self, goals: impl Iterator<Item = usize>) {
        goals.for_each(|goal| self.goals[goal].nodes += 1);
    }

    pub(crate) fn push(&mut self, open: Open) {
        let goal = &mut self.goals[open.goal];
        if self.open >= self.most_open {
            self.deep.push(open);
        } else {
            goal.heap.push(Ranked(open));
            self.open += 1;
        }
    }

    pub(crate) fn closed(&mut self, goal: usize) {
        let goal = &mut self.goals[goal];
        goal.closed += 1;
        goal.unfinished -= 1;
        if goal.unfinished == 0 {
            self.proved[goal.group] = true;
        }
    }

    pub(crate) fn stuck(&mut self, open: Open) {
        self.goals[open.goal].stuck.push(open);
    }

    /// Everything that is open.
    pub(crate) fn drain(&mut self) -> Vec<Open> {
        self.open = 0;
        let own = |g: &mut Pursuit| {
            std::mem::take(&mut g.heap).into_iter().map(|ranked| ranked.0).chain(std::mem::take(&mut g.stuck))
        };
        let heaps = self.goals.iter_mut().flat_map(own);
        heaps.chain(std::mem::take(&mut self.deep)).collect()
    }
}
