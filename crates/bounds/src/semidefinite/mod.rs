//! Semidefinite bounds: a relaxation that sees how neurons move together.
//!
//! The linear relaxation lets every unstable ReLU be wrong on its own. This one keeps, of the exact conditions of a ReLU `y = max(z, 0)`,
//!
//! ```text
//! y >= 0,   y >= z,   y <= u (z - l) / (u - l),   y (y - z) = 0,
//! ```
//!
//! the last of which is quadratic, and replaces products of variables by the entries of a positive semidefinite matrix (Raghunathan, Steinhardt
//! and Liang, NeurIPS 2018; first-order methods for it: Dathathri et al., NeurIPS 2020). Its Lagrangian dual is: subtract all conditions, each with a multiplier, and
//! `kappa_i (w_i^2 - 1) <= 0` for every variable scaled to `[-1, 1]`; where the quadratic function that is left is convex with a minimum of
//! at least zero, a matter of one matrix being positive semidefinite, the constant that was taken out of it is a bound. Any multipliers give
//! one, so a proof is a list of them.
//!
//! [`Rows`] are made once for a network around one input, a [`Program`] for each form and each set of splits, an [`Ascent`] improves its
//! multipliers and [`Ascent::prove`] turns them into a bound and a [`Leaf`]. For how, see the modules' own words; `docs/semidefinite.md` explains it
//! from the beginning. All of it is f32 and unsound under rounding, like [`crate::engine`]: it proposes, the checker decides.

mod ascent;
mod blocks;
mod definite;
mod kernel;
mod leaf;
mod multipliers;
mod program;
mod rows;
mod spectrum;
mod vectors;

#[cfg(test)]
mod tests;

pub use ascent::Ascent;
pub use leaf::{Leaf, Lifted};
pub use multipliers::Found;
pub use program::Program;
pub use rows::{Row, Rows};
