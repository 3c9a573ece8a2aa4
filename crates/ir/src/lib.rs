//! Networks as a normalised graph of seven operators.
//!
//! A [`Network`] is a directed acyclic graph of [`Node`]s in topological order. Every model format is imported into
//! it and everything else (bounds, encoding, search, certificate) reads only it. Shapes have no batch dimension and
//! images are `[channels, height, width]`. This crate does no I/O.
//!
//! ```
//! use unmoved_ir::{Builder, DType, Dense, Op, Tensor};
//!
//! let mut b = Builder::new();
//! let x = b.input("x", &[2], DType::F32)?;
//! let dense = Dense::new(Tensor::f32(&[1, 2], vec![1.0, -1.0])?, Tensor::f32(&[1], vec![0.5])?)?;
//! let y = b.push("y", Op::Dense(dense), &[x])?;
//! let network = b.finish(y)?;
//! assert_eq!(network.forward(&[3.0f32, 1.0])?, [2.5]);
//! # Ok::<(), unmoved_ir::IrError>(())
//! ```

mod builder;
mod canonical;
mod error;
mod exact;
mod forward;
mod lower;
mod narrow;
mod network;
mod normalize;
mod number;
mod op;
mod prepend;
mod rational;
pub mod rounding;
mod shape;
mod sliding;
mod tensor;

pub use builder::{Builder, Scale, Shift};
pub use canonical::Digest;
pub use error::{IrError, NodeProblem};
pub use exact::Exact;
pub use lower::{Lowered, Maximum, lower_max_pool};
pub use network::{Network, Node, NodeId, Rewrite};
pub use number::Number;
pub use op::{Conv2d, Dense, Gather, MaxPool, Op, Slack};
pub use rational::{ParseRationalError, Rational};
pub use shape::{MAX_ELEMENTS, MAX_TOTAL, Shape};
pub use sliding::Sliding;
pub use tensor::{DType, Data, Tensor};

#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod tests;
