//! Branch and bound on the input box, for networks with few inputs (ReluVal, Wang et al., USENIX Security 2018), with clipping: what a
//! bound's linear form shows to be safe is cut off the box before it is split. Where one ReLU loses most of a bound, its phases are
//! split instead, as in the search: with few that are undecided a box is soon linear, and a linear program settles it.

mod clip;
mod part;
mod tree;
mod waiting;
mod weights;

use crate::attack;
use crate::candidates::Candidates;
use crate::decide::{Ended, Work};
use crate::outcome::{DecidedBy, Engine, Progress};
use crate::proof::Proof;
use crate::workers::{lock, on_threads, unlocked, wait};
use part::{Judge, Part, Worked};
use std::sync::{Condvar, Mutex, MutexGuard};
use tree::{Place, Tree};
use unmoved_bounds::boxes::{Layers, Table, Walker};
use unmoved_bounds::engine::{Compact, LANES};
use unmoved_check::{Examiner, Step};
use unmoved_ir::Op;
use unmoved_property::{Norm, Point, Query, RegionKind};
use waiting::Waiting;

/// The most inputs of a network whose box is split.
const MOST_INPUTS: usize = 20;
/// Reports come after so many boxes.
const REPORT_EVERY: usize = 1 << 12;
/// Attacks from boxes that wait come after so many boxes, and take so many steps.
const ATTACK_EVERY: usize = 1 << 9;
const ATTACK_STEPS: usize = 30;
/// Boxes that a proof may have: it takes up some gigabytes then.
const MOST_BOXES: usize = 1 << 22;
/// Where more would be needed at the rate so far, other means are tried; not before so many, for the first may be in the hardest corner, and with
/// a counterexample in it.
const EXPECTED: f64 = (1 << 22) as f64;
const PATIENCE: usize = 1 << 17;
/// Bounds beyond this share of the numbers that they are made of are taken for proved, at first and after refusals.
const ENOUGH: [f64; 3] = [1e-9, 1e-8, 1e-7];

/// The network of a query whose box is to be split; `None` if that is no good way.
pub(crate) fn layers(examiner: &Examiner<'_>, query: &Query) -> Option<Layers> {
    let is_box = !matches!(query.region().kind(), RegionKind::Ball { norm: Norm::L1 | Norm::L2, .. });
    let few = query.region().len() <= MOST_INPUTS;
    let conjunctions = query.unsafe_set().iter().all(|c| !c.0.is_empty());
    (is_box && few && conjunctions).then(|| Layers::new(examiner.lowered()))?
}

/// Splits the box until every part is proved, a counterexample is found, or there is no end to it.
pub(crate) fn close(
    work: &Work<'_, '_>,
    examiner: &mut Examiner<'_>,
    proof: &mut Proof<'_>,
    layers: &Layers,
    compact: &Compact,
    found: &Mutex<Candidates>,
) -> Ended {
    let mut refused = None;
    for enough in ENOUGH {
        let Some(steps) = search(work, examiner, (layers, compact), enough, found, &mut proof.outcome.subproblems)
        else {
            break;
        };
        match proof.certify_steps(examiner, steps) {
            Ok(certificate) => return Ended::Robust(certificate, DecidedBy::Boxes),
            // What hangs on rounding is searched again, with a margin.
            Err(refusal) => refused = Some(refusal),
        }
    }
    Ended::Open { refused, word: None }
}

/// The steps of a proof, if there is one.
fn search(
    work: &Work<'_, '_>,
    examiner: &Examiner<'_>,
    (layers, compact): (&Layers, &Compact),
    enough: f64,
    found: &Mutex<Candidates>,
    subproblems: &mut usize,
) -> Option<Vec<Step>> {
    let input = examiner.bounds()[0].as_ref()?;
    let mut tree = Tree::default();
    let root = tree.open();
    let only = (work.query.unsafe_set().len() == 1).then_some(0);
    let table = Table::new(layers, &input.lower, &input.upper);
    let part = Part { place: root, table, disjunct: only, phases: Vec::new(), share: 1.0, near: 0.0 };
    let most = work.options.subproblems.saturating_sub(*subproblems).min(MOST_BOXES);
    let mut open = Waiting::new();
    open.push(part);
    let state = State { open, tree, busy: 0, boxes: 0, most, done: 0.0, stopped: false };
    let judge = Judge::new(work.query, enough);
    let search = Search { work, judge, layers, compact, found, state: Mutex::new(state), changed: Condvar::new() };
    on_threads(work.options.threads, || search.run(), || search.stop());
    let state = unlocked(search.state);
    *subproblems += state.boxes;
    let network = &examiner.lowered().network;
    let relus = network.iter().filter(|(_, node)| node.op == Op::Relu).map(|(id, node)| (node.inputs[0].0, id));
    state.tree.steps(root, &examiner.tabled(), &relus.collect(), work.query.unsafe_set())
}

struct Search<'s, 'q, 'w> {
    work: &'s Work<'q, 'w>,
    judge: Judge,
    layers: &'s Layers,
    compact: &'s Compact,
    found: &'s Mutex<Candidates>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    open: Waiting,
    tree: Tree,
    /// Boxes being worked on.
    busy: usize,
    boxes: usize,
    most: usize,
    /// The share of the region that is proved.
    done: f64,
    stopped: bool,
}

impl State {
    /// Whether other means are worth a try before this has gone on for too long.
    fn is_hopeless(&self, engine: Engine) -> bool {
        engine == Engine::Auto && self.boxes >= PATIENCE && self.boxes as f64 > EXPECTED * self.done
    }
}

impl Search<'_, '_, '_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn run(&self) {
        let mut walker = Walker::new(self.layers);
        while let Some(part) = self.take() {
            let (place, share) = (part.place, part.share);
            let mut hit = false;
            let worked = self.judge.work(&mut walker, part, &mut |x| {
                hit = lock(self.found).accept_near(self.work.query, x);
                hit
            });
            let starts = self.put(place, share, worked, hit);
            if !starts.is_empty() && self.attack(&starts) {
                self.stop();
            }
        }
    }

    /// Gradients go farther than the points that are tried in each box, and where those have gone astray, elsewhere.
    fn attack(&self, starts: &[(usize, Vec<f64>)]) -> bool {
        let accept = |x: &Point| lock(self.found).accept(self.work.query, x);
        attack::seek_from(self.work.query, self.compact, starts, ATTACK_STEPS, accept)
    }

    /// A box to work on; `None` if the search is over.
    fn take(&self) -> Option<Part> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(part) = state.open.next() {
                state.busy += 1;
                return Some(part);
            }
            if state.busy == 0 {
                return None;
            }
            state = wait(&self.changed, state);
        }
    }

    /// What became of a box with so large a share of the region. Now and then there is an attack to be made, from these points.
    fn put(&self, place: Place, share: f64, worked: Worked, hit: bool) -> Vec<(usize, Vec<f64>)> {
        let mut state = self.lock();
        state.busy -= 1;
        state.boxes += 1;
        match worked {
            // It stays open: there will be no proof, but there may be a counterexample not far away.
            Worked::Stuck => state.most = state.most.min(2 * state.boxes + REPORT_EVERY),
            Worked::Done(node, parts) => {
                if parts.is_empty() {
                    state.done += share;
                }
                let State { tree, open, .. } = &mut *state;
                tree.grow(place, node, parts, |part| open.push(part));
            }
        }
        let report = state.boxes.is_multiple_of(REPORT_EVERY);
        let hopeless = report && state.is_hopeless(self.work.options.engine) || state.boxes >= state.most;
        state.stopped |= hit || hopeless || self.work.clock.is_out();
        let (bounded, open, done) = (state.boxes, state.open.len(), state.done);
        let mut starts = Vec::new();
        if !state.stopped && state.boxes.is_multiple_of(ATTACK_EVERY) {
            let disjuncts = self.judge.disjuncts.len();
            let some = state.open.some(LANES).enumerate();
            starts.extend(some.map(|(k, part)| (part.disjunct.unwrap_or(k % disjuncts), part.table.centre())));
        }
        drop(state);
        self.changed.notify_all();
        if report {
            (self.work.watch)(&Progress::Boxes { bounded, open, done });
        }
        starts
    }
}

#[cfg(test)]
mod tests;
