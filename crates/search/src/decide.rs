//! From query to outcome.

use crate::attack::{self, Strong};
use crate::boxes;
use crate::candidates::Candidates;
use crate::clock::Clock;
use crate::outcome::{DecidedBy, Engine, Options, Outcome, Progress, SearchError, Watch};
use crate::plan::Plan;
use crate::programs;
use crate::proof::Proof;
use crate::refine::refine;
use crate::semidefinite;
use crate::solver::{self, Answer};
use crate::workers::{lock, unlocked};
use std::sync::Mutex;
use std::time::Instant;
use unmoved_bounds::engine::Compact;
use unmoved_bounds::{Propagation, Tier};
use unmoved_check::{Certificate, Examiner, Prepared, Refusal, Step};
use unmoved_core::EncodeError;
use unmoved_ir::lower_max_pool;
use unmoved_property::{Norm, Query, Reason, RegionKind, Verdict};

/// The strong attack takes at most this part of the time that is left.
const ATTACK_SHARE: u32 = 8;

/// What the engines share.
pub(crate) struct Work<'q, 'w> {
    pub(crate) query: &'q Query,
    pub(crate) options: &'w Options,
    pub(crate) clock: &'w Clock,
    pub(crate) watch: Watch<'w>,
}

/// How an engine ended that has not found a counterexample.
pub(crate) enum Ended {
    Robust(Certificate, DecidedBy),
    Open {
        /// What the checker said of the last proof.
        refused: Option<Refusal>,
        /// The solver that says that what is open holds.
        word: Option<&'static str>,
    },
}

impl Ended {
    pub(crate) const OPEN: Self = Self::Open { refused: None, word: None };
}

/// Decides the query as far as the means built so far reach.
///
/// # Errors
/// Only for what makes the question itself unworkable; running out of time or means is [`Verdict::Unknown`].
pub fn decide(query: &Query, options: &Options) -> Result<Outcome, SearchError> {
    decide_watched(query, options, &|_| {})
}

/// [`decide`], telling how it goes.
pub fn decide_watched(query: &Query, options: &Options, watch: Watch<'_>) -> Result<Outcome, SearchError> {
    decide_prepared(query, &Prepared::new(query.network())?, options, watch)
}

/// [`decide_watched`] for one of several queries about a network that the checker has been prepared for once.
pub fn decide_prepared(
    query: &Query,
    network: &Prepared,
    options: &Options,
    watch: Watch<'_>,
) -> Result<Outcome, SearchError> {
    let clock = &Clock::new(options);
    let work = Work { query, options, clock, watch };
    if (options.engine == Engine::Milp || options.trust_solver) && is_round(query) {
        return Err(EncodeError::L2("ball").into());
    }
    let mut found = Candidates::default();
    let outcome = Outcome::open(query.unsafe_set().len());

    if attack::at_centre(query, &mut found)? {
        return Ok(found.into_outcome(outcome, DecidedBy::Centre));
    }

    let start = Instant::now();
    let mut examiner = Examiner::prepared(query, network)?.with_threads(options.threads);
    let mut proof = Proof::new(query, outcome);
    proof.outcome.check_time += start.elapsed();
    for tier in [DecidedBy::Interval, DecidedBy::Linear] {
        if tier == DecidedBy::Linear {
            let start = Instant::now();
            let nodes = examiner.tabled();
            examiner.extend(vec![Step::Recompute { nodes }])?;
            proof.outcome.check_time += start.elapsed();
        }
        proof.reset();
        proof.close_by_rule(&mut examiner);
        proof.close_by_last_layer(&examiner);
        if proof.is_closed()
            && let Ok(certificate) = proof.certify(&mut examiner)
        {
            return Ok(proof.outcome.robust(certificate, tier));
        }
    }
    proof.reset();
    proof.close_by_rule(&mut examiner);

    let mut compact = attack::compact(&examiner, query);
    attack::seek(query, &compact, &proof.open(), options.attack, || clock.is_out(), |x| found.accept(query, x));
    if found.counterexample.is_some() {
        return Ok(found.into_outcome(proof.outcome, DecidedBy::Attack));
    }

    let found = Mutex::new(found);
    let mut ended = Ended::OPEN;
    let may_go_on = |proof: &Proof<'_>| !clock.is_out() && proof.outcome.subproblems < options.subproblems;
    if matches!(options.engine, Engine::Auto | Engine::Boxes)
        && may_go_on(&proof)
        && let Some(layers) = boxes::layers(&examiner, query)
    {
        watch(&Progress::Engine(Engine::Boxes));
        ended = boxes::close(&work, &mut examiner, &mut proof, &layers, &compact, &found);
        if lock(&found).counterexample.is_some() {
            let found = unlocked(found);
            return Ok(found.into_outcome(proof.outcome, DecidedBy::Boxes));
        }
    }
    if matches!(options.engine, Engine::Auto | Engine::Search)
        && matches!(ended, Ended::Open { .. })
        && may_go_on(&proof)
    {
        watch(&Progress::Engine(Engine::Search));
        ended = by_search(&work, &mut examiner, &mut proof, &mut compact, &found);
        if lock(&found).counterexample.is_some() {
            let found = unlocked(found);
            return Ok(found.into_outcome(proof.outcome, DecidedBy::Search));
        }
    }
    if let Ended::Open { refused, .. } = &mut ended
        && may_go_on(&proof)
        && (options.engine == Engine::Milp
            || options.engine == Engine::Auto && !is_round(query) && programs::is_small(&compact))
    {
        let refused = refused.take();
        watch(&Progress::Engine(Engine::Milp));
        ended = match programs::close(&work, &mut examiner, &mut proof, &compact, &found) {
            Ok(Ended::Open { refused: None, word }) => Ended::Open { refused, word },
            // What was not asked for need not be possible.
            Err(_) if options.engine == Engine::Auto => Ended::Open { refused, word: None },
            other => other?,
        };
    }
    let mut found = unlocked(found);
    if found.counterexample.is_some() {
        return Ok(found.into_outcome(proof.outcome, DecidedBy::Milp));
    }
    let (refused, word) = match ended {
        Ended::Robust(certificate, by) => return Ok(proof.outcome.robust(certificate, by)),
        Ended::Open { refused, word } => (refused, word),
    };
    let refused = refused.map_or(Reason::Open, |refusal| Reason::Refused(refusal.to_string()));
    let mut reason = found.f32_only.take().map_or(refused, Reason::F32Only);
    if options.trust_solver {
        let answer = match word {
            Some(word) => Answer::Holds(word),
            None if clock.is_out() => Answer::Nothing,
            None => {
                let lowered = lower_max_pool(query.network())?;
                let propagation = Propagation::new(&lowered, query.region(), Tier::Linear);
                solver::ask(query, &propagation, &proof.open(), clock.remaining())?
            }
        };
        match answer {
            Answer::Input(input) if found.accept(query, &input) => {
                return Ok(found.into_outcome(proof.outcome, DecidedBy::Solver));
            }
            Answer::Holds(solver) => {
                reason = Reason::SolverWord(solver.into());
                proof.outcome.decided_by = DecidedBy::Solver;
            }
            Answer::Input(_) | Answer::Nothing => {}
        }
    }
    if reason == Reason::Open {
        reason = clock.reason().unwrap_or(reason);
    }
    proof.outcome.verdict = Verdict::Unknown(reason);
    Ok(proof.outcome)
}

/// Whether the region is no polyhedron.
fn is_round(query: &Query) -> bool {
    matches!(query.region().kind(), RegionKind::Ball { norm: Norm::L2, .. })
}

/// Searches and refinements in turns.
fn by_search(
    work: &Work<'_, '_>,
    examiner: &mut Examiner<'_>,
    proof: &mut Proof<'_>,
    compact: &mut Compact,
    found: &Mutex<Candidates>,
) -> Ended {
    let Work { query, options, clock, watch } = work;
    let mut plan = Plan::new(examiner, options);
    let is_over = |proof: &Proof<'_>| {
        lock(found).counterexample.is_some() || clock.is_out() || proof.outcome.subproblems >= options.subproblems
    };
    loop {
        if proof.outcome.subproblems >= options.subproblems {
            return Ended::OPEN;
        }
        let (effort, is_last) = (plan.effort(compact), plan.is_last(compact));
        let mut is_closed = proof.search(compact, &effort, || clock.is_out(), found, watch);
        let mut by = if plan.is_refined() || proof.has_split() { DecidedBy::Search } else { DecidedBy::Slopes };
        if !is_closed && !is_over(proof) && plan.semidefinite(compact) {
            is_closed = semidefinite::close(work, examiner, proof, compact, found, plan.enough());
            by = DecidedBy::Semidefinite;
        }
        if is_closed {
            match proof.certify(examiner) {
                Ok(certificate) => return Ended::Robust(certificate, by),
                // What hangs on the rounding of f32 is searched again, with a margin.
                Err(refusal) if !plan.demand_more() => return Ended::Open { refused: Some(refusal), word: None },
                Err(_) => {}
            }
        } else if is_over(proof) {
            return Ended::OPEN;
        } else if let Some(operations) = plan.attack() {
            if attack_strongly(work, compact, &proof.open(), operations, found) {
                return Ended::OPEN;
            }
        } else if let Some(refinement) = plan.refinement() {
            let refined = refine(examiner, query.region(), refinement, || clock.is_out(), watch);
            plan.judge(&refined);
            proof.outcome.subproblems += refined.subproblems;
            *compact = attack::compact(examiner, query);
            proof.reset();
        } else if is_last {
            // A part is left that nothing proves: it may hold what the first attack has missed.
            let harder = options.attack.harder();
            attack::seek(query, compact, &proof.open(), harder, || clock.is_out(), |x| lock(found).accept(query, x));
            return Ended::OPEN;
        }
        proof.close_by_rule(examiner);
    }
}

/// The strong attack on disjuncts that are open, within a small share of the time that is left. Whether it found a
/// counterexample.
fn attack_strongly(
    work: &Work<'_, '_>,
    compact: &Compact,
    open: &[usize],
    operations: f64,
    found: &Mutex<Candidates>,
) -> bool {
    let (start, left) = (Instant::now(), work.clock.remaining());
    let stop = || work.clock.is_out() || left.is_some_and(|left| start.elapsed() > left / ATTACK_SHARE);
    let seed = work.options.attack.seed;
    let strong = Strong { query: work.query, compact, open, starts: &[], operations, seed };
    strong.run(stop, |input| lock(found).accept(work.query, input))
}
