//! HiGHS.
//!
//! What its defaults would get wrong, and is therefore always set: `mip_rel_gap` is 1e-4 and still calls that optimal;
//! the feasibility tolerances of 1e-6 have called a wrong bound of a ReLU network optimal; `threads` cannot be changed within a process,
//! so it stays 1, which also makes runs repeatable. Matrix entries of at most 1e-9 are dropped (counted here), and a row
//! with one of 1e15 or more as a whole (refused here).

use super::{Limits, Reoptimise, Solution, Solver, SolverError, Status};
use crate::milp::{Cost, Milp, Sense};
use ::highs as sys;
use std::time::{Duration, Instant};
use sys::{HighsModelStatus, HighsSolutionStatus, RowProblem};

const NAME: &str = "HiGHS";
/// HiGHS ignores matrix entries of at most this.
const SMALL: f64 = 1e-9;
/// HiGHS refuses matrix entries of at least this.
const LARGE: f64 = 1e15;

/// HiGHS, one thread. Reports the dual bound, and for linear programs the duals.
#[derive(Debug, Clone, Copy, Default)]
pub struct Highs;

impl Solver for Highs {
    fn name(&self) -> &'static str {
        NAME
    }

    fn solve(&self, milp: &Milp, limits: &Limits) -> Result<Solution, SolverError> {
        Session::new(milp)?.minimise(&milp.cost, limits)
    }

    fn load<'s>(&'s self, milp: &Milp) -> Result<Box<dyn Reoptimise + 's>, SolverError> {
        Ok(Box::new(Session::new(milp)?))
    }
}

impl Reoptimise for Session {
    fn set_bounds(&mut self, column: usize, lower: f64, upper: f64) {
        // A bound that stays must not disturb the basis.
        if std::mem::replace(&mut self.bounds[column], [lower, upper]) != [lower, upper]
            && let Some(model) = &mut self.model
        {
            model.change_column_bounds(self.columns[column], lower..=upper);
        }
    }

    fn minimise(&mut self, cost: &Cost, limits: &Limits) -> Result<Solution, SolverError> {
        Session::minimise(self, cost, limits)
    }
}

/// A program loaded once and minimised for one cost after another, each time from where the last one ended. Several times
/// faster than loading it again. Cannot be sent to another thread.
#[derive(Debug)]
pub struct Session {
    /// Absent after a run that HiGHS gave up with an error.
    model: Option<sys::Model>,
    columns: Vec<sys::Col>,
    bounds: Vec<[f64; 2]>,
    cost: Cost,
    linear: bool,
    ignored: usize,
    /// The time of all runs.
    spent: Duration,
}

impl Session {
    /// Loads a program, without its cost.
    ///
    /// # Errors
    /// A coefficient of 1e15 or more, or whatever else HiGHS refuses.
    pub fn new(milp: &Milp) -> Result<Self, SolverError> {
        let mut problem = RowProblem::new();
        let columns: Vec<sys::Col> = milp
            .columns
            .iter()
            .map(|c| problem.add_column_with_integrality(0.0, c.lower..=c.upper, c.integer))
            .collect();
        let mut ignored = 0;
        for row in &milp.rows {
            check(&row.name, &row.terms)?;
            ignored += row.terms.iter().filter(|(_, a)| a.abs() <= SMALL).count();
            let terms = row.terms.iter().map(|&(c, a)| (columns[c], a));
            match row.sense {
                Sense::AtMost => problem.add_row(..=row.rhs, terms),
                Sense::Equal => problem.add_row(row.rhs..=row.rhs, terms),
                Sense::AtLeast => problem.add_row(row.rhs.., terms),
            }
        }
        let mut model = problem.try_optimise(sys::Sense::Minimise).map_err(|_| refused("the program was refused"))?;
        let tolerances = ["primal_feasibility_tolerance", "dual_feasibility_tolerance", "mip_feasibility_tolerance"];
        let mut options = true;
        for (name, value) in [("mip_rel_gap", 0.0), ("mip_abs_gap", 1e-9)] {
            options &= model.try_set_option(name, value).is_ok();
        }
        for name in tolerances {
            options &= model.try_set_option(name, 1e-9).is_ok();
        }
        options &= model.try_set_option("threads", 1).is_ok();
        // Dual simplex: continues fastest from the last basis.
        options &= model.try_set_option("simplex_strategy", 1).is_ok();
        if !options {
            return Err(refused("an option was refused"));
        }
        let bounds = milp.columns.iter().map(|c| [c.lower, c.upper]).collect();
        let (linear, cost) = (milp.integers() == 0, Cost::default());
        Ok(Self { model: Some(model), columns, bounds, cost, linear, ignored, spent: Duration::ZERO })
    }

    /// Minimises a cost over the program.
    ///
    /// # Errors
    /// A coefficient of 1e15 or more, or an error in HiGHS, after which the session is of no more use.
    pub fn minimise(&mut self, cost: &Cost, limits: &Limits) -> Result<Solution, SolverError> {
        check("cost", &cost.terms)?;
        let mut model = self.model.take().ok_or_else(|| refused("an earlier run failed"))?;
        for &(c, _) in &self.cost.terms {
            model.change_column_cost(self.columns[c], 0.0);
        }
        for &(c, a) in &cost.terms {
            model.change_column_cost(self.columns[c], a);
        }
        self.cost = cost.clone();
        // HiGHS counts from when the model was made.
        let seconds = limits.time.map_or(f64::INFINITY, |t| (self.spent + t).as_secs_f64());
        model.try_set_option("time_limit", seconds).map_err(|_| refused("the time limit was refused"))?;
        let start = Instant::now();
        let solved = model.try_solve().map_err(|_| refused("the run failed"))?;
        self.spent += start.elapsed();
        let status = status(solved.status());
        let has_values = solved.primal_solution_status() == HighsSolutionStatus::Feasible;
        let solution = solved.get_solution();
        let values = has_values.then(|| solution.columns().to_vec());
        let dual_status = solved.int_info_value(c"dual_solution_status").unwrap_or(0);
        // 2 is "feasible"; the duals of a program with whole numbers mean nothing.
        let duals = (self.linear && dual_status == 2).then(|| solution.dual_rows().to_vec());
        let bound = match status {
            Status::Infeasible => None,
            _ if self.linear => (status == Status::Optimal).then(|| solved.objective_value()),
            _ => solved.double_info_value(c"mip_dual_bound").ok().filter(|b| b.is_finite()),
        };
        self.model = Some(sys::Model::from(solved));
        Ok(Solution {
            cost: values.as_ref().map(|v| cost.value(v)),
            bound: bound.map(|b| b + cost.constant),
            values,
            duals,
            nodes: None,
            ignored: self.ignored,
            status,
        })
    }
}

/// What HiGHS claims, in our words. `UnboundedOrInfeasible` is neither.
fn status(status: HighsModelStatus) -> Status {
    use HighsModelStatus as H;
    let unknown = |why: &str| Status::Unknown(why.into());
    match status {
        H::Optimal => Status::Optimal,
        H::Infeasible => Status::Infeasible,
        H::ReachedTimeLimit => Status::TimeLimit,
        H::Unbounded => unknown("unbounded"),
        H::UnboundedOrInfeasible => unknown("unbounded or infeasible"),
        H::NotSet => unknown("not set"),
        H::LoadError => unknown("load error"),
        H::ModelError => unknown("model error"),
        H::PresolveError => unknown("presolve error"),
        H::SolveError => unknown("solve error"),
        H::PostsolveError => unknown("postsolve error"),
        H::ModelEmpty => unknown("empty program"),
        H::ObjectiveBound => unknown("stopped at an objective bound"),
        H::ObjectiveTarget => unknown("stopped at an objective target"),
        H::ReachedIterationLimit => unknown("iteration limit"),
        H::ReachedSolutionLimit => unknown("solution limit"),
        H::ReachedInterrupt => unknown("interrupted"),
        H::ReachedMemoryLimit => unknown("memory limit"),
        H::Unknown => unknown("numerical trouble"),
        // The enum may grow with HiGHS; what we do not know is not known.
        other => Status::Unknown(format!("{other:?}")),
    }
}

fn check(name: &str, terms: &[(usize, f64)]) -> Result<(), SolverError> {
    match terms.iter().find(|(_, a)| a.abs() >= LARGE) {
        Some(&(_, value)) => Err(SolverError::Coefficient { name: name.into(), value, solver: NAME, limit: LARGE }),
        None => Ok(()),
    }
}

fn refused(message: &str) -> SolverError {
    SolverError::Refused { solver: NAME, message: message.into() }
}
