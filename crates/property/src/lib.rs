//! What is asked of a network and what can be answered.
//!
//! A [`Query`] is a network, an [`InputRegion`] and an *unsafe* set: a disjunction of conjunctions of linear constraints
//! over the outputs (and, where a property says so, inputs). The answer is a [`Verdict`]. Everything that a user states
//! (radii, decimals) is kept as an exact fraction; floats appear only as outward or inward enclosures of it.

mod constraint;
mod distance;
mod error;
mod minimum;
mod project;
mod query;
mod region;
mod text;
mod verdict;
pub mod vnnlib;

pub use constraint::{Conjunction, Constraint};
pub use error::{PropertyError, QueryTextError};
pub use query::Query;
pub use region::{FloatBox, InputRegion, Norm, RegionKind};
pub use verdict::{Counterexample, Point, Reason, Verdict};

#[cfg(test)]
mod tests;
