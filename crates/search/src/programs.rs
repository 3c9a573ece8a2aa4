//! The engine of programs: a MILP solver looks for a counterexample, disjunct by disjunct, and branch and bound with
//! linear programs of our own looks for the proof that there is none.
//!
//! Nothing that a solver says is believed. Its points are replayed; of its linear programs only the multipliers are kept, and the
//! checker bounds the leaves with these by itself. With every ReLU split the program is exact, so this engine is complete
//! but for rounding.

use crate::attack;
use crate::candidates::Candidates;
use crate::decide::{Ended, Work};
use crate::outcome::{DecidedBy, Progress, SearchError};
use crate::proof::Proof;
use crate::solver::{fits, solve, solver};
use crate::workers::lock;
use std::sync::Mutex;
use std::time::Duration;
use unmoved_bounds::engine::Compact;
use unmoved_bounds::{Propagation, Tier};
use unmoved_check::{Examiner, Step};
use unmoved_core::{
    Dual, DualProgram, DualSession, Limits, Milp, Objective, Phase, Quantity, Solver, Status, encode, encode_lowered,
};
use unmoved_property::Point;

/// Bounds beyond this share of the terms that they are sums of are taken for proved: at first, and after refusals.
const ENOUGH: [f64; 4] = [1e-8, 1e-6, 1e-4, 1e-2];
/// No larger bound is asked for than the root's size and this share of its terms.
const CAP: f64 = 0.1;
/// So many undecided ReLUs are few for the solver of this build.
const FEW: usize = if cfg!(feature = "highs") { 150 } else { 40 };
/// No linear program gets more.
const MOST: Duration = Duration::from_secs(60);
/// Steps of an attack from a solver's point that is not quite unsafe.
const STEPS: usize = 30;

/// Whether this engine is worth trying on what another one has left open.
pub(crate) fn is_small(compact: &Compact) -> bool {
    compact.unstable().len() <= FEW
}

/// Proves what is open, or finds a counterexample, which is then among those found.
pub(crate) fn close(
    work: &Work<'_, '_>,
    examiner: &mut Examiner<'_>,
    proof: &mut Proof<'_>,
    compact: &Compact,
    found: &Mutex<Candidates>,
) -> Result<Ended, SearchError> {
    let mut refused = None;
    for (attempt, enough) in ENOUGH.into_iter().enumerate() {
        proof.reset();
        proof.close_by_rule(examiner);
        let pass = Pass { work, examiner, compact, found, enough, is_first: attempt == 0 };
        let Some(word) = pass.over(proof)? else { return Ok(Ended::OPEN) };
        if !proof.is_closed() {
            // What was refused before hung on rounding.
            return Ok(Ended::Open { refused: None, word });
        }
        match proof.certify(examiner) {
            Ok(certificate) => return Ok(Ended::Robust(certificate, DecidedBy::Milp)),
            Err(refusal) => refused = Some(refusal),
        }
    }
    Ok(Ended::Open { refused, word: None })
}

/// One pass over the open disjuncts.
struct Pass<'a, 'q, 'w> {
    work: &'a Work<'q, 'w>,
    examiner: &'a Examiner<'q>,
    compact: &'a Compact,
    found: &'a Mutex<Candidates>,
    enough: f64,
    /// The next ones need not look for counterexamples.
    is_first: bool,
}

/// How the tree of a disjunct ended.
enum Tree {
    /// Its steps, and the least bound of its leaves.
    Closed(Vec<Step>, f64),
    /// In this case nothing is left to split, and it is not proved.
    Stuck(Vec<Phase>),
    Spent,
}

impl Pass<'_, '_, '_> {
    /// What one linear program may take: a solver that turns in circles must not take all that is left.
    fn limits(&self) -> Limits {
        let share = self.work.clock.remaining().map_or(MOST, |left| left / 4);
        Limits { time: Some(share.min(MOST)) }
    }

    /// The name of the solver if it says that all that stays open holds; `None` where a counterexample was found.
    fn over(&self, proof: &mut Proof<'_>) -> Result<Option<Option<&'static str>>, SearchError> {
        let query = self.work.query;
        let propagation = Propagation::new(self.examiner.lowered(), query.region(), Tier::Linear);
        let solver = solver();
        let mut all_hold = true;
        for i in proof.open() {
            let constraints = &query.unsafe_set()[i].0;
            if constraints.is_empty() {
                // Everything is unsafe, and no float32 input shows it.
                all_hold = false;
                continue;
            }
            let milp = encode(query, &propagation, Objective::Worst, Some(&[i]))?;
            fits(&milp)?;
            let known = attack::known(self.examiner);
            let program = DualProgram::new(self.examiner.lowered(), query.region(), known, constraints)?;
            let mut session = program.load(&solver)?;
            let root = session.solve(&[], &self.limits())?;
            let size = root.as_ref().map_or(1.0, |r| r.size);
            let enough = self.enough * size;
            session.limit(CAP * size + root.as_ref().map_or(0.0, |r| r.bound.abs()));
            let mut holds = false;
            if self.is_first && root.as_ref().is_none_or(|r| r.bound <= enough) {
                // The other half of the time is for the proof.
                let time = self.work.clock.remaining().map(|left| left / 2);
                let solution = solve(&milp, &Limits { time })?;
                holds = solution.ignored == 0
                    && (solution.status == Status::Infeasible || solution.bound.is_some_and(|bound| bound > enough));
                if let Some(values) = solution.values
                    && self.try_input(i, milp.input(&values))
                {
                    return Ok(None);
                }
            }
            let before = proof.outcome.subproblems;
            let tree = self.tree(&mut session, root, enough, &mut proof.outcome.subproblems)?;
            let (solved, proved) = (proof.outcome.subproblems - before, matches!(tree, Tree::Closed(..)));
            (self.work.watch)(&Progress::Programs { disjunct: i, solved, proved });
            match tree {
                Tree::Closed(steps, margin) => proof.close(i, steps, margin),
                Tree::Stuck(splits) => {
                    let milp = encode_lowered(query, &propagation, Objective::Worst, Some(&[i]))?;
                    if self.is_first && self.try_case(i, &milp, &splits, &solver)? {
                        return Ok(None);
                    }
                    all_hold &= holds;
                }
                Tree::Spent => all_hold &= holds,
            }
        }
        Ok(Some((all_hold && !proof.is_closed()).then(|| solver.name())))
    }

    /// Splits in depth, in the order in which a certificate tells it.
    fn tree(
        &self,
        session: &mut DualSession<'_>,
        root: Option<Dual>,
        enough: f64,
        subproblems: &mut usize,
    ) -> Result<Tree, SearchError> {
        let (mut steps, mut margin) = (Vec::new(), f64::INFINITY);
        let mut waiting: Vec<Vec<Phase>> = vec![Vec::new()];
        let mut root = root;
        while let Some(splits) = waiting.pop() {
            if *subproblems >= self.work.options.subproblems || self.work.clock.is_out() {
                return Ok(Tree::Spent);
            }
            *subproblems += 1;
            let solved = match root.take() {
                Some(root) => Some(root),
                None => session.solve(&splits, &self.limits())?,
            };
            let Some(dual) = solved else { return Ok(Tree::Spent) };
            if dual.bound > enough {
                margin = margin.min(dual.bound);
                steps.push(Step::Linear(dual.form));
                continue;
            }
            let Some((node, element)) = dual.branch else { return Ok(Tree::Stuck(splits)) };
            steps.push(Step::SplitRelu { node, index: element as u32 });
            let case = |active| [&splits[..], &[Phase { node, element, active }]].concat();
            waiting.extend([case(true), case(false)]);
        }
        Ok(Tree::Closed(steps, margin))
    }

    /// Where a case is not proved, the point at which its constraints are least.
    fn try_case(
        &self,
        disjunct: usize,
        milp: &Milp,
        splits: &[Phase],
        solver: &dyn Solver,
    ) -> Result<bool, SearchError> {
        let network = &self.examiner.lowered().network;
        let mut case = milp.relaxed();
        for column in &mut case.columns {
            let Quantity::Active { node, element } = column.quantity else { continue };
            let read = network.node(node).inputs[0];
            if let Some(split) = splits.iter().find(|s| s.node == read && s.element == element) {
                let on = if split.active { 1.0 } else { 0.0 };
                (column.lower, column.upper) = (on, on);
            }
        }
        let solution = solver.solve(&case, &self.limits())?;
        Ok(solution.values.is_some_and(|values| self.try_input(disjunct, case.input(&values))))
    }

    /// Replays a solver's point, and what an attack finds from there.
    fn try_input(&self, disjunct: usize, x: Vec<f64>) -> bool {
        let query = self.work.query;
        let accept = |input: &Point| lock(self.found).accept(query, input);
        query.region().nearest_inside(&x).is_some_and(|input| accept(&input))
            || attack::seek_from(query, self.compact, &[(disjunct, x)], STEPS, accept)
    }
}
