//! Solvers, behind one small trait. What a solver says is a hint, never a proof.

#[cfg(feature = "microlp")]
mod good_lp;
#[cfg(feature = "highs")]
mod highs;

#[cfg(feature = "microlp")]
pub use good_lp::GoodLp;
#[cfg(feature = "highs")]
pub use highs::{Highs, Session};

use crate::milp::{Cost, Milp};
use std::time::Duration;

/// Minimises mixed integer linear programs.
pub trait Solver {
    /// The solver's name, for messages and records.
    fn name(&self) -> &'static str;

    /// Minimises the cost of a program.
    ///
    /// # Errors
    /// [`SolverError`] if the solver could not take the program. That it ran and found nothing is a [`Status`].
    fn solve(&self, milp: &Milp, limits: &Limits) -> Result<Solution, SolverError>;

    /// Loads a program that is to be solved again and again, with other costs and bounds of columns.
    ///
    /// # Errors
    /// As for [`Solver::solve`].
    fn load<'s>(&'s self, milp: &Milp) -> Result<Box<dyn Reoptimise + 's>, SolverError>;
}

/// A program in a solver. Where the solver can, it goes on from where the last run ended.
pub trait Reoptimise {
    /// Changes the bounds of a column.
    fn set_bounds(&mut self, column: usize, lower: f64, upper: f64);

    /// Minimises a cost, which takes the place of the program's own.
    ///
    /// # Errors
    /// As for [`Solver::solve`].
    fn minimise(&mut self, cost: &Cost, limits: &Limits) -> Result<Solution, SolverError>;
}

/// What a solver may spend.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// The most wall-clock time; `None` for no limit.
    pub time: Option<Duration>,
}

/// What a solver claims.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// The values are optimal, within the solver's tolerances.
    Optimal,
    /// No point satisfies all rows, within the solver's tolerances.
    Infeasible,
    /// The time limit was reached; there may be values and a bound.
    TimeLimit,
    /// Neither: numerical trouble, or a status that leaves open which it is.
    Unknown(String),
}

/// A solver's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// What the solver claims.
    pub status: Status,
    /// The cost of `values`.
    pub cost: Option<f64>,
    /// The solver's lower bound of the cost of any point; equals `cost` if that is optimal.
    pub bound: Option<f64>,
    /// The best point found, one value per column.
    pub values: Option<Vec<f64>>,
    /// For linear programs, where the solver tells them: the increase of the optimal cost per unit of each right-hand side.
    pub duals: Option<Vec<f64>>,
    /// The nodes of the search tree, where the solver counts them.
    pub nodes: Option<u64>,
    /// How many coefficients the solver ignored because they are too small for it.
    pub ignored: usize,
}

#[cfg(feature = "microlp")]
impl Solution {
    fn without_values(status: Status) -> Self {
        Self { status, cost: None, bound: None, values: None, duals: None, nodes: None, ignored: 0 }
    }
}

/// A program that a solver cannot take.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SolverError {
    /// This build has no such solver.
    #[error("{what} needs HiGHS, which this build lacks: build with `--features highs` (needs cmake and libclang)")]
    NeedsHighs {
        /// What was asked for.
        what: &'static str,
    },
    /// A coefficient that the solver would drop together with its row.
    #[error("{name}: coefficient {value} is too large for {solver}, which takes magnitudes below {limit}")]
    Coefficient {
        /// The row, or the cost.
        name: String,
        /// The coefficient.
        value: f64,
        /// The solver.
        solver: &'static str,
        /// What it takes.
        limit: f64,
    },
    /// The solver refused the program or an option.
    #[error("{solver}: {message}")]
    Refused {
        /// The solver.
        solver: &'static str,
        /// What it said.
        message: String,
    },
}
