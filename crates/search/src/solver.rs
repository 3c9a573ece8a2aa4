//! What linear and mixed integer programming add: multipliers that the checker can verify, points to replay, and a
//! solver's word, which is only ever reported as such.

use crate::decide::SearchError;
use std::time::Duration;
use unmoved_bounds::{Phase, Propagation};
use unmoved_check::{LinearForm, Multipliers, Step};
use unmoved_core::{
    EncodeError, Limits, Milp, Objective, Solution, Solver, SolverError, Status, TightenError, encode, lp_multipliers,
};
use unmoved_property::Query;

/// What a solver said of the open disjuncts.
pub(crate) enum Answer {
    /// None can hold, says this solver.
    Holds(&'static str),
    /// This input is unsafe, it says; to be replayed.
    Input(Vec<f32>),
    /// Nothing of use.
    Nothing,
}

#[cfg(not(feature = "highs"))]
use unmoved_core::GoodLp;

/// The most binaries that microlp is asked about; beyond, its time is unpredictable.
#[cfg(not(feature = "highs"))]
const MICROLP_BINARIES: usize = 40;

/// Closes disjuncts by the duals of their linear relaxations, in the form in which the checker verifies them.
pub(crate) fn close_by_duals(
    query: &Query,
    propagation: &Propagation<'_>,
    margins: &mut [f64],
    leaves: &mut [Option<Step>],
    remaining: impl Fn() -> Option<Duration>,
) -> Result<(), SearchError> {
    for i in 0..leaves.len() {
        if leaves[i].is_some() || remaining().is_some_and(|left| left.is_zero()) {
            continue;
        }
        let found = match lp_multipliers(query, propagation, i, &Limits { time: remaining() }) {
            Ok(found) => found,
            // There is no program for an l2 ball, and no need for one: other means go on.
            Err(TightenError::Encode(EncodeError::L2(_) | EncodeError::Unbounded(_))) => return Ok(()),
            Err(TightenError::Encode(e)) => return Err(e.into()),
            Err(TightenError::Solver(e)) => return Err(e.into()),
        };
        let Some(found) = found else { continue };
        margins[i] = margins[i].max(found.bound);
        if found.bound > 0.0 {
            let network = &propagation.lowered().network;
            let multipliers = found.mu.into_iter().map(|(relu, mu)| {
                let z = propagation.bounds(network.node(relu).inputs[0]);
                let unstable = (0..mu.len()).filter(|&k| z.phase(k) == Phase::Unstable);
                Multipliers { relu, slopes: Vec::new(), raw: unstable.map(|k| (k as u32, mu[k])).collect() }
            });
            let multipliers = multipliers.filter(|m| !m.raw.is_empty()).collect();
            leaves[i] = Some(Step::Linear(LinearForm { lambda: found.lambda, multipliers }));
        }
    }
    Ok(())
}

/// Asks a MILP solver whether an open disjunct can hold: HiGHS where it is built in, else microlp for small programs.
pub(crate) fn ask(
    query: &Query,
    propagation: &Propagation<'_>,
    open: &[usize],
    time: Option<Duration>,
) -> Result<Answer, SearchError> {
    let milp = encode(query, propagation, Objective::Feasibility, Some(open))?;
    let (name, solution) = solve(&milp, &Limits { time })?;
    Ok(match (solution.status, solution.values) {
        // Coefficients that the solver dropped make it a solver of another program.
        (Status::Infeasible, _) if solution.ignored == 0 => Answer::Holds(name),
        (Status::Optimal | Status::TimeLimit, Some(values)) => {
            query.region().to_f32_inside(&milp.input(&values)).map_or(Answer::Nothing, Answer::Input)
        }
        _ => Answer::Nothing,
    })
}

#[cfg(feature = "highs")]
fn solve(milp: &Milp, limits: &Limits) -> Result<(&'static str, Solution), SolverError> {
    let solver = unmoved_core::Highs;
    Ok((solver.name(), solver.solve(milp, limits)?))
}

#[cfg(not(feature = "highs"))]
fn solve(milp: &Milp, limits: &Limits) -> Result<(&'static str, Solution), SolverError> {
    if milp.integers() > MICROLP_BINARIES {
        return Err(SolverError::NeedsHighs { what: "a program of more than 40 binaries" });
    }
    let solver = GoodLp::microlp();
    Ok((solver.name(), solver.solve(milp, limits)?))
}
