//! Branch and bound on the phases of unstable ReLUs (Bunel et al., NeurIPS 2018), with bounds by optimised multipliers.

use crate::goals::{Open, State, Status};
use crate::history::{Branch, History};
use crate::outcome::Watch;
use crate::tree::{Place, Tree, leaf};
use crate::workers::{lock, on_threads, unlocked, wait};
use std::sync::{Condvar, Mutex, MutexGuard};
use unmoved_bounds::LEANING;
use unmoved_bounds::engine::{Ascent, Compact, Descent, Form, LANES, Side, Split, Subproblem, Unstable};

/// One linear form that is to be shown positive, and what it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Goal {
    pub(crate) form: Form,
    /// Weights of the disjunct's constraints that make up the form.
    pub(crate) lambda: Vec<f64>,
    /// Of the goals of a group one is enough. Groups are numbered from 0.
    pub(crate) group: usize,
}

/// How to search.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Steps of the ascent at the roots, and at every other subproblem.
    pub(crate) root_steps: usize,
    pub(crate) steps: usize,
    /// Bounds beyond this are taken for proved.
    pub(crate) enough: f32,
    pub(crate) threads: usize,
    /// Give up a goal at so many subproblems, or the search if all goals are to be proved.
    pub(crate) most: usize,
    /// So many times `most` is doubled where enough is being proved.
    pub(crate) extensions: usize,
    /// Beyond so many open ones, dive.
    pub(crate) most_open: usize,
    /// Whether one group that is given up makes the others pointless.
    pub(crate) all: bool,
}

/// What the multipliers of proved subproblems may take up; a search that needs more is given up.
const MOST_BYTES: usize = 4 << 30;

/// Last tries where every ReLU is fixed and the bound is still not positive, and their steps: each aims high again.
const LAST_TRIES: [usize; 2] = [5, 200];

/// How a search ended.
#[derive(Debug)]
pub(crate) struct Searched {
    pub(crate) tree: Tree,
    pub(crate) endings: Vec<Ending>,
    /// Bounded subproblems.
    pub(crate) nodes: usize,
}

/// How the search for one goal ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    pub(crate) root: Place,
    /// The least bound of its open subproblems: a lower bound of the form, but for rounding. Infinite if it is proved.
    pub(crate) margin: f32,
}

/// Searches until every goal is proved, `stop` says so, or effort runs out. `candidate` is shown every batch and the goals of
/// its lanes, for the inputs at which the relaxations are least; it stops the search by returning true. With `close_open`, what is open at the end is closed with the multipliers it has, so that the
/// trees show that the forms are at least the least bound.
pub(crate) fn search(
    compact: &Compact,
    goals: &[Goal],
    effort: &Effort,
    close_open: bool,
    stop: impl Fn() -> bool + Sync,
    candidate: impl Fn(&Descent<'_>, &[usize]) -> bool + Sync,
    watch: Watch<'_>,
) -> Searched {
    let mut tree = Tree::default();
    let roots: Vec<Place> = goals.iter().map(|_| tree.root()).collect();
    let search = Search {
        compact,
        goals,
        effort,
        state: Mutex::new(State::new(goals.iter().map(|g| g.group), effort)),
        tree: Mutex::new(tree),
        history: Mutex::new(goals.iter().map(|_| History::new(compact.unstable().len())).collect()),
        changed: Condvar::new(),
        watch,
    };
    search.start(&roots, &stop, &candidate);
    on_threads(effort.threads, || search.work(&stop, &candidate), || search.stop());
    let mut margins: Vec<f32> = (0..goals.len()).map(|g| search.lock().margin(g)).collect();
    if close_open {
        search.close_open(&mut margins);
    }
    let nodes = search.lock().nodes();
    watch(&search.lock().progress());
    Searched {
        endings: roots.into_iter().zip(margins).map(|(root, margin)| Ending { root, margin }).collect(),
        nodes,
        tree: unlocked(search.tree),
    }
}

struct Search<'a> {
    compact: &'a Compact,
    goals: &'a [Goal],
    effort: &'a Effort,
    state: Mutex<State>,
    tree: Mutex<Tree>,
    /// What splits have brought, goal by goal.
    history: Mutex<Vec<History>>,
    changed: Condvar,
    watch: Watch<'a>,
}

/// A subproblem of a batch.
struct Item {
    place: Place,
    goal: usize,
    splits: Vec<Split>,
    slopes: Box<[u8]>,
    shifts: Box<[(u32, f32)]>,
    /// The parent's bound, and what was expected of the split; absent at the root.
    parent: Option<(f32, Branch)>,
}

impl From<Open> for Item {
    fn from(open: Open) -> Self {
        let Open { place, goal, splits, slopes, shifts, .. } = open;
        Self { place, goal, splits, slopes, shifts, parent: None }
    }
}

impl Search<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn stop(&self) {
        self.lock().stop();
        self.changed.notify_all();
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        lock(&self.tree)
    }

    fn start(
        &self,
        roots: &[Place],
        stop: &(impl Fn() -> bool + Sync),
        candidate: &(impl Fn(&Descent<'_>, &[usize]) -> bool + Sync),
    ) {
        let rule = |u: &Unstable| if LEANING as f32 * u.upper > -u.lower { 255 } else { 0 };
        let slopes: Box<[u8]> = self.compact.unstable().iter().map(rule).collect();
        let mut descent = Descent::new(self.compact);
        let places: Vec<(usize, Place)> = roots.iter().copied().enumerate().collect();
        for places in places.chunks(LANES) {
            if stop() {
                return self.lock().stop();
            }
            let item = |&(goal, place): &(usize, Place)| Item {
                place,
                goal,
                splits: Vec::new(),
                slopes: slopes.clone(),
                shifts: Box::default(),
                parent: None,
            };
            let items: Vec<Item> = places.iter().map(item).collect();
            let goals: Vec<usize> = items.iter().map(|i| i.goal).collect();
            self.bound(&mut descent, items, self.effort.root_steps, candidate);
            if candidate(&descent, &goals) {
                self.lock().stop();
            }
        }
    }

    fn work(&self, stop: &(impl Fn() -> bool + Sync), candidate: &(impl Fn(&Descent<'_>, &[usize]) -> bool + Sync)) {
        let mut descent = Descent::new(self.compact);
        while let Some(items) = self.take(stop) {
            let goals: Vec<usize> = items.iter().map(|i| i.goal).collect();
            self.bound(&mut descent, items, self.effort.steps, candidate);
            let found = candidate(&descent, &goals);
            let report = self.lock().batch_done(found);
            report.iter().for_each(|report| (self.watch)(report));
            self.changed.notify_all();
        }
    }

    /// The cases of the next few splits; waits while others may still find some. `None` when the search is over.
    fn take(&self, stop: &impl Fn() -> bool) -> Option<Vec<Item>> {
        let mut state = self.lock();
        let parents = loop {
            if stop() || (self.effort.all && (state.is_hopeless() || state.is_spent())) {
                state.stop();
            }
            match state.status() {
                Status::Over => {
                    self.changed.notify_all();
                    return None;
                }
                Status::Work => break state.take(LANES / 2, self.effort.threads),
                Status::Wait => state = wait(&self.changed, state),
            }
        };
        drop(state);
        let mut items = Vec::with_capacity(LANES);
        let mut tree = self.tree();
        for open in parents {
            let relu = open.branch.relu;
            let cases = tree.split(open.place, relu);
            for ((place, side), shift) in cases.into_iter().zip([Side::Inactive, Side::Active]).zip(open.inherited) {
                let mut splits = open.splits.clone();
                splits.push(Split { relu, side });
                let others = open.shifts.iter().copied().filter(|s| s.0 != relu);
                let (slopes, shifts) = (open.slopes.clone(), others.chain([(relu, shift)]).collect());
                let parent = Some((open.bound, open.branch));
                items.push(Item { place, goal: open.goal, splits, slopes, shifts, parent });
            }
        }
        Some(items)
    }

    fn run(&self, descent: &mut Descent<'_>, items: &[Item], steps: usize, enough: f32) {
        let problems: Vec<Subproblem<'_>> = items
            .iter()
            .map(|i| Subproblem {
                form: &self.goals[i.goal].form,
                splits: &i.splits,
                slopes: &i.slopes,
                shifts: &i.shifts,
            })
            .collect();
        descent.run(&problems, &Ascent { steps, enough });
    }

    fn bound(
        &self,
        descent: &mut Descent<'_>,
        items: Vec<Item>,
        steps: usize,
        candidate: &(impl Fn(&Descent<'_>, &[usize]) -> bool + Sync),
    ) {
        self.run(descent, &items, steps, self.effort.enough);
        let (mut closed, mut open, mut last) = (Vec::new(), Vec::new(), Vec::new());
        let mut history = lock(&self.history);
        for (lane, item) in items.iter().enumerate() {
            if let (Some((bound, branch)), Some(split)) = (item.parent, item.splits.last()) {
                // More than closes it is worth no more.
                let gained = (descent.bound(lane) - bound).min(self.effort.enough - bound).max(0.0);
                history[item.goal].learn(branch, usize::from(split.side == Side::Active), gained);
            }
        }
        for (lane, mut item) in items.into_iter().enumerate() {
            let bound = descent.bound(lane);
            if bound > self.effort.enough {
                let lambda = self.goals[item.goal].lambda.clone();
                closed.push((item.goal, item.place, leaf(self.compact, descent, lane, lambda)));
                continue;
            }
            (item.slopes, item.shifts) = (descent.slopes(lane), descent.shifts(lane));
            let branch = history[item.goal].branch(descent, lane).filter(|_| bound.is_finite());
            let Item { place, goal, splits, slopes, shifts, .. } = item;
            match branch {
                Some(branch) => {
                    let inherited = descent.inherited(branch.relu as usize, lane);
                    open.push(Open { bound, place, goal, branch, inherited, splits, slopes, shifts });
                }
                None => last.push(Item { place, goal, splits, slopes, shifts, parent: None }),
            }
        }
        drop(history);
        let mut state = self.lock();
        state.count(closed.iter().map(|c| c.0).chain(open.iter().map(|o| o.goal)).chain(last.iter().map(|i| i.goal)));
        for &(goal, ..) in &closed {
            state.closed(goal);
        }
        open.into_iter().for_each(|open| state.push(open));
        drop(state);
        let mut tree = self.tree();
        closed.into_iter().for_each(|(_, place, form)| tree.close(place, form));
        let full = tree.bytes() > MOST_BYTES;
        drop(tree);
        if full {
            self.lock().stop();
        }
        last.into_iter().for_each(|item| self.last_try(descent, item, candidate));
    }

    /// Nothing is left to split: the bound is the optimum of a linear program once the multipliers are the best.
    fn last_try(
        &self,
        descent: &mut Descent<'_>,
        mut item: Item,
        candidate: &(impl Fn(&Descent<'_>, &[usize]) -> bool + Sync),
    ) {
        let [tries, steps] = if self.effort.all { LAST_TRIES } else { [1, 1] };
        for _ in 0..tries {
            self.run(descent, std::slice::from_ref(&item), steps, self.effort.enough);
            if descent.bound(0) > self.effort.enough {
                break;
            }
            (item.slopes, item.shifts) = (descent.slopes(0), descent.shifts(0));
        }
        let (bound, goal) = (descent.bound(0), item.goal);
        if bound > self.effort.enough {
            let lambda = self.goals[goal].lambda.clone();
            self.tree().close(item.place, leaf(self.compact, descent, 0, lambda));
            self.lock().closed(goal);
        } else {
            let found = candidate(descent, &[goal]);
            let Item { place, splits, .. } = item;
            let (slopes, shifts) = (descent.slopes(0), descent.shifts(0));
            let mut state = self.lock();
            let (branch, inherited) = Default::default();
            state.stuck(Open { bound, place, goal, branch, inherited, splits, slopes, shifts });
            if found {
                state.stop();
            }
        }
    }

    /// Closes what is open with the multipliers that it has, and lowers the margins to what these show.
    fn close_open(&self, margins: &mut [f32]) {
        let mut descent = Descent::new(self.compact);
        let open = self.lock().drain();
        let mut open = open.into_iter().map(Item::from);
        loop {
            let items: Vec<Item> = open.by_ref().take(LANES).collect();
            if items.is_empty() {
                break;
            }
            self.run(&mut descent, &items, 1, f32::INFINITY);
            for (lane, item) in items.iter().enumerate() {
                let margin = &mut margins[item.goal];
                *margin = margin.min(descent.bound(lane));
                let lambda = self.goals[item.goal].lambda.clone();
                self.tree().close(item.place, leaf(self.compact, &descent, lane, lambda));
            }
        }
    }
}
