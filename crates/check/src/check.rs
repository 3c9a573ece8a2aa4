//! Walks the tree of a certificate and checks every step.

use crate::layers::Layers;
use crate::propagate::Prover;
use crate::real::{Real, sane};
use crate::region::box_minimum;
use crate::{Certificate, End, LinearForm, Multipliers, Refusal, Side, Step, WrongStep};
use std::collections::{BTreeMap, VecDeque};
use unmoved_ir::{Exact, NodeId, Rational};
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
    /// The smallest bound of a linear leaf outside lemmas, in units of the constraints; infinite if there is none.
    pub margin: f64,
}

/// How many splits or lemmas may be open at a time.
pub(crate) const MAX_DEPTH: usize = 1 << 16;
/// How many changes of bounds may have to be taken back.
pub(crate) const MAX_CHANGES: usize = 1 << 25;
/// Rows of a layer bounded side by side: as many as make a weight worth loading.
pub(crate) const BATCH: usize = 8;

/// Checks that a certificate proves a query: that no input of its region leads into its unsafe set.
///
/// Errors name the first step that is wrong, and why. Nothing in the certificate is trusted.
pub fn check(query: &Query, certificate: &Certificate, arithmetic: Arithmetic) -> Result<Accepted, Refusal> {
    about(query, certificate)?;
    match arithmetic {
        Arithmetic::Float => Checker::<f64, BATCH>::new(query)?.run(0, &certificate.steps),
        Arithmetic::Exact => Checker::<Exact, 1>::new(query)?.run(0, &certificate.steps),
    }
}

/// Errors if a certificate is about something else.
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
    disjunct: Option<usize>,
    /// The lemma that is being proved, if any.
    pub(crate) goal: Option<Goal>,
    /// What is still to be done when the current subtree is finished.
    pub(crate) open: Vec<Open>,
    /// Changes of bounds that cannot be taken back any more, but count as if they could: what is accepted piece by piece
    /// must not exceed what a check of the whole allows.
    pub(crate) kept: usize,
    /// Bounds of the next leaves, computed side by side.
    ahead: VecDeque<f64>,
    accepted: Accepted,
}

/// A bound that is being proved.
#[derive(Clone, Copy)]
pub(crate) struct Goal {
    node: usize,
    index: usize,
    side: Side,
    /// The least that the leaves have given so far.
    least: f64,
}

/// A subtree that waits for the one before it, and how many changes of bounds stay in force for it.
pub(crate) struct Open {
    changes: usize,
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
        let layers = Layers::new(query.network())?;
        let prover = Prover::new(layers, query.region()).map_err(|node| Refusal::Overflow { node })?;
        let accepted = Accepted { steps: 0, leaves: 0, margin: f64::INFINITY };
        let (open, ahead) = (Vec::new(), VecDeque::new());
        Ok(Self { query, prover, disjunct: None, goal: None, open, kept: 0, ahead, accepted })
    }

    /// Forgets all steps.
    pub(crate) fn reset(&mut self) {
        self.prover.table.restore(0);
        (self.disjunct, self.goal) = (None, None);
        self.open.clear();
        self.ahead.clear();
        self.accepted = Accepted { steps: 0, leaves: 0, margin: f64::INFINITY };
    }

    /// Makes what all steps so far have changed the table to begin with.
    pub(crate) fn keep(&mut self) {
        self.kept += self.prover.table.changes();
        self.prover.table.settle();
    }

    /// Checks a proof, or what follows its first `before` steps.
    pub(crate) fn run(&mut self, before: usize, steps: &[Step]) -> Result<Accepted, Refusal> {
        for (k, step) in steps.iter().enumerate() {
            self.look_ahead(&steps[k..]);
            let number = before + k;
            if !self.advance(number, step)? {
                self.accepted.steps = number + 1;
                return if k + 1 == steps.len() { Ok(self.accepted) } else { Err(Refusal::ExtraStep(number + 1)) };
            }
        }
        Err(Refusal::MissingStep(before + steps.len()))
    }

    /// Checks one step and enters the next subtree. False if there is none: the proof is complete.
    pub(crate) fn advance(&mut self, number: usize, step: &Step) -> Result<bool, Refusal> {
        let finished = self.step(step).map_err(|wrong| Refusal::Step { step: number, wrong })?;
        if self.open.len() > MAX_DEPTH || self.kept + self.prover.table.changes() > MAX_CHANGES {
            let limit = if self.open.len() > MAX_DEPTH { MAX_DEPTH } else { MAX_CHANGES };
            return Err(Refusal::Step { step: number, wrong: WrongStep::TooDeep(limit) });
        }
        Ok(!finished || self.resume())
    }

    /// Disjuncts that are closed by a leaf each, with default multipliers, share the table: their bounds are computed side by side.
    fn look_ahead(&mut self, steps: &[Step]) {
        let Some(&Open { changes, next: Next::Disjunct(following) }) = self.open.last() else { return };
        if !self.ahead.is_empty() || self.goal.is_some() || changes != self.prover.table.changes() {
            return;
        }
        let disjuncts = following - 1..self.query.unsafe_set().len();
        let plain = steps.iter().map_while(|step| match step {
            Step::Linear(form) if form.multipliers.is_empty() => Some(form.lambda.as_slice()),
            _ => None,
        });
        let forms: Vec<(usize, &[f64])> = disjuncts.zip(plain).take(B).collect();
        if forms.len() > 1 {
            // A leaf with a wrong lambda is left to its own step, which says what is wrong.
            self.ahead = self.minima(&forms).map_while(Result::ok).collect();
        }
    }

    /// Lower bounds, by the default rule, of weighted constraints of up to `B` disjuncts over the table as it stands.
    pub(crate) fn minima(
        &mut self,
        forms: &[(usize, &[f64])],
    ) -> impl Iterator<Item = Result<f64, WrongStep>> + use<R, B> {
        let output = self.prover.layers.output;
        let outer = self.disjunct;
        let mut wrong: [Option<WrongStep>; B] = std::array::from_fn(|_| None);
        for (b, &(disjunct, lambda)) in forms.iter().enumerate() {
            self.disjunct = Some(disjunct);
            let combined = match self.combine(lambda) {
                Ok(combined) => combined,
                Err(error) => {
                    wrong[b] = Some(error);
                    continue;
                }
            };
            let (scene, walk) = self.prover.batch();
            for (node, terms) in [(output, &combined.outputs), (0, &combined.inputs)] {
                for &(index, value, error) in terms {
                    walk.seed(scene.layers, node, index, b, value, error);
                }
            }
            walk.constant.add(|lane| if lane == b { R::from_f64(combined.constant) } else { R::zero() });
        }
        self.disjunct = outer;
        let (scene, walk) = self.prover.batch();
        walk.descend(&scene, &[]);
        let bounds = walk.minimum(&scene);
        wrong.into_iter().zip(bounds).take(forms.len()).map(|(wrong, bound)| wrong.map_or(Ok(bound), Err))
    }

    /// Checks one step and enters its first subtree. True if it has none.
    pub(crate) fn step(&mut self, step: &Step) -> Result<bool, WrongStep> {
        match step {
            Step::Linear(form) => {
                self.linear(form)?;
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
    pub(crate) fn resume(&mut self) -> bool {
        while let Some(Open { changes, next }) = self.open.pop() {
            let table = &mut self.prover.table;
            table.restore(changes);
            match next {
                Next::Above { node, index, at } => {
                    table.tighten(node, index, at, f64::INFINITY);
                    return true;
                }
                Next::Disjunct(i) if i < self.query.unsafe_set().len() => {
                    self.disjunct = Some(i);
                    self.wait(Next::Disjunct(i + 1));
                    return true;
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
                    return true;
                }
            }
        }
        false
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
    fn element(&self, node: NodeId, index: u32) -> Result<(usize, usize), WrongStep> {
        let Some(Some(row)) = self.prover.table.rows.get(node.0) else { return Err(WrongStep::NotTabled { node }) };
        if index as usize >= row.lower.len() {
            return Err(WrongStep::NoElement { node, index });
        }
        Ok((node.0, index as usize))
    }

    /// A leaf: the form is positive, or bounds the goal.
    fn linear(&mut self, form: &LinearForm) -> Result<(), WrongStep> {
        let bound = match self.ahead.pop_front() {
            Some(bound) => bound,
            None => {
                self.descend(form, self.goal)?;
                let (scene, walk) = self.prover.single();
                let [bound] = walk.minimum(&scene);
                bound
            }
        };
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

    /// Wherever the disjunct holds, the form is at most zero; so it is there that the linear form below it, constant plus
    /// `rho . x`, is at most zero. All ends are justified before any is moved.
    fn clip(&mut self, form: &LinearForm, ends: &[End]) -> Result<(), WrongStep> {
        self.descend(form, None)?;
        let wrong = ends.iter().find_map(|end| self.unjustified(end).err());
        let (scene, walk) = self.prover.single();
        walk.reset(scene.layers);
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        for end in ends {
            let (lower, upper) = match end.side {
                Side::Lower => (end.at, f64::INFINITY),
                Side::Upper => (f64::NEG_INFINITY, end.at),
            };
            self.prover.table.tighten(0, end.index as usize, lower, upper);
        }
        Ok(())
    }

    fn unjustified(&mut self, end: &End) -> Result<(), WrongStep> {
        let (_, index) = self.element(NodeId(0), end.index)?;
        let refused = WrongStep::ClipNotJustified { index: end.index, side: end.side, at: end.at };
        let (scene, walk) = self.prover.single();
        let (input, rho) = (scene.table.input(), walk.input());
        let slope = rho.values.get(index).map_or(R::zero(), |[v]| v.clone());
        // The minimum over the box is taken at this end of the element; beyond `at` the form exceeds it by what follows.
        let from = match end.side {
            Side::Upper if slope > R::zero() => input.lower[index],
            Side::Lower if slope < R::zero() => input.upper[index],
            _ => return Err(refused),
        };
        if !sane(end.at) {
            return Err(refused);
        }
        let mut sum = walk.constant.clone();
        box_minimum(rho, scene.layers.nodes[0].image, input, &mut sum);
        sum.add(|_| slope.times(&R::from_f64(end.at)));
        sum.add(|_| slope.times(&R::from_f64(-from)));
        if sum.lower(0) >= 0.0 { Ok(()) } else { Err(refused) }
    }

    /// Checks a form and walks it, with the goal if there is one, down to the input.
    pub(crate) fn descend(&mut self, form: &LinearForm, goal: Option<Goal>) -> Result<(), WrongStep> {
        self.check_multipliers(&form.multipliers)?;
        let combined = self.combine(&form.lambda)?;
        let output = self.prover.layers.output;
        let (scene, walk) = self.prover.single();
        let nodes = [(output, &combined.outputs), (0, &combined.inputs)];
        for (node, terms) in nodes {
            for &(index, value, error) in terms {
                walk.seed(scene.layers, node, index, 0, value, error);
            }
        }
        if let Some(goal) = goal {
            let sign = if goal.side == Side::Lower { 1.0 } else { -1.0 };
            walk.seed(scene.layers, goal.node, goal.index, 0, sign, 0.0);
        }
        walk.constant.add(|_| R::from_f64(combined.constant));
        walk.descend(&scene, &form.multipliers);
        Ok(())
    }

    /// The constraints of the current disjunct, if only one is left.
    pub(crate) fn constraints(&self) -> Option<&'q [Constraint]> {
        let unsafe_set = self.query.unsafe_set();
        let only = (unsafe_set.len() == 1).then_some(0);
        self.disjunct.or(only).map(|i| unsafe_set[i].0.as_slice())
    }

    /// The current disjunct's constraints, weighted and added.
    fn combine(&self, lambda: &[f64]) -> Result<Combined, WrongStep> {
        if lambda.is_empty() {
            return Ok(Combined::default());
        }
        let constraints = self.constraints().ok_or(WrongStep::NoDisjunct)?;
        if lambda.len() != constraints.len() {
            return Err(WrongStep::LambdaCount { expected: constraints.len(), found: lambda.len() });
        }
        let mut constant = Rational::ZERO;
        let (mut outputs, mut inputs) = (BTreeMap::new(), BTreeMap::new());
        for (constraint, (g, &value)) in constraints.iter().zip(lambda).enumerate() {
            let wrong = WrongStep::Lambda { constraint, value };
            let weight = Rational::from_f64(value).filter(|w| *w >= Rational::ZERO).ok_or(wrong)?;
            constant = &constant + &(&weight * &g.constant);
            for (sum, terms) in [(&mut outputs, &g.outputs), (&mut inputs, &g.inputs)] {
                for (k, c) in terms {
                    let sum: &mut Rational = sum.entry(*k).or_insert(Rational::ZERO);
                    *sum = &*sum + &(&weight * c);
                }
            }
        }
        let rounded = |sums: BTreeMap<usize, Rational>| -> Result<Vec<Term>, WrongStep> {
            let term = |(k, c): (usize, Rational)| {
                let value = c.to_f64();
                sane(value).then(|| (k, value, c.distance_up(value))).ok_or(WrongStep::Coefficients)
            };
            sums.into_iter().map(term).collect()
        };
        let constant = constant.round_down();
        if !sane(constant) {
            return Err(WrongStep::Coefficients);
        }
        Ok(Combined { outputs: rounded(outputs)?, inputs: rounded(inputs)?, constant })
    }

    fn check_multipliers(&self, multipliers: &[Multipliers]) -> Result<(), WrongStep> {
        let mut above = 0;
        for Multipliers { relu: node, slopes, raw } in multipliers {
            let layer = self.prover.layers.nodes.get(node.0).filter(|l| l.is_relu() && node.0 >= above);
            let len = layer.ok_or(WrongStep::NotRelu { node: *node })?.image.len();
            above = node.0 + 1;
            ascending(*node, slopes.iter().map(|s| s.0), len)?;
            ascending(*node, raw.iter().map(|r| r.0), len)?;
            if let Some(&(index, value)) = raw.iter().find(|(_, v)| !v.is_finite()) {
                return Err(WrongStep::Multiplier { node: *node, index, value });
            }
        }
        Ok(())
    }
}

/// An element with its coefficient and how far that may be from the exact one.
type Term = (usize, f64, f64);

/// Weighted constraints, in floats.
#[derive(Default)]
struct Combined {
    outputs: Vec<Term>,
    inputs: Vec<Term>,
    /// Rounded down.
    constant: f64,
}

fn ascending(node: NodeId, indices: impl Iterator<Item = u32>, len: usize) -> Result<(), WrongStep> {
    let mut next = 0;
    for index in indices {
        if (index as usize) < next || index as usize >= len {
            return Err(WrongStep::MultiplierIndex { node, index });
        }
        next = index as usize + 1;
    }
    Ok(())
}
