//! Decides a query: one entry point, [`decide`], from a [`Query`](unmoved_property::Query) to an [`Outcome`].
//!
//! The cheapest means come first: the centre of the region, interval bounds, linear bounds, an attack; then branch and bound with
//! optimised multipliers, in turns with semidefinite bounds where they pay ([`Relaxation`]), a stronger attack, and refinement of
//! intermediate bounds; or splits of the input box, or mixed integer and linear programs ([`Engine`]).
//! Whatever finds a proof, `Robust` is said only after [`unmoved_check::Examiner`] accepted it in this process; whatever finds
//! a counterexample, `Violated` is said only after [`unmoved_check::replay`] confirmed it in exact arithmetic. [`attack()`] is
//! the attack alone.

mod attack;
mod bab;
mod boxes;
mod candidates;
mod clock;
mod decide;
mod distortion;
mod firm;
mod goals;
mod history;
mod nearest;
mod outcome;
mod plan;
mod programs;
mod proof;
mod refine;
mod semidefinite;
mod solver;
mod tree;
mod workers;

pub use attack::{AttackOptions, attack};
pub use decide::{decide, decide_prepared, decide_watched};
pub use distortion::{Distortion, Proved, distortion};
pub use firm::{firm_up, is_firm};
pub use outcome::{DecidedBy, Engine, Options, Outcome, Progress, Relaxation, SearchError, Watch};
pub use unmoved_check::Prepared;

#[cfg(test)]
mod tests;
