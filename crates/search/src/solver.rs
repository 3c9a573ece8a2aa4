//! What mixed integer programming adds: points to replay, and a solver's word, which is only ever reported as such.

use crate::outcome::SearchError;
use std::time::Duration;
use unmoved_bounds::Propagation;
use unmoved_core::{Limits, Milp, Objective, Solution, Solver, SolverError, Status, encode};
use unmoved_property::{Point, Query};

/// What a solver said of the open disjuncts.
pub(crate) enum Answer {
    /// None can hold, says this solver.
    Holds(&'static str),
    /// This input is unsafe, it says; to be replayed.
    Input(Point),
    /// Nothing of use.
    Nothing,
}

/// The solver of this build.
#[cfg(not(feature = "highs"))]
pub(crate) fn solver() -> impl Solver {
    unmoved_core::GoodLp::microlp()
}

/// The solver of this build.
#[cfg(feature = "highs")]
pub(crate) fn solver() -> impl Solver {
    unmoved_core::Highs
}

/// The most binaries that microlp is asked about; beyond, its time is unpredictable.
const MICROLP_BINARIES: usize = 40;

/// Asks a MILP solver whether an open disjunct can hold: HiGHS where it is built in, else microlp for small programs.
pub(crate) fn ask(
    query: &Query,
    propagation: &Propagation<'_>,
    open: &[usize],
    time: Option<Duration>,
) -> Result<Answer, SearchError> {
    let milp = encode(query, propagation, Objective::Feasibility, Some(open))?;
    let solution = solve(&milp, &Limits { time })?;
    Ok(match (solution.status, solution.values) {
        // Coefficients that the solver dropped make it a solver of another program.
        (Status::Infeasible, _) if solution.ignored == 0 => Answer::Holds(solver().name()),
        (Status::Optimal | Status::TimeLimit, Some(values)) => {
            query.region().nearest_inside(&milp.input(&values)).map_or(Answer::Nothing, Answer::Input)
        }
        _ => Answer::Nothing,
    })
}

/// Solves a mixed integer program, if that is not too much for this build's solver.
pub(crate) fn solve(milp: &Milp, limits: &Limits) -> Result<Solution, SolverError> {
    fits(milp)?;
    solver().solve(milp, limits)
}

/// Errors for a program that is too much for this build's solver.
pub(crate) fn fits(milp: &Milp) -> Result<(), SolverError> {
    if !cfg!(feature = "highs") && milp.integers() > MICROLP_BINARIES {
        return Err(SolverError::NeedsHighs { what: "a program of more than 40 binaries" });
    }
    Ok(())
}
