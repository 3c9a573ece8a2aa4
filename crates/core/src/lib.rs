//! Lowers a query to a mixed integer program, writes it, solves it.
//!
//! [`encode`] makes a [`Milp`] of a query and the bounds of its network, as in Tjeng, Xiao and Tedrake, *Evaluating
//! Robustness of Neural Networks with Mixed Integer Programming* (ICLR 2019). A `Milp` is plain ordered data: print its
//! [`Milp::listing`], write it as an LP or MPS file, or give it to a [`Solver`]. What a solver says is never a proof.

mod dual;
mod encode;
mod milp;
mod rounding;
mod solve;
mod tighten;
mod write;

pub use dual::{DualBound, dual_bound};
pub use encode::{EncodeError, Objective, encode};
pub use milp::{Column, Cost, Milp, Quantity, Row, Section, Sense};
#[cfg(feature = "microlp")]
pub use solve::GoodLp;
#[cfg(feature = "highs")]
pub use solve::{Highs, Session};
pub use solve::{Limits, Solution, Solver, SolverError, Status};
pub use tighten::{Budget, Multipliers, TightenError, TightenReport, Tightened, Tightening, lp_multipliers, tighten};
pub use write::decode_name;
