//! Interval and linear bounds of every value of a network over an input region, sound under rounding.
//!
//! Two tiers, each spent only where the one before leaves a neuron undecided (Tjeng, Xiao and Tedrake, ICLR 2019,
//! section 4.2): [`Tier::Interval`] is plain interval arithmetic; [`Tier::Linear`] is one backward pass per unstable neuron
//! (CROWN, Zhang et al., NeurIPS 2018; DeepPoly, Singh et al., POPL 2019).
//!
//! All computation is in f64. Every bound returned holds for the exact real arithmetic of the network: rounding errors are
//! bounded a posteriori and subtracted, never ignored. Max-pooling has been lowered to ReLUs (see
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
