//! A property, decided box by box.

use super::{CliError, Output};
use std::time::{Duration, Instant};
use unmoved::property::{Query, Reason, Verdict};
use unmoved::search::{DecidedBy, Options, Outcome, decide_watched, firm_up};

/// Box by box, up to the first that is violated. The time limit counts from `start`.
pub(crate) fn decide_all(
    queries: &[Query],
    options: &Options,
    start: Instant,
    output: Output,
) -> Result<Vec<Outcome>, CliError> {
    let mut outcomes = Vec::new();
    for query in queries {
        let time_limit = options.time_limit.map(|limit| limit.saturating_sub(start.elapsed()));
        outcomes.push(match time_limit {
            Some(Duration::ZERO) => out_of_time(query),
            _ => decide_watched(query, &Options { time_limit, ..*options }, &output.watch(start))?,
        });
        if let Some(Outcome { verdict: Verdict::Violated(_), .. }) = outcomes.last() {
            break;
        }
    }
    Ok(outcomes)
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
