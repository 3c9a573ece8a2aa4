//! Reads and writes properties in VNN-LIB, the language of the verification competitions.
//!
//! Version 1.0 is a subset of SMT-LIB in which variables have fixed names; 2.0 declares networks and their tensors.
//!
//! ```text
//! (declare-const X_0 Real)                      ; 1.0: inputs, row-major
//! (declare-const Y_0 Real) (declare-const Y_1 Real)
//! (assert (>= X_0 -0.5)) (assert (<= X_0 0.5))
//! (assert (or (and (<= Y_0 Y_1)) (and (>= Y_0 3.5) (< (+ Y_1 (* -2 X_0)) 1))))
//!
//! (vnnlib-version <2.0>)                        ; 2.0: the same
//! (declare-network f (declare-input X real [1]) (declare-output Y real [1,2]))
//! (assert (>= X[0] -0.5)) (assert (<= X[0] 0.5))
//! (assert (or (<= Y[0,0] Y[0,1]) (and (>= Y[0,0] 3.5) (< (+ Y[0,1] (* -2.0 X[0])) 1.0))))
//! ```
//!
//! What a file asserts is what a counterexample satisfies. All its numbers are exact: the region of a [`Query`] is the box
//! of the file, decimals and all, and what bounds an input strictly becomes its end and a strict constraint.
//! Where disjuncts bound the inputs differently, each box is a query of its own; the property holds if all of them do.
//!
//! The versions differ in how a text is cut into tokens and in what variables and numbers look like; formulas, their
//! disjunctive form and the queries are read in one way.

mod declare;
mod error;
mod formula;
mod linear;
mod parse;
mod place;
mod queries;
mod scan;
mod v1;
mod v2;
mod write;

pub use declare::{Declarations, NetworkDeclaration, TensorDeclaration, Version, declarations};
pub use error::{NotBuilt, VnnlibError, VnnlibProblem};
pub use place::Place;
pub use write::{WriteError, write};

use crate::Query;
use std::sync::Arc;
use unmoved_ir::Network;

/// The longest text worth reading, in bytes; for those who read files, this module does not.
pub const MAX_BYTES: u64 = 1 << 27;
/// How deep formulas may be nested; competition files need four levels.
const MAX_DEPTH: usize = 200;
/// The most constraints, and the most bounds of all boxes, that a property may come to.
const MAX_SIZE: usize = 1 << 21;
/// The most constraints that a text may spell out, beside bounds of inputs: each takes twenty times its bytes in memory.
const MAX_CONSTRAINTS: usize = 1 << 17;
/// The most boxes: each is a query of its own.
const MAX_BOXES: usize = 1 << 16;

/// Reads a property of a network as queries, one per box of inputs, in the order of the text; at least one. The text says
/// which version it is in.
///
/// A query of 2.0 is about one network, whose input and output are declared over `real`; their shapes are the network's, but
/// for extents of one, or flat lists of as many elements.
///
/// # Errors
/// Text that is neither VNN-LIB 1.0 nor 2.0 or not linear, variables that the network does not have, inputs without bounds,
/// no box that has a point, parts of 2.0 that are not built yet ([`NotBuilt`]), and properties that are too large.
pub fn read(text: &str, network: &Arc<Network>) -> Result<Vec<Query>, VnnlibError> {
    if declare::is_two(text) {
        let (asserted, input) = v2::parse(text, network)?;
        return queries::queries(&asserted, network, |element| v2::element_name(&input, element));
    }
    let asserted = v1::parse(text, network.input().shape.len(), network.output_len())?;
    queries::queries(&asserted, network, |element| format!("X_{element}"))
}

#[cfg(test)]
mod tests;
