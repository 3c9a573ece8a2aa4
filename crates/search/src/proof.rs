//! What is proved so far of a query, disjunct by disjunct, and how it becomes a certificate.

use crate::attack;
use crate::bab::{self, Effort, Goal};
use crate::candidates::Candidates;
use crate::outcome::{Outcome, Watch};
use crate::workers::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use unmoved_bounds::engine::{Compact, Descent, Form};
use unmoved_check::{Certificate, Examiner, LinearForm, Multipliers, Refusal, Step};
use unmoved_ir::Op;
use unmoved_property::{Constraint, Point, Query};

/// Every so many batches the minimisers of the relaxations are the starts of an attack with so many steps.
const ATTACK_EVERY: usize = 16;
const ATTACK_STEPS: usize = 12;

/// The proofs found so far.
pub(crate) struct Proof<'q> {
    query: &'q Query,
    pub(crate) outcome: Outcome,
    /// The proof of each disjunct.
    leaves: Vec<Option<Vec<Step>>>,
}

impl<'q> Proof<'q> {
    pub(crate) fn new(query: &'q Query, outcome: Outcome) -> Self {
        Self { query, outcome, leaves: vec![None; query.unsafe_set().len()] }
    }

    pub(crate) fn open(&self) -> Vec<usize> {
        (0..self.leaves.len()).filter(|&i| self.leaves[i].is_none()).collect()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.leaves.iter().all(Option::is_some)
    }

    /// Tries every constraint of every disjunct by the checker's own rule.
    pub(crate) fn close_by_rule(&mut self, examiner: &mut Examiner<'_>) {
        let mut forms = Vec::new();
        for (i, conjunction) in self.query.unsafe_set().iter().enumerate() {
            for j in 0..conjunction.0.len() {
                forms.push((i, j));
            }
        }
        let start = Instant::now();
        let lambda = |i: usize, j| one_hot(self.query.unsafe_set()[i].0.len(), j);
        let bounds = examiner.minima(&forms.iter().map(|&(i, j)| (i, lambda(i, j))).collect::<Vec<_>>());
        self.outcome.check_time += start.elapsed();
        for ((i, j), bound) in forms.into_iter().zip(bounds) {
            let margin = &mut self.outcome.margins[i];
            *margin = margin.max(bound);
            if bound > 0.0 && self.leaves[i].is_none() {
                let lambda = one_hot(self.query.unsafe_set()[i].0.len(), j);
                self.leaves[i] = Some(vec![Step::Linear(LinearForm::with_lambda(lambda))]);
            }
        }
    }

    /// Tries the intervals of the last hidden layer alone, which no line through its ReLUs can always replace: networks
    /// trained by interval bounds are often certified by these. As multipliers they are zeros.
    pub(crate) fn close_by_last_layer(&mut self, examiner: &Examiner<'_>) {
        let network = &examiner.lowered().network;
        let output = network.node(network.output());
        let Op::Dense(last) = &output.op else { return };
        let mut relu = output.inputs[0];
        while network.node(relu).op == Op::Flatten {
            relu = network.node(relu).inputs[0];
        }
        if self.is_closed() || network.node(relu).op != Op::Relu {
            return;
        }
        let Some(bounds) = &examiner.bounds()[network.node(relu).inputs[0].0] else { return };
        let (weight, bias) = (last.weight.to_f64(), last.bias.to_f64());
        for i in self.open() {
            let constraints = &self.query.unsafe_set()[i].0;
            for (j, constraint) in constraints.iter().enumerate().filter(|(_, c)| c.inputs.is_empty()) {
                let mut minimum = constraint.constant.to_f64();
                let mut coefficients = vec![0.0; last.inputs()];
                for (k, c) in &constraint.outputs {
                    let c = c.to_f64();
                    minimum += c * bias[*k];
                    let row = &weight[k * coefficients.len()..(k + 1) * coefficients.len()];
                    coefficients.iter_mut().zip(row).for_each(|(sum, w)| *sum += c * w);
                }
                let ends = bounds.lower.iter().zip(&bounds.upper);
                let values = coefficients.iter().zip(ends).map(|(a, (l, u))| (a * l.max(0.0)).min(a * u.max(0.0)));
                minimum += values.sum::<f64>();
                // Rounding is the checker's business; what hangs on it is left to other means.
                if minimum > 1e-9 {
                    let margin = &mut self.outcome.margins[i];
                    *margin = margin.max(minimum);
                    let raw = (0..last.inputs() as u32).map(|k| (k, 0.0)).collect();
                    let multipliers = vec![Multipliers { relu, slopes: Vec::new(), raw }];
                    self.leaves[i] =
                        Some(vec![Step::Linear(LinearForm { lambda: one_hot(constraints.len(), j), multipliers })]);
                    break;
                }
            }
        }
    }

    /// Forgets all proofs: those that were made upon other bounds need not hold upon these.
    pub(crate) fn reset(&mut self) {
        self.leaves.fill(None);
    }

    /// What would prove the open disjuncts, and the disjunct of each goal: that one of its constraints never holds. `None` if one has none.
    pub(crate) fn goals(&self, compact: &Compact) -> Option<(Vec<Goal>, Vec<usize>)> {
        let (mut goals, mut disjuncts) = (Vec::new(), Vec::new());
        for (group, &i) in self.open().iter().enumerate() {
            let constraints = &self.query.unsafe_set()[i].0;
            for (j, constraint) in constraints.iter().enumerate() {
                let form = form(compact.output(), constraint);
                goals.push(Goal { form, lambda: one_hot(constraints.len(), j), group });
                disjuncts.push(i);
            }
            if constraints.is_empty() {
                return None;
            }
        }
        Some((goals, disjuncts))
    }

    /// Branch and bound on what is open. Says whether it proved everything.
    pub(crate) fn search(
        &mut self,
        compact: &Compact,
        effort: &Effort,
        stop: impl Fn() -> bool + Sync,
        found: &Mutex<Candidates>,
        watch: Watch<'_>,
    ) -> bool {
        let Some((goals, disjuncts)) = self.goals(compact) else { return false };
        let batches = AtomicUsize::new(0);
        let candidate = |descent: &Descent<'_>, lanes: &[usize]| {
            let batch = batches.fetch_add(1, Ordering::Relaxed);
            if !batch.is_multiple_of(ATTACK_EVERY) && batch >= ATTACK_EVERY {
                return false;
            }
            let start = |(lane, &goal): (usize, &usize)| {
                let mut x = attack::centre(self.query);
                descent.minimiser(lane).for_each(|(k, v)| x[k as usize] = f64::from(v));
                (disjuncts[goal], x)
            };
            let starts: Vec<(usize, Vec<f64>)> = lanes.iter().enumerate().map(start).collect();
            let accept = |input: &Point| lock(found).accept(self.query, input);
            attack::seek_from(self.query, compact, &starts, ATTACK_STEPS, accept)
        };
        let searched = bab::search(compact, &goals, effort, false, stop, candidate, watch);
        self.outcome.subproblems += searched.nodes;
        for (&i, ending) in disjuncts.iter().zip(&searched.endings) {
            let margin = &mut self.outcome.margins[i];
            *margin = margin.max(f64::from(ending.margin.min(effort.enough)));
            let mut steps = Vec::new();
            if searched.tree.steps(ending.root, compact, &mut steps).is_some() {
                self.leaves[i] = Some(steps);
            }
        }
        self.is_closed()
    }

    /// Keeps the proof of a disjunct that other means have found, and the least bound of its leaves.
    pub(crate) fn close(&mut self, disjunct: usize, steps: Vec<Step>, margin: f64) {
        let best = &mut self.outcome.margins[disjunct];
        *best = best.max(margin);
        self.leaves[disjunct] = Some(steps);
    }

    /// Whether some proof is more than a leaf.
    pub(crate) fn has_split(&self) -> bool {
        self.leaves.iter().flatten().any(|steps| steps.len() > 1)
    }

    /// The certificate, if the checker agrees; else what it says. The proofs are spent.
    pub(crate) fn certify(&mut self, examiner: &mut Examiner<'_>) -> Result<Certificate, Refusal> {
        let leaves = self.leaves.iter_mut().filter_map(Option::take).flatten();
        let steps = std::iter::once(Step::SplitDisjuncts).chain(leaves).collect();
        self.certify_steps(examiner, steps)
    }

    /// The certificate of a proof that other means have found, if the checker agrees.
    pub(crate) fn certify_steps(
        &mut self,
        examiner: &mut Examiner<'_>,
        steps: Vec<Step>,
    ) -> Result<Certificate, Refusal> {
        let start = Instant::now();
        let checked = examiner.finish(steps);
        self.outcome.check_time += start.elapsed();
        checked
    }
}

fn one_hot(len: usize, k: usize) -> Vec<f64> {
    let mut lambda = vec![0.0; len];
    lambda[k] = 1.0;
    lambda
}

fn form(output: usize, constraint: &Constraint) -> Form {
    let floats = |terms: &[(usize, unmoved_ir::Rational)]| {
        terms.iter().map(|(k, c)| (*k as u32, c.to_f64() as f32)).collect::<Vec<_>>()
    };
    Form {
        node: output,
        terms: floats(&constraint.outputs),
        inputs: floats(&constraint.inputs),
        constant: constraint.constant.to_f64() as f32,
    }
}
