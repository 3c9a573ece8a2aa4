//! From query to outcome.

use crate::attack;
use crate::candidates::{Candidates, lock};
use crate::outcome::{DecidedBy, Options, Outcome, SearchError, Watch};
use crate::plan::Plan;
use crate::proof::Proof;
use crate::refine::refine;
use crate::solver::{self, Answer};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use unmoved_bounds::{Propagation, Tier};
use unmoved_check::{Examiner, Step};
use unmoved_ir::lower_max_pool;
use unmoved_property::{Query, Reason, Verdict};

/// Decides the query as far as the means built so far reach.
///
/// # Errors
/// Only for what makes the question itself unworkable; running out of time or means is [`Verdict::Unknown`].
pub fn decide(query: &Query, options: &Options) -> Result<Outcome, SearchError> {
    decide_watched(query, options, &|_| {})
}

/// [`decide`], telling how it goes.
pub fn decide_watched(query: &Query, options: &Options, watch: Watch<'_>) -> Result<Outcome, SearchError> {
    let clock = Clock { start: Instant::now(), limit: options.time_limit };
    let mut found = Candidates::default();
    let outcome = Outcome::open(query.unsafe_set().len());

    if attack::at_centre(query, &mut found)? {
        return Ok(found.into_outcome(outcome, DecidedBy::Centre));
    }

    let start = Instant::now();
    let mut examiner = Examiner::new(query)?.with_threads(options.threads);
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
    let mut plan = Plan::new(&examiner, options);
    let refused = loop {
        if proof.outcome.subproblems >= options.subproblems {
            break None;
        }
        let effort = plan.effort(&compact);
        if proof.search(&compact, &effort, || clock.is_out(), &found, watch) {
            let searched = plan.is_refined() || proof.has_split();
            match proof.certify(&mut examiner) {
                Ok(certificate) => {
                    let by = if searched { DecidedBy::Search } else { DecidedBy::Slopes };
                    return Ok(proof.outcome.robust(certificate, by));
                }
                // What hangs on the rounding of f32 is searched again, with a margin.
                Err(refusal) if !plan.demand_more() => break Some(refusal),
                Err(_) => {}
            }
        } else if lock(&found).counterexample.is_some() || clock.is_out() {
            break None;
        } else if let Some(refinement) = plan.refinement() {
            let refined = refine(&mut examiner, query.region(), refinement, || clock.is_out(), watch);
            plan.judge(&refined);
            proof.outcome.subproblems += refined.subproblems;
            compact = attack::compact(&examiner, query);
        } else if plan.is_last() {
            break None;
        }
        proof.reset();
        proof.close_by_rule(&mut examiner);
    };
    let mut found = found.into_inner().unwrap_or_else(|e| e.into_inner());
    if found.counterexample.is_some() {
        return Ok(found.into_outcome(proof.outcome, DecidedBy::Search));
    }
    let refused = refused.map_or(Reason::Open, |refusal| Reason::Refused(refusal.to_string()));
    let mut reason = found.f32_only.take().map_or(refused, Reason::F32Only);
    if options.trust_solver && !clock.is_out() {
        let lowered = lower_max_pool(query.network())?;
        let propagation = Propagation::new(&lowered, query.region(), Tier::Linear);
        match solver::ask(query, &propagation, &proof.open(), clock.remaining())? {
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
    if clock.is_out() && reason == Reason::Open {
        reason = Reason::TimeLimit;
    }
    proof.outcome.verdict = Verdict::Unknown(reason);
    Ok(proof.outcome)
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
