//! What can be wrong with a network.

use crate::Shape;

/// An error in a network, with the node that it concerns.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum IrError {
    /// A node is wrong in itself or does not fit its inputs.
    #[error("node \"{node}\": {problem}")]
    Node {
        /// The name of the node.
        node: String,
        /// What is wrong with it.
        problem: NodeProblem,
    },
    /// Something is wrong with a tensor that belongs to no node yet.
    #[error(transparent)]
    Tensor(#[from] NodeProblem),
    /// A network was given values of the wrong number.
    #[error("the network reads {expected} values, but was given {found}")]
    InputLength {
        /// The number of input elements of the network.
        expected: usize,
        /// The number of values given.
        found: usize,
    },
}

impl IrError {
    pub(crate) fn at(node: &str) -> impl FnOnce(NodeProblem) -> Self {
        let node = node.to_owned();
        move |problem| Self::Node { node, problem }
    }
}

/// What is wrong with one node.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NodeProblem {
    /// A dimension of extent zero.
    #[error("shape {0:?} has an empty dimension")]
    EmptyDimension(Vec<usize>),
    /// More elements than [`crate::MAX_ELEMENTS`], or than fit a machine word.
    #[error("shape {0:?} is too large (the limit is {limit} elements)", limit = crate::MAX_ELEMENTS)]
    TooLarge(Vec<usize>),
    /// More elements in all values of a network than [`crate::MAX_TOTAL`].
    #[error("the values up to here have more than {limit} elements", limit = crate::MAX_TOTAL)]
    TotalTooLarge,
    /// A tensor whose data do not fill its shape.
    #[error("shape {shape} needs {} elements, found {found}", shape.len())]
    ElementCount {
        /// The declared shape.
        shape: Shape,
        /// The number of elements given.
        found: usize,
    },
    /// A weight that is NaN or infinite.
    #[error("element {index} is {value}; weights must be finite")]
    NotFinite {
        /// Position in row-major order.
        index: usize,
        /// What stands there.
        value: f64,
    },
    /// A node without a name, which no message could name.
    #[error("the name is empty")]
    EmptyName,
    /// Two nodes of one name.
    #[error("the name is used twice")]
    DuplicateName,
    /// A reference to a node that does not come before.
    #[error("reads node {0}, which does not come before it")]
    UnknownInput(usize),
    /// A wrong number of inputs.
    #[error("takes {expected} input(s), found {found}")]
    InputCount {
        /// The number that the operator takes.
        expected: usize,
        /// The number given.
        found: usize,
    },
    /// Shapes that do not fit.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// What does not fit.
        what: &'static str,
        /// What was expected there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// An attribute out of its range.
    #[error("{0}")]
    Attribute(String),
    /// A second input node, or none.
    #[error("a network has exactly one input node, the first")]
    InputNode,
}

impl NodeProblem {
    pub(crate) fn mismatch(what: &'static str, expected: impl ToString, found: impl ToString) -> Self {
        Self::Mismatch { what, expected: expected.to_string(), found: found.to_string() }
    }
}
