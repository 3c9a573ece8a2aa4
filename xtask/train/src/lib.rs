//! Trains the small networks of `test-models`, so that interval bounds and linear bounds can prove them robust.

pub mod arch;
pub mod data;
pub mod export;
pub mod net;
pub mod ops;
pub mod recipes;
pub mod rng;
pub mod train;

#[cfg(test)]
mod tests;
