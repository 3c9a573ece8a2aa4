//! Walks the tree of a certificate and checks every step.

use crate::form::{Combined, combine};
use crate::layers::Layers;
use crate::pieces::{self, Piece};
use crate::propagate::Prover;
use crate::queue::Queue;
use crate::real::Real;
use crate::{Certificate, FormatError, Refusal, Side, Step, WrongStep};
use std::ops::Range;
use std::sync::Arc;
use unmoved_ir::{Exact, NodeId};
use unmoved_property::{Constraint, Query};

/// The arithmetic in which a certificate is checked. Both are rigorous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arithmetic {
    /// Double precision, with a bound of every rounding error.
    #[default]
    Float,
    /// Exact numbers: slower, and nothing rests on an analysis of rounding.
    Exact,
}

/// What an accepted certificate was found to prove: that no input of the region is unsafe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accepted {
    /// The steps of the proof.
    pub steps: usize,
    /// Its leaves, those within lemmas included.
    pub leaves: usize,
    /// The smallest bound of a leaf outside lemmas, but for empty ones, in units of the constraints; infinite if there is none.
    pub margin: f64,
}

/// How many splits or lemmas may be open at a time.
pub(crate) const MAX_DEPTH: usize = 1 << 16;
/// How many changes of bounds may have to be taken back.
pub(crate) const MAX_CHANGES: usize = 1 << 25;
/// Forms bounded side by side: as many as make a weight worth loading.
pub(crate) const BATCH: usize = 8;

/// Checks that a certificate proves a query: that no input of its region leads into its unsafe set.
///
/// Errors name the first step that is wrong, and why. Nothing in the certificate is trusted. Leaves are bounded on as many threads as
/// the processor runs; nothing in the answer depends on how many that are.
pub fn check(query: &Query, certificate: &Certificate, arithmetic: Arithmetic) -> Result<Accepted, Refusal> {
    about(query, certificate)?;
    prove(query, certificate, arithmetic)
}

/// [`check`] of a certificate as it is stored: its steps, which may be many, are not read if it is about something else.
///
/// # Errors
/// The outer one if these are not the bytes of a certificate.
pub fn check_bytes(
    query: &Query,
    certificate: &[u8],
    arithmetic: Arithmetic,
) -> Result<Result<Accepted, Refusal>, FormatError> {
    if let Err(refusal) = about(query, &Certificate::header(certificate)?) {
        return Ok(Err(refusal));
    }
    Ok(prove(query, &Certificate::from_bytes(certificate)?, arithmetic))
}

fn prove(query: &Query, certificate: &Certificate, arithmetic: Arithmetic) -> Result<Accepted, Refusal> {
    match arithmetic {
        Arithmetic::Float => {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            Checker::<f64, BATCH>::new(query)?.with_threads(threads).run(0, &certificate.steps)
        }
        Arithmetic::Exact => Checker::<Exact, 1>::new(query)?.run(0, &certificate.steps),
    }
}

/// Errors if a certificate is about something else. Its steps are not looked at.
pub(crate) fn about(query: &Query, certificate: &Certificate) -> Result<(), Refusal> {
    let network = query.network().digest();
    if network != certificate.network {
        return Err(Refusal::WrongNetwork { network, certificate: certificate.network });
    }
    let digest = query.digest();
    if digest != certificate.query {
        return Err(Refusal::WrongQuery { query: digest, certificate: certificate.query });
    }
    Ok(())
}

pub(crate) struct Checker<'q, R, const B: usize> {
    pub(crate) query: &'q Query,
    pub(crate) prover: Prover<R, B>,
    /// The disjunct that the current subtree is about, once they have been split.
    pub(crate) disjunct: Option<usize>,
    /// The lemma that is being proved, if any.
    pub(crate) goal: Option<Goal>,
    /// What is still to be done when the current subtree is finished.
    pub(crate) open: Vec<Open>,
    /// Changes of bounds that cannot be taken back any more, but count as if they could: what is accepted piece by piece
    /// must not exceed what a check of the whole allows.
    pub(crate) kept: usize,
    /// How many subtrees wait outside of the piece of a proof that this checker is about.
    pub(crate) depth: usize,
    /// The constraints that the last leaf combined: its disjunct, its weights, and what came of them.
    last: Option<(Option<usize>, Vec<f64>, Arc<Combined>)>,
    pub(crate) accepted: Accepted,
}

/// A bound that is being proved.
#[derive(Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) node: usize,
    pub(crate) index: usize,
    pub(crate) side: Side,
    /// The least that the leaves have given so far.
    pub(crate) least: f64,
}

/// A subtree that waits for the one before it, and how many changes of bounds stay in force for it.
pub(crate) struct Open {
    pub(crate) changes: usize,
    next: Next,
}

enum Next {
    /// The upper part of a split.
    Above { node: usize, index: usize, at: f64 },
    /// This disjunct, if there is one.
    Disjunct(usize),
    /// What uses the lemma that has been proved; the goal before it.
    Use(Option<Goal>),
}

impl<'q, R: Real, const B: usize> Checker<'q, R, B> {
    pub(crate) fn new(query: &'q Query) -> Result<Self, Refusal> {
        Self::prepared(query, Arc::new(Layers::new(query.network())?))
    }

    /// The same with a network that was prepared before.
    pub(crate) fn prepared(query: &'q Query, layers: Arc<Layers<R>>) -> Result<Self, Refusal> {
        let prover = Prover::new(layers, query.region()).map_err(|node| Refusal::Overflow { node })?;
        Ok(Self::with(query, prover))
    }

    pub(crate) fn with(query: &'q Query, prover: Prover<R, B>) -> Self {
        let accepted = Accepted { steps: 0, leaves: 0, margin: f64::INFINITY };
        Self { query, prover, disjunct: None, goal: None, open: Vec::new(), kept: 0, depth: 0, last: None, accepted }
    }

    /// Lets so many threads work.
    pub(crate) fn with_threads(mut self, threads: usize) -> Self {
        self.prover = self.prover.with_threads(threads);
        self
    }

    /// Forgets all steps.
    pub(crate) fn reset(&mut self) {
        self.prover.table.restore(0);
        (self.disjunct, self.goal) = (None, None);
        self.open.clear();
        self.accepted = Accepted { steps: 0, leaves: 0, margin: f64::INFINITY };
    }

    /// Makes what all steps so far have changed the table to begin with.
    pub(crate) fn keep(&mut self) {
        self.kept += self.prover.table.changes();
        self.prover.table.settle();
    }

    /// Checks a proof, or what follows its first `before` steps.
    pub(crate) fn run(&mut self, before: usize, steps: &[Step]) -> Result<Accepted, Refusal> {
        let Some(taken) = self.walk(before, steps)? else { return Err(Refusal::MissingStep(before + steps.len())) };
        if taken < steps.len() {
            return Err(Refusal::ExtraStep(before + taken));
        }
        self.accepted.steps = before + taken;
        Ok(self.accepted)
    }

    /// Checks steps until no subtree is left to enter, and says how many these were; `None` if there were too few. All leaves are
    /// bounded then.
    pub(crate) fn walk(&mut self, before: usize, steps: &[Step]) -> Result<Option<usize>, Refusal> {
        let cuts = pieces::cut(steps, self.query.unsafe_set().len(), self.prover.table.bounds());
        self.walk_cut(before, steps, &cuts)
    }

    /// [`Checker::walk`] of a proof that is cut into pieces.
    pub(crate) fn walk_cut(
        &mut self,
        before: usize,
        steps: &[Step],
        cuts: &[Range<usize>],
    ) -> Result<Option<usize>, Refusal> {
        let mut pieces = Vec::with_capacity(cuts.len());
        let end = self.walk_around(before, steps, cuts, &mut pieces);
        let pieces = self.check_pieces(&pieces, before, steps);
        match (pieces, end) {
            (Err(one), Err(other)) => Err(if one.step() < other.step() { one } else { other }),
            (Err(refusal), _) | (_, Err(refusal)) => Err(refusal),
            (Ok(()), Ok(end)) => Ok(end),
        }
    }

    /// [`Checker::walk`] that passes by what is cut out, noting with what it begins.
    pub(crate) fn walk_around(
        &mut self,
        before: usize,
        steps: &[Step],
        cuts: &[Range<usize>],
        pieces: &mut Vec<Piece>,
    ) -> Result<Option<usize>, Refusal> {
        let mut queue = Queue::default();
        let mut end = Ok(None);
        let (mut k, mut cuts) = (0, cuts.iter().peekable());
        while k < steps.len() {
            let (next, more) = match cuts.next_if(|cut| cut.start == k) {
                Some(cut) => {
                    pieces.push(self.piece(cut.clone()));
                    (cut.end, self.resume(&mut queue))
                }
                None => (k + 1, self.advance(before + k, &steps[k], &mut queue)),
            };
            k = next;
            match more {
                Ok(true) => continue,
                Ok(false) => end = Ok(Some(k)),
                Err(refusal) => end = Err(refusal),
            }
            break;
        }
        // A leaf that still waits comes before the step that stopped the walk.
        self.flush(&mut queue)?;
        end
    }

    /// Checks one step, but for the bound of a leaf, and enters the next subtree. False if there is none: the proof is complete.
    fn advance<'s>(&mut self, number: usize, step: &'s Step, queue: &mut Queue<'s>) -> Result<bool, Refusal> {
        let wrong = |wrong| Refusal::Step { step: number, wrong };
        if self.open.is_empty() {
            // What was changed is for good; the leaves that wait are about what was not.
            self.flush(queue)?;
            queue.base = self.prover.table.changes();
        }
        match step {
            Step::Linear(form) => {
                let job = self.leaf(number, form).map_err(wrong)?;
                self.wait_for(job, queue)?;
            }
            // Not in a batch: its rows are one.
            Step::Quadratic(form) => {
                self.flush(queue)?;
                let bound = self.quadratic(form).map_err(wrong)?;
                self.judge(bound).map_err(wrong)?;
            }
            // What its proof's leaves give is asked for at its end, what other leaves give is nothing to it.
            Step::Lemma { .. } => self.flush(queue)?,
            _ => {}
        }
        let finished = self.enter(step).map_err(wrong)?;
        if self.depth + self.open.len() > MAX_DEPTH || self.kept + self.prover.table.changes() > MAX_CHANGES {
            let limit = if self.depth + self.open.len() > MAX_DEPTH { MAX_DEPTH } else { MAX_CHANGES };
            return Err(wrong(WrongStep::TooDeep(limit)));
        }
        if finished { self.resume(queue) } else { Ok(true) }
    }

    /// Checks one step, but for the bound of a leaf, and enters its first subtree. True if it has none.
    pub(crate) fn enter(&mut self, step: &Step) -> Result<bool, WrongStep> {
        match step {
            Step::Linear(_) | Step::Quadratic(_) => {
                self.accepted.leaves += 1;
                return Ok(true);
            }
            Step::Empty => {
                if !self.prover.table.is_empty() {
                    return Err(WrongStep::NotEmpty);
                }
                self.accepted.leaves += 1;
                return Ok(true);
            }
            Step::SplitRelu { node, index } => self.split(*node, *index, 0.0)?,
            Step::SplitInput { index, at } => {
                self.element(NodeId(0), *index)?;
                let input = self.prover.table.input();
                let (lower, upper) = (input.lower[*index as usize], input.upper[*index as usize]);
                if !(lower..=upper).contains(at) {
                    return Err(WrongStep::CutOutside { index: *index, at: *at, lower, upper });
                }
                self.split(NodeId(0), *index, *at)?;
            }
            Step::SplitDisjuncts => {
                if self.disjunct.is_some() {
                    return Err(WrongStep::AlreadySplit);
                }
                self.wait(Next::Disjunct(0));
                return Ok(true);
            }
            Step::Clip { form, ends } => self.clip(form, ends)?,
            Step::Lemma { node, index, side } => {
                let (node, index) = self.element(*node, *index)?;
                self.wait(Next::Use(self.goal));
                self.goal = Some(Goal { node, index, side: *side, least: f64::INFINITY });
            }
            Step::Recompute { nodes } => {
                let ascending = nodes.windows(2).all(|n| n[0] < n[1]);
                let wrong = |n: &&NodeId| !ascending || !self.prover.layers.tabled.get(n.0).is_some_and(|t| *t);
                if let Some(&node) = nodes.iter().find(wrong) {
                    return Err(WrongStep::NotTabled { node });
                }
                let nodes: Vec<usize> = nodes.iter().map(|n| n.0).collect();
                if let Some(&last) = nodes.last() {
                    self.prover.propagate(last, &nodes).map_err(|_| WrongStep::Overflow)?;
                }
            }
        }
        Ok(false)
    }

    /// Enters the next subtree that waits. False if there is none: the proof is complete.
    pub(crate) fn resume(&mut self, queue: &mut Queue<'_>) -> Result<bool, Refusal> {
        while let Some(Open { changes, next }) = self.open.pop() {
            if changes < queue.base || matches!(next, Next::Use(_)) {
                self.flush(queue)?;
            }
            self.prover.table.restore(changes);
            if changes < queue.base {
                queue.base = self.base();
            }
            let table = &mut self.prover.table;
            match next {
                Next::Above { node, index, at } => {
                    table.tighten(node, index, at, f64::INFINITY);
                    return Ok(true);
                }
                Next::Disjunct(i) if i < self.query.unsafe_set().len() => {
                    self.disjunct = Some(i);
                    self.wait(Next::Disjunct(i + 1));
                    return Ok(true);
                }
                Next::Disjunct(_) => self.disjunct = None,
                Next::Use(outer) => {
                    let Some(goal) = std::mem::replace(&mut self.goal, outer) else { continue };
                    // Where every leaf was empty nothing is left; the largest float says so without being infinite.
                    let bound = goal.least.min(f64::MAX);
                    match goal.side {
                        Side::Lower => table.tighten(goal.node, goal.index, bound, f64::INFINITY),
                        Side::Upper => table.tighten(goal.node, goal.index, f64::NEG_INFINITY, -bound),
                    }
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn wait(&mut self, next: Next) {
        self.open.push(Open { changes: self.prover.table.changes(), next });
    }

    /// Enters the lower part of a split and lets the upper one wait.
    fn split(&mut self, node: NodeId, index: u32, at: f64) -> Result<(), WrongStep> {
        let (node, index) = self.element(node, index)?;
        self.wait(Next::Above { node, index, at });
        self.prover.table.tighten(node, index, f64::NEG_INFINITY, at);
        Ok(())
    }

    /// An element that has bounds.
    pub(crate) fn element(&self, node: NodeId, index: u32) -> Result<(usize, usize), WrongStep> {
        let Some(Some(row)) = self.prover.table.rows.get(node.0) else { return Err(WrongStep::NotTabled { node }) };
        if index as usize >= row.lower.len() {
            return Err(WrongStep::NoElement { node, index });
        }
        Ok((node.0, index as usize))
    }

    /// What a leaf's bound shows: that the form is positive, or a share of the goal.
    pub(crate) fn judge(&mut self, bound: f64) -> Result<(), WrongStep> {
        if !bound.is_finite() {
            return Err(WrongStep::Overflow);
        }
        match &mut self.goal {
            Some(goal) => goal.least = goal.least.min(bound),
            None if bound > 0.0 => self.accepted.margin = self.accepted.margin.min(bound),
            None => return Err(WrongStep::NotPositive { bound }),
        }
        Ok(())
    }

    /// The constraints of the current disjunct, if only one is left.
    pub(crate) fn constraints(&self) -> Option<&'q [Constraint]> {
        let unsafe_set = self.query.unsafe_set();
        let only = (unsafe_set.len() == 1).then_some(0);
        self.disjunct.or(only).map(|i| unsafe_set[i].0.as_slice())
    }

    /// The current disjunct's constraints, weighted and added. Many leaves in a row weight the same ones the same way.
    pub(crate) fn combine(&mut self, lambda: &[f64]) -> Result<Arc<Combined>, WrongStep> {
        if let Some((disjunct, weights, combined)) = &self.last
            && *disjunct == self.disjunct
            && weights == lambda
        {
            return Ok(combined.clone());
        }
        let combined = Arc::new(combine(self.constraints(), lambda)?);
        self.last = Some((self.disjunct, lambda.to_vec(), combined.clone()));
        Ok(combined)
    }
}
