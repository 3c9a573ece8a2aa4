//! Bounds of a network over an input region: of every value, sound under rounding; and of forms of its outputs, proposed
//! to the checker.
//!
//! Three tiers, each spent only on what the one before leaves open (progressive tightening: Tjeng, Xiao and Tedrake, ICLR 2019,
//! section 4.2):
//!
//! - interval: [`Tier::Interval`], plain interval arithmetic;
//! - linear: [`Tier::Linear`], one backward pass per unstable neuron (CROWN, Zhang et al., NeurIPS 2018; DeepPoly, Singh et
//!   al., POPL 2019); with multipliers that are optimised for one form, many subproblems at a time, [`engine`]; over boxes
//!   of few inputs, [`boxes`];
//! - [`semidefinite`]: of one form, by a relaxation that sees how neurons move together, for networks of few layers.
//!
//! A [`Propagation`] through the first two is computed in f64, and every bound in it holds for the exact real arithmetic of
//! the network: rounding errors are bounded a posteriori and subtracted, never ignored. The modules [`engine`], [`boxes`]
//! and [`semidefinite`] only propose what the checker bounds anew. Max-pooling has been lowered to ReLUs (see
//! [`unmoved_ir::lower_max_pool`]) before any bound is computed.

mod affine;
mod backward;
pub mod boxes;
pub mod engine;
mod interval;
mod propagate;
mod rounding;
pub mod semidefinite;
mod table;

/// Where the checker's default rule for the lower line of an unstable ReLU turns from 0 to the identity: at `LEANING * u > -l` (SPEC.md of
/// the checker, section 7).
pub const LEANING: f64 = 1.0 - 1.0 / 1024.0;

pub use backward::LinearForm;
pub use propagate::{Propagation, Tier};
pub use table::{Bounds, Phase};

#[cfg(test)]
mod tests;
