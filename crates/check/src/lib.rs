//! The trusted heart: certificates and their checker, and the replay of counterexamples.
//!
//! A [`Certificate`] proves that no input of a query's region leads into its unsafe set. [`check`] accepts it or says
//! which step is wrong; [`replay`] decides whether an input is a counterexample. Both know the network and the query and
//! nothing of how the answer was found. `SPEC.md` beside this crate states the rules and the format completely.

mod adjoint;
mod backward;
mod bytes;
mod certificate;
mod check;
mod clip;
mod examiner;
mod form;
mod lane;
mod layers;
mod pieces;
mod propagate;
mod quadratic;
mod queue;
mod real;
mod refusal;
mod region;
mod relu;
mod replay;
mod table;
mod window;

pub use bytes::{FormatError, FormatProblem};
pub use certificate::{
    Certificate, End, Lifted, LiftedElement, LinearForm, Multipliers, QuadraticForm, Semantics, Side, Step,
};
pub use check::{Accepted, Arithmetic, check, check_bytes};
pub use examiner::{Examiner, Prepared};
pub use refusal::{Refusal, WrongStep};
pub use replay::{ReplayError, replay, replay_point};
pub use table::Bounds;

#[cfg(test)]
mod tests;
