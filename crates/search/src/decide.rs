//! From query to outcome.

use crate::attack::{self, AttackOptions};
use crate::solver::{self, Answer};
use std::time::{Duration, Instant};
use unmoved_bounds::{LinearForm, Propagation, Tier};
use unmoved_check::{Arithmetic, Certificate, Multipliers, ReplayError, Step, check, replay};
use unmoved_core::{EncodeError, SolverError};
use unmoved_ir::{IrError, Op, lower_max_pool};
use unmoved_property::{Constraint, Counterexample, Query, Reason, Verdict};

/// How a query is to be decided.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// When to give up; never, if absent.
    pub time_limit: Option<Duration>,
    /// The attack on what bounds leave open.
    pub attack: AttackOptions,
    /// Report what a MILP solver says of what is left, labelled as such. Needs the feature `highs` beyond tiny networks.
    pub trust_solver: bool,
}

/// What found the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// The centre of the region is itself unsafe.
    Centre,
    /// Interval bounds.
    Interval,
    /// One backward linear pass.
    Linear,
    /// The duals of the linear relaxation.
    LpDuals,
    /// Projected gradient descent.
    Attack,
    /// A MILP solver: its point, replayed, or its word.
    Solver,
    /// Nothing did.
    Nothing,
}

impl DecidedBy {
    /// The word for JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Centre => "centre",
            Self::Interval => "interval",
            Self::Linear => "linear",
            Self::LpDuals => "lp-duals",
            Self::Attack => "attack",
            Self::Solver => "solver",
            Self::Nothing => "nothing",
        }
    }
}

/// A verdict and what stands behind it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The answer.
    pub verdict: Verdict,
    /// What found it.
    pub decided_by: DecidedBy,
    /// The accepted certificate of a robust verdict.
    pub certificate: Option<Certificate>,
    /// Per disjunct of the unsafe set, the best lower bound found of one of its constraints: positive means closed.
    pub margins: Vec<f64>,
}

/// A query that cannot be worked on at all.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The network is too large once max-pools are lowered, or reads another number of inputs.
    #[error(transparent)]
    Network(#[from] IrError),
    /// The solver asked for is missing or failed.
    #[error(transparent)]
    Solver(#[from] SolverError),
    /// The query has no encoding for the solver asked for.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Decides the query as far as the means built so far reach.
///
/// # Errors
/// Only for what makes the question itself unworkable; running out of time or means is [`Verdict::Unknown`].
pub fn decide(query: &Query, options: &Options) -> Result<Outcome, SearchError> {
    let clock = Clock { start: Instant::now(), limit: options.time_limit };
    let mut found = Candidates::default();
    let count = query.unsafe_set().len();

    let centre = attack::centre(query);
    if let Some(input) = query.region().to_f32_inside(&centre)
        && seems_unsafe(query, &input)?
        && found.accept(query, &input)
    {
        return Ok(found.into_outcome(DecidedBy::Centre, vec![f64::NEG_INFINITY; count]));
    }

    let lowered = lower_max_pool(query.network())?;
    let mut margins = vec![f64::NEG_INFINITY; count];
    let mut leaves: Vec<Option<Step>> = vec![None; count];
    let mut propagation = Propagation::new(&lowered, query.region(), Tier::Interval);
    close_by_bounds(query, &mut propagation, &mut margins, &mut leaves);
    if leaves.iter().all(Option::is_some) {
        let outcome = certify(query, leaves, margins.clone(), DecidedBy::Interval);
        if outcome.verdict == Verdict::Robust {
            return Ok(outcome);
        }
    }
    // The checker's bounds are linear ones. These are tighter, but with them its rule may choose other slopes, and a form
    // that intervals have shown to be positive may be so no more.
    leaves = vec![None; count];
    if !clock.is_out() {
        propagation = Propagation::new(&lowered, query.region(), Tier::Linear);
        close_by_bounds(query, &mut propagation, &mut margins, &mut leaves);
        close_by_last_layer(query, &propagation, &mut margins, &mut leaves);
        if leaves.iter().all(Option::is_some) {
            return Ok(certify(query, leaves, margins, DecidedBy::Linear));
        }
    }

    let open = still_open(&leaves);
    attack::attack(query, &open, options.attack, || clock.is_out(), |input| found.accept(query, input))?;
    if found.counterexample.is_some() {
        return Ok(found.into_outcome(DecidedBy::Attack, margins));
    }
    if cfg!(feature = "highs") {
        solver::close_by_duals(query, &propagation, &mut margins, &mut leaves, || clock.remaining())?;
        if leaves.iter().all(Option::is_some) {
            return Ok(certify(query, leaves, margins, DecidedBy::LpDuals));
        }
    }
    let mut reason = found.f32_only.take().map_or(Reason::Open, Reason::F32Only);
    if options.trust_solver && !clock.is_out() {
        match solver::ask(query, &propagation, &still_open(&leaves), clock.remaining())? {
            Answer::Input(input) if found.accept(query, &input) => {
                return Ok(found.into_outcome(DecidedBy::Solver, margins));
            }
            Answer::Holds(solver) => reason = Reason::SolverWord(solver.into()),
            Answer::Input(_) | Answer::Nothing => {}
        }
    }
    if clock.is_out() && reason == Reason::Open {
        reason = Reason::TimeLimit;
    }
    let decided_by = if matches!(reason, Reason::SolverWord(_)) { DecidedBy::Solver } else { DecidedBy::Nothing };
    Ok(Outcome { verdict: Verdict::Unknown(reason), decided_by, certificate: None, margins })
}

fn still_open(leaves: &[Option<Step>]) -> Vec<usize> {
    (0..leaves.len()).filter(|&i| leaves[i].is_none()).collect()
}

/// Tries every constraint of every open disjunct; one that is positive on the whole region closes its disjunct.
fn close_by_bounds(query: &Query, propagation: &mut Propagation<'_>, margins: &mut [f64], leaves: &mut [Option<Step>]) {
    let lowered = &propagation.lowered().network;
    let mut forms = Vec::new();
    for (i, conjunction) in query.unsafe_set().iter().enumerate().filter(|(i, _)| leaves[*i].is_none()) {
        for (j, constraint) in conjunction.0.iter().enumerate() {
            forms.push((i, j, LinearForm::constraint(lowered, constraint)));
        }
    }
    let minima = propagation.minima(&forms.iter().map(|(.., f)| f.clone()).collect::<Vec<_>>());
    for ((i, j, _), minimum) in forms.iter().zip(minima) {
        margins[*i] = margins[*i].max(minimum);
        if minimum > 0.0 && leaves[*i].is_none() {
            leaves[*i] = Some(leaf(&query.unsafe_set()[*i].0, *j, Vec::new()));
        }
    }
}

/// Tries the intervals of the last hidden layer alone, which no line through its ReLUs can always replace: networks trained by interval
/// bounds are often certified by these. As multipliers they are zeros.
fn close_by_last_layer(query: &Query, propagation: &Propagation<'_>, margins: &mut [f64], leaves: &mut [Option<Step>]) {
    let open = still_open(leaves);
    let network = &propagation.lowered().network;
    let output = network.node(network.output());
    let Op::Dense(last) = &output.op else { return };
    let hidden = output.inputs[0];
    let mut relu = hidden;
    while network.node(relu).op == Op::Flatten {
        relu = network.node(relu).inputs[0];
    }
    if open.is_empty() || network.node(relu).op != Op::Relu {
        return;
    }
    let (weight, bias) = (last.weight.to_f64(), last.bias.to_f64());
    let bounds = propagation.bounds(hidden);
    for i in open {
        let constraints = &query.unsafe_set()[i].0;
        for (j, constraint) in constraints.iter().enumerate().filter(|(_, c)| c.inputs.is_empty()) {
            let mut minimum = constraint.constant.to_f64();
            let mut coefficients = vec![0.0; bounds.len()];
            for (k, c) in &constraint.outputs {
                let c = c.to_f64();
                minimum += c * bias[*k];
                let row = &weight[k * coefficients.len()..(k + 1) * coefficients.len()];
                coefficients.iter_mut().zip(row).for_each(|(sum, w)| *sum += c * w);
            }
            let ends = bounds.lower.iter().zip(&bounds.upper);
            minimum += coefficients.iter().zip(ends).map(|(a, (l, u))| (a * l).min(a * u)).sum::<f64>();
            // Rounding is the checker's business; what hangs on it is left to other means.
            if minimum > 1e-9 {
                margins[i] = margins[i].max(minimum);
                let raw = (0..bounds.len() as u32).map(|k| (k, 0.0)).collect();
                leaves[i] = Some(leaf(constraints, j, vec![Multipliers { relu, slopes: Vec::new(), raw }]));
                break;
            }
        }
    }
}

/// The proof that constraint `j` of a disjunct never holds.
fn leaf(constraints: &[Constraint], j: usize, multipliers: Vec<Multipliers>) -> Step {
    let mut lambda = vec![0.0; constraints.len()];
    lambda[j] = 1.0;
    Step::Linear(unmoved_check::LinearForm { lambda, multipliers })
}

/// Puts the leaves under a split of the disjunction and says `Robust` if the checker agrees.
fn certify(query: &Query, leaves: Vec<Option<Step>>, margins: Vec<f64>, decided_by: DecidedBy) -> Outcome {
    let steps = std::iter::once(Step::SplitDisjuncts).chain(leaves.into_iter().flatten()).collect();
    let certificate = Certificate::new(query, steps);
    match check(query, &certificate, Arithmetic::Float) {
        Ok(_) => Outcome { verdict: Verdict::Robust, decided_by, certificate: Some(certificate), margins },
        Err(refusal) => Outcome {
            verdict: Verdict::Unknown(Reason::Refused(refusal.to_string())),
            decided_by: DecidedBy::Nothing,
            certificate: None,
            margins,
        },
    }
}

/// Whether the float64 evaluation comes so close to unsafe that exact replay should have a look.
fn seems_unsafe(query: &Query, input: &[f32]) -> Result<bool, IrError> {
    let x: Vec<f64> = input.iter().map(|&v| f64::from(v)).collect();
    let y = query.network().forward(&x)?;
    let scale = y.iter().fold(1.0f64, |m, v| m.max(v.abs()));
    let value = |c: &Constraint| {
        let dot = |terms: &[(usize, unmoved_ir::Rational)], v: &[f64]| {
            terms.iter().map(|(k, a)| a.to_f64() * v[*k]).sum::<f64>()
        };
        dot(&c.outputs, &y) + dot(&c.inputs, &x) + c.constant.to_f64()
    };
    // Written so that a NaN counts as unsafe: exact replay knows better.
    Ok(query.unsafe_set().iter().any(|d| !d.0.iter().any(|c| value(c) > 1e-4 * scale)))
}

/// What the attack proposed and replay made of it.
#[derive(Default)]
struct Candidates {
    counterexample: Option<Counterexample>,
    f32_only: Option<Vec<f32>>,
}

impl Candidates {
    /// Replays an input exactly; true if it is a counterexample.
    fn accept(&mut self, query: &Query, input: &[f32]) -> bool {
        match replay(query, input) {
            Ok(counterexample) => {
                self.counterexample = Some(counterexample);
                true
            }
            Err(ReplayError::F32Only) => {
                self.f32_only.get_or_insert_with(|| input.to_vec());
                false
            }
            Err(_) => false,
        }
    }

    fn into_outcome(self, decided_by: DecidedBy, margins: Vec<f64>) -> Outcome {
        let verdict = match self.counterexample {
            Some(counterexample) => Verdict::Violated(counterexample),
            None => Verdict::Unknown(Reason::Open),
        };
        Outcome { verdict, decided_by, certificate: None, margins }
    }
}

struct Clock {
    start: Instant,
    limit: Option<Duration>,
}

impl Clock {
    /// What is left; `None` for no limit.
    fn remaining(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_sub(self.start.elapsed()))
    }

    fn is_out(&self) -> bool {
        self.limit.is_some_and(|limit| self.start.elapsed() >= limit)
    }
}
