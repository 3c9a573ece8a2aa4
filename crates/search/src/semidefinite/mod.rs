//! Branch and bound on the phases of unstable ReLUs, each subproblem bounded by the semidefinite relaxation: where the linear relaxation
//! is far off and splits hardly move it.
//!
//! One bound takes as long as hundreds of linear ones, and is worth as much as many thousands where it is worth anything; whether it is
//! shows at the root.

mod leaf;
mod open;

use crate::attack::{self, Strong};
use crate::bab::Goal;
use crate::candidates::Candidates;
use crate::decide::Work;
use crate::outcome::Relaxation;
use crate::proof::Proof;
use crate::tree::{Place, Tree};
use crate::workers::{lock, on_threads, unlocked, wait};
use leaf::leaf;
use open::{Found, Open, State};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use unmoved_bounds::engine::{Compact, LANES, Side, Split};
use unmoved_bounds::semidefinite::{Ascent, Program, Row, Rows};
use unmoved_check::{Bounds, Examiner};
use unmoved_property::Point;

/// Steps of each round of an ascent, at the root and below it, and the most rounds.
const STEPS: [usize; 2] = [150, 80];
const ROUNDS: [usize; 2] = [6, 3];
/// The length of the first round's steps, of the rounds' after it, and below the root.
const LENGTHS: [f32; 3] = [1.0, 0.5, 0.3];
/// An ascent goes on while so many rounds like the last would take it to zero.
const HOPE: f64 = 4.0;
/// The share of the linear relaxation's distance to zero that the first round must make good for more to be spent.
const PAYS: f64 = 0.25;
/// Operations of the attack at the root from what the relaxation takes for bad inputs; below it, steps and on which subproblems.
const ATTACK_OPERATIONS: f64 = 5e9;
const ATTACK_STEPS: usize = 40;
const ATTACK_EVERY: usize = 8;
/// How far the starts are from the relaxation's mean at most, in the other components of its vectors.
const MOST_SPREAD: f32 = 4.0;

/// Networks for which [`Relaxation::Auto`] tries it: with at least so many unstable ReLUs, and at most so many coefficients in all rows, blocks of
/// zeros left out. Whether layers are too many shows at the first root.
const LEAST_UNSTABLE: usize = 24;
const MOST_COEFFICIENTS: usize = 1 << 20;

/// Whether the semidefinite relaxation is to be tried, as far as shape tells.
pub(crate) fn is_promising(compact: &Compact, relaxation: Relaxation) -> bool {
    let unstable = compact.unstable();
    match relaxation {
        Relaxation::Linear => false,
        Relaxation::Semidefinite => !unstable.is_empty(),
        Relaxation::Auto => unstable.len() >= LEAST_UNSTABLE && Rows::is_possible(compact),
    }
}

/// Tries to prove what is open, and says whether it did. Unless these bounds were asked for, it ends where the first gain little.
pub(crate) fn close(
    work: &Work<'_, '_>,
    examiner: &Examiner<'_>,
    proof: &mut Proof<'_>,
    compact: &Compact,
    found: &Mutex<Candidates>,
    enough: f64,
) -> bool {
    let most = if work.options.relaxation == Relaxation::Auto { MOST_COEFFICIENTS } else { usize::MAX };
    let rows = Rows::within(compact, most, || work.clock.is_out());
    let (Some(rows), Some((goals, disjuncts))) = (rows, proof.goals(compact)) else { return false };
    let mut tree = Tree::default();
    let places: Vec<Place> = goals.iter().map(|_| tree.root()).collect();
    let search = Search {
        work,
        input: examiner.bounds()[0].as_ref().expect("the input has bounds"),
        forms: goals.iter().map(|goal| rows.of(&goal.form)).collect(),
        rows,
        compact,
        state: Mutex::new(State::new(goals.iter().map(|g| g.group), &places)),
        goals: &goals,
        disjuncts: &disjuncts,
        margins: proof.outcome.margins.clone(),
        tree: Mutex::new(tree),
        changed: Condvar::new(),
        found,
        enough,
        most: work.options.subproblems.saturating_sub(proof.outcome.subproblems),
    };
    on_threads(work.options.threads, || search.run(), || search.stop());
    let (state, tree) = (unlocked(search.state), unlocked(search.tree));
    proof.outcome.subproblems += state.counted;
    for (g, (&disjunct, &place)) in disjuncts.iter().zip(&places).enumerate() {
        let mut steps = Vec::new();
        let margin = &mut proof.outcome.margins[disjunct];
        *margin = margin.max(state.margins[g]);
        if tree.steps(place, compact, &mut steps).is_some() {
            proof.close(disjunct, steps, enough);
        }
    }
    proof.is_closed()
}

struct Search<'a> {
    work: &'a Work<'a, 'a>,
    rows: Rows<'a>,
    /// By goal.
    forms: Vec<Row>,
    compact: &'a Compact,
    /// The box of the table.
    input: &'a Bounds,
    goals: &'a [Goal],
    disjuncts: &'a [usize],
    /// What linear bounds have shown of each disjunct.
    margins: Vec<f64>,
    state: Mutex<State>,
    tree: Mutex<Tree>,
    changed: Condvar,
    found: &'a Mutex<Candidates>,
    enough: f64,
    /// How many subproblems may be counted.
    most: usize,
}

impl Search<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn stop(&self) {
        self.lock().stop();
        self.changed.notify_all();
    }

    fn is_out(&self) -> bool {
        self.work.clock.is_out()
    }

    fn run(&self) {
        while let Some(open) = self.take() {
            let is_root = open.splits.is_empty();
            self.bound(open);
            let mut state = self.lock();
            state.done(is_root);
            let progress = state.progress();
            drop(state);
            (self.work.watch)(&progress);
            self.changed.notify_all();
        }
        self.changed.notify_all();
    }

    /// The next subproblem; waits while others may still find some. `None` when the search is over.
    fn take(&self) -> Option<Open> {
        let mut state = self.lock();
        loop {
            if self.is_out() || state.counted >= self.most {
                state.stop();
            }
            if state.is_over() {
                return None;
            }
            match state.take() {
                Some(open) => return Some(open),
                // What was left may have been of goals that are not wanted any more.
                None if state.is_over() => return None,
                None => state = wait(&self.changed, state),
            }
        }
    }

    fn bound(&self, open: Open) {
        let goal = &self.goals[open.goal];
        let program = Program::new(&self.rows, &self.forms[open.goal], &open.splits);
        let is_root = open.splits.is_empty();
        let mut ascent = match &open.found {
            Some(found) => Ascent::below(&program, found),
            None => Ascent::new(&program),
        };
        let below = usize::from(!is_root);
        let mut last = f64::NEG_INFINITY;
        for round in 0..ROUNDS[below] {
            let length = LENGTHS[if is_root { round.min(1) } else { 2 }];
            ascent.climb(STEPS[below], length, || self.is_out());
            let value = ascent.value();
            let proved = ascent.prove(self.enough, || self.is_out());
            self.spend(open.goal, is_root, &mut ascent);
            if let Some((bound, proof)) = proved {
                let step = leaf(self.compact, self.input, &proof, goal.lambda.clone());
                self.tree().close(open.place, step);
                return self.lock().closed(open.goal, open.splits.len(), bound);
            }
            if value + HOPE * (value - last) < self.enough || self.is_out() {
                break;
            }
            if is_root && round == 0 && !self.pays(open.goal, value) {
                return self.lock().give_up(open.goal, f64::NEG_INFINITY);
            }
            last = value;
        }
        let shown = if is_root { ascent.bound(|| self.is_out()) } else { f64::NEG_INFINITY };
        if self.is_out() || self.attack(&ascent, open.goal, is_root) {
            return self.stop();
        }
        let (Some(relu), value) = (ascent.branch(), ascent.value()) else {
            return self.lock().give_up(open.goal, shown);
        };
        let parent: Found = Arc::new(ascent.found());
        let cases = self.tree().split(open.place, relu);
        let mut state = self.lock();
        if is_root {
            state.margins[open.goal] = shown;
        }
        let child = |k: usize, side| {
            let splits = open.splits.iter().copied().chain([Split { relu, side }]).collect();
            Open { value, place: cases[k], goal: open.goal, splits, found: Some(parent.clone()) }
        };
        state.split(open.goal, [child(0, Side::Inactive), child(1, Side::Active)]);
    }

    /// What linear bounds could do meanwhile is not lost sight of, unless these bounds were asked for.
    fn spend(&self, goal: usize, is_root: bool, ascent: &mut Ascent<'_>) {
        let operations = ascent.take_operations();
        if !is_root && self.work.options.relaxation == Relaxation::Auto {
            self.lock().spend(goal, operations);
        }
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        lock(&self.tree)
    }

    /// Whether the first round at a root has made good enough of what the linear bound lacks.
    fn pays(&self, goal: usize, value: f64) -> bool {
        let linear = self.margins[self.disjuncts[goal]].min(0.0);
        self.work.options.relaxation == Relaxation::Semidefinite || value >= (1.0 - PAYS) * linear
    }

    /// From the mean of the relaxation and from what else it holds: at the root strongly, below it now and then. True if it found a counterexample.
    fn attack(&self, ascent: &Ascent<'_>, goal: usize, is_root: bool) -> bool {
        if !is_root && !self.lock().bounded.is_multiple_of(ATTACK_EVERY) {
            return false;
        }
        let (query, disjunct) = (self.work.query, self.disjuncts[goal]);
        let seed = self.work.options.attack.seed;
        let mut random = fastrand::Rng::with_seed(seed);
        let start = |lane: usize| {
            let mut x = attack::centre(query);
            let spread = MOST_SPREAD * lane as f32 / LANES as f32;
            let rounded = ascent.rounded(|| spread * (2.0 * random.f32() - 1.0));
            rounded.for_each(|(k, v)| x[k as usize] = f64::from(v));
            (disjunct, x)
        };
        let starts: Vec<(usize, Vec<f64>)> = (0..LANES).map(start).collect();
        let accept = |input: &Point| lock(self.found).accept(query, input);
        if is_root {
            let (open, operations) = (&[disjunct], ATTACK_OPERATIONS);
            Strong { query, compact: self.compact, open, starts: &starts, operations, seed }
                .run(|| self.is_out(), accept)
        } else {
            attack::seek_from(query, self.compact, &starts, ATTACK_STEPS, accept)
        }
    }
}
