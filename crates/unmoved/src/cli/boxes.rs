//! A property, decided box by box.

use super::{CliError, Output};
use std::time::{Duration, Instant};
use unmoved::property::{Query, Reason, Verdict};
use unmoved::search::{DecidedBy, Options, Outcome, Prepared, decide_prepared, firm_up};

/// Decides all boxes, or up to one that is violated. With several, those that bounds or a short attack decide come first: one that takes long may
/// not hide a counterexample in the next. The time limit counts from `start`.
pub(crate) fn decide_all(
    queries: &[Query],
    options: &Options,
    start: Instant,
    output: Output,
) -> Result<Vec<Outcome>, CliError> {
    let Some(first) = queries.first() else { return Ok(Vec::new()) };
    let network = Prepared::new(first.network())?;
    let decide = |query: &Query, options: &Options| -> Result<Outcome, CliError> {
        let time_limit = options.time_limit.map(|limit| limit.saturating_sub(start.elapsed()));
        match time_limit {
            Some(Duration::ZERO) => Ok(out_of_time(query)),
            _ => Ok(decide_prepared(query, &network, &Options { time_limit, ..*options }, &output.watch(start))?),
        }
    };
    let mut outcomes = Vec::with_capacity(queries.len());
    let shortly = if queries.len() > 1 { 0 } else { options.subproblems };
    for query in queries {
        outcomes.push(decide(query, &Options { subproblems: shortly, ..*options })?);
        if is_violated(&outcomes[outcomes.len() - 1]) {
            return Ok(outcomes);
        }
    }
    if shortly < options.subproblems {
        for (query, outcome) in queries.iter().zip(&mut outcomes) {
            if matches!(outcome.verdict, Verdict::Unknown(_)) {
                *outcome = decide(query, options)?;
                if is_violated(outcome) {
                    break;
                }
            }
        }
    }
    Ok(outcomes)
}

fn is_violated(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Violated(_))
}

/// What is known of a box that was never looked at.
fn out_of_time(query: &Query) -> Outcome {
    Outcome {
        verdict: Verdict::Unknown(Reason::TimeLimit),
        decided_by: DecidedBy::Nothing,
        certificate: None,
        margins: vec![f64::NEG_INFINITY; query.unsafe_set().len()],
        subproblems: 0,
        check_time: Duration::ZERO,
    }
}

/// The box that tells the answer: one that is violated, else one that is open, else the last. At least one was decided.
pub(crate) fn telling(outcomes: &[Outcome]) -> usize {
    let find = |is: fn(&Verdict) -> bool| outcomes.iter().position(|o| is(&o.verdict));
    find(|v| matches!(v, Verdict::Violated(_)))
        .or_else(|| find(|v| matches!(v, Verdict::Unknown(_))))
        .unwrap_or(outcomes.len() - 1)
}

/// Makes a counterexample one that float32 shows, too, if that is soon done.
pub(crate) fn firm(query: &Query, outcome: &mut Outcome, options: &Options, start: Instant) {
    let until = options.time_limit.map_or(PATIENCE, |limit| limit.saturating_sub(start.elapsed()).min(PATIENCE));
    let (begun, open) = (Instant::now(), Verdict::Unknown(Reason::Open));
    outcome.verdict = match std::mem::replace(&mut outcome.verdict, open) {
        Verdict::Violated(found) => Verdict::Violated(firm_up(query, found, || begun.elapsed() >= until)),
        other => other,
    };
}

/// How long what is found may be improved.
const PATIENCE: Duration = Duration::from_secs(1);
