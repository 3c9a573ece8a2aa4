//! Why a certificate is refused.

use crate::Side;
use unmoved_ir::{Digest, IrError, NodeId};

/// Why a certificate does not prove a query.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It is about another network.
    #[error("the certificate is for the network {certificate}, not {network}")]
    WrongNetwork {
        /// The digest of the network at hand.
        network: Digest,
        /// The digest in the certificate.
        certificate: Digest,
    },
    /// It is about another region or unsafe set.
    #[error("the certificate is for the query {certificate}, not {query}")]
    WrongQuery {
        /// The digest of the query at hand.
        query: Digest,
        /// The digest in the certificate.
        certificate: Digest,
    },
    /// The network cannot be prepared for checking.
    #[error(transparent)]
    Network(#[from] IrError),
    /// Bounds of the network overflow before the first step.
    #[error("the bounds of node {} overflow", node.0)]
    Overflow {
        /// The node of the lowered network.
        node: NodeId,
    },
    /// The tree is not complete: more steps are needed.
    #[error("the proof ends after {0} steps with cases left to prove")]
    MissingStep(usize),
    /// The tree is complete before the last step.
    #[error("step {0} comes after the end of the proof")]
    ExtraStep(usize),
    /// One step is wrong.
    #[error("step {step}: {wrong}")]
    Step {
        /// Its position in [`crate::Certificate::steps`], from 0.
        step: usize,
        /// What is wrong with it.
        wrong: WrongStep,
    },
}

impl Refusal {
    /// The step that is refused, if it is one.
    pub(crate) fn step(&self) -> Option<usize> {
        if let Self::Step { step, .. } = self { Some(*step) } else { None }
    }
}

/// What is wrong with one step.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WrongStep {
    /// A leaf whose bound is not positive, so that nothing is proved.
    #[error("the bound is {bound}; it must be positive")]
    NotPositive {
        /// The bound that was found.
        bound: f64,
    },
    /// A bound that overflowed.
    #[error("the bound overflows")]
    Overflow,
    /// A leaf that calls a table empty that is not.
    #[error("no bounds exclude each other here")]
    NotEmpty,
    /// A weight of a constraint that is negative or not a number.
    #[error("the weight of constraint {constraint} is {value}; it must be finite and at least 0")]
    Lambda {
        /// The constraint within its disjunct.
        constraint: usize,
        /// Its weight.
        value: f64,
    },
    /// A wrong number of weights of constraints.
    #[error("{found} weights for a disjunct of {expected} constraints")]
    LambdaCount {
        /// The constraints of the current disjunct.
        expected: usize,
        /// The weights given.
        found: usize,
    },
    /// Constraints are used where several disjuncts are still possible.
    #[error("constraints can only be used within one disjunct; split the disjuncts first")]
    NoDisjunct,
    /// Coefficients too large to compute with.
    #[error("the constraints overflow")]
    Coefficients,
    /// Multipliers for a node that is not a Relu, or not in ascending order.
    #[error("node {} is not a Relu above those before it", node.0)]
    NotRelu {
        /// The node.
        node: NodeId,
    },
    /// Multipliers for an element that does not exist, or not in ascending order.
    #[error("multiplier for element {index} of node {}, which does not exist or comes out of order", node.0)]
    MultiplierIndex {
        /// The Relu.
        node: NodeId,
        /// The element.
        index: u32,
    },
    /// A multiplier that is not finite.
    #[error("the multiplier of element {index} of node {} is {value}; it must be finite", node.0)]
    Multiplier {
        /// The Relu.
        node: NodeId,
        /// The element.
        index: u32,
        /// The multiplier.
        value: f64,
    },
    /// A node that has no bounds to split, prove or recompute: neither the input nor read by a Relu.
    #[error("node {} is not in the bound table", node.0)]
    NotTabled {
        /// The node.
        node: NodeId,
    },
    /// An element that does not exist.
    #[error("node {} has no element {index}", node.0)]
    NoElement {
        /// The node.
        node: NodeId,
        /// The element.
        index: u32,
    },
    /// A cut of an input outside its bounds.
    #[error("input {index} is cut at {at}, outside its bounds {lower} to {upper}")]
    CutOutside {
        /// The input element.
        index: u32,
        /// Where it is cut.
        at: f64,
        /// Its lower bound.
        lower: f64,
        /// Its upper bound.
        upper: f64,
    },
    /// A second split of the disjuncts below the first.
    #[error("the disjuncts have been split already")]
    AlreadySplit,
    /// A new end of the box beyond which unsafe inputs are not excluded.
    #[error("input {index} cannot be clipped to {at} ({side:?}): unsafe inputs beyond are not excluded")]
    ClipNotJustified {
        /// The input element.
        index: u32,
        /// Which end.
        side: Side,
        /// Where it was to go.
        at: f64,
    },
    /// A lifted element that does not exist, or not in ascending order.
    #[error("lifted element {index} of node {}, which does not exist or comes out of order", node.0)]
    LiftedIndex {
        /// The Relu.
        node: NodeId,
        /// The element.
        index: u32,
    },
    /// A multiplier of a lifted element that is not finite.
    #[error("a multiplier of lifted element {index} of node {} is {value}; it must be finite", node.0)]
    LiftedMultiplier {
        /// The Relu.
        node: NodeId,
        /// The element.
        index: u32,
        /// The multiplier.
        value: f32,
    },
    /// A part of the diagonal, or a multiplier of the ball, that is negative or not a number.
    #[error("kappa or theta is {value}; it must be finite and at least 0")]
    Diagonal {
        /// What it is.
        value: f32,
    },
    /// A wrong number of parts of the diagonal for inputs.
    #[error("{found} kappas for {expected} inputs whose bounds differ")]
    DiagonalCount {
        /// The inputs whose lower bound is below the upper.
        expected: usize,
        /// The parts given.
        found: usize,
    },
    /// A multiplier of an l2 ball where the region is none.
    #[error("theta must be 0: the region is no l2 ball")]
    NoBall,
    /// A larger matrix than is allowed.
    #[error("too large: {lifted} lifted elements with {variables} variables")]
    TooLarge {
        /// The lifted elements.
        lifted: usize,
        /// They and the inputs.
        variables: usize,
    },
    /// A quadratic form that is not convex even with its diagonal, or only by less than rounding can tell.
    #[error("the matrix is not positive definite")]
    NotDefinite,
    /// More cases open at a time than are allowed.
    #[error("too deep: more than {0} cases or changes of bounds are open at a time")]
    TooDeep(usize),
}
