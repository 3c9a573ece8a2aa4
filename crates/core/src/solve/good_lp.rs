//! Every solver that `good_lp` offers, microlp by default.

use super::{Limits, Reoptimise, Solution, Solver, SolverError, Status};
use crate::milp::{Cost, Milp, Sense};
use ::good_lp as lp;
use lp::solvers::{ResolutionError, SolutionStatus, WithTimeLimit};
use lp::{Constraint, Expression, ProblemVariables, Solution as _, SolverModel, variable};
use std::time::Instant;

/// An adapter to the solvers of `good_lp`. It hides duals, bounds and node counts.
#[derive(Debug, Clone)]
pub struct GoodLp<S> {
    name: &'static str,
    solver: S,
}

impl GoodLp<fn(lp::variable::UnsolvedProblem) -> lp::solvers::microlp::MicroLpProblem> {
    /// microlp, in pure Rust: fine to about forty binaries.
    pub fn microlp() -> Self {
        Self { name: "microlp", solver: lp::solvers::microlp::microlp }
    }
}

impl<S> GoodLp<S> {
    /// Another solver that `good_lp` was built with. It must prove optimality, not stop at a gap.
    pub fn new(name: &'static str, solver: S) -> Self {
        Self { name, solver }
    }
}

impl<S> Solver for GoodLp<S>
where
    S: lp::Solver + Clone,
    S::Model: WithTimeLimit + SolverModel<Error = ResolutionError>,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn solve(&self, milp: &Milp, limits: &Limits) -> Result<Solution, SolverError> {
        let start = Instant::now();
        let mut unknowns = ProblemVariables::new();
        let columns: Vec<lp::Variable> = milp
            .columns
            .iter()
            .map(|c| {
                let v = variable().min(c.lower).max(c.upper);
                unknowns.add(if c.integer { v.integer() } else { v })
            })
            .collect();
        let sum = |terms: &[(usize, f64)]| {
            let mut e = Expression::with_capacity(terms.len());
            terms.iter().for_each(|&(c, a)| e.add_mul(a, columns[c]));
            e
        };
        let mut model = unknowns.minimise(sum(&milp.cost.terms)).using(self.solver.clone());
        for row in &milp.rows {
            let left = sum(&row.terms);
            let constraint: Constraint = match row.sense {
                Sense::AtMost => left.leq(row.rhs),
                Sense::Equal => left.eq(row.rhs),
                Sense::AtLeast => left.geq(row.rhs),
            };
            model.add_constraint(constraint);
        }
        if let Some(time) = limits.time {
            model = model.with_time_limit(time.as_secs_f64());
        }
        let status = match model.solve() {
            Ok(solution) => {
                let values: Vec<f64> = columns.iter().map(|&c| solution.value(c)).collect();
                let cost = milp.cost.value(&values);
                let (status, bound) = match solution.status() {
                    SolutionStatus::Optimal => (Status::Optimal, Some(cost)),
                    SolutionStatus::TimeLimit => (Status::TimeLimit, None),
                    SolutionStatus::GapLimit => (Status::Unknown("stopped at a gap".into()), None),
                };
                let found = Solution::without_values(status);
                return Ok(Solution { cost: Some(cost), bound, values: Some(values), ..found });
            }
            Err(ResolutionError::Infeasible) => Status::Infeasible,
            // All that microlp says when time runs out before a first point is a sentence.
            Err(_) if limits.time.is_some_and(|limit| start.elapsed() >= limit) => Status::TimeLimit,
            Err(ResolutionError::Unbounded) => Status::Unknown("unbounded".into()),
            Err(ResolutionError::Other(why)) => Status::Unknown(why.into()),
            Err(ResolutionError::Str(why)) => Status::Unknown(why),
        };
        Ok(Solution::without_values(status))
    }

    fn load<'s>(&'s self, milp: &Milp) -> Result<Box<dyn Reoptimise + 's>, SolverError> {
        Ok(Box::new(Anew { solver: self, milp: milp.clone() }))
    }
}

/// `good_lp` hides how its solvers would go on: every run begins afresh.
struct Anew<'s> {
    solver: &'s dyn Solver,
    milp: Milp,
}

impl Reoptimise for Anew<'_> {
    fn set_bounds(&mut self, column: usize, lower: f64, upper: f64) {
        let column = &mut self.milp.columns[column];
        (column.lower, column.upper) = (lower, upper);
    }

    fn minimise(&mut self, cost: &Cost, limits: &Limits) -> Result<Solution, SolverError> {
        self.milp.cost.clone_from(cost);
        self.solver.solve(&self.milp, limits)
    }
}
