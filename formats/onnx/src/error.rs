//! What can be wrong with an ONNX file, or with a network that is to become one.

use std::path::PathBuf;
use unmoved_ir::{IrError, NodeProblem};

/// Why a model could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// A file, or what is compressed in it, beyond a limit that no real model reaches.
    #[error("the model is too large: {what} (the limit is {limit})")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much of it is allowed.
        limit: u64,
    },
    /// Bytes that are not gzip although they start like it.
    #[error("cannot decompress the model: {0}")]
    Gzip(std::io::Error),
    /// Bytes that are not a protobuf message of the ONNX schema.
    #[error("not an ONNX model: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// A model that is not as the ONNX specification demands, or that uses a part of it that is not supported.
    #[error("{0}")]
    Model(String),
    /// An initialiser or constant that cannot be used.
    #[error("tensor \"{tensor}\": {problem}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// A node that cannot be encoded.
    #[error("cannot encode {operator} (node \"{node}\", opset {opset}): {problem}")]
    Node {
        /// The operator, with its domain unless that is the default one.
        operator: String,
        /// The node's name, or the name of its first output where it has none.
        node: String,
        /// The version of the operator set that the model asks for.
        opset: i64,
        /// Why not.
        problem: Problem,
    },
    /// A model of several outputs, of which the caller chose none.
    #[error("the model has {} outputs ({}); one of them must be chosen", names.len(), quoted(names))]
    Outputs {
        /// Their names.
        names: Vec<String>,
    },
    /// A chosen output that the model does not have.
    #[error("nothing in the model gives \"{name}\"; its outputs are {}", quoted(names))]
    NoSuchOutput {
        /// What was asked for.
        name: String,
        /// The outputs that there are.
        names: Vec<String>,
    },
    /// The network itself is at fault.
    #[error(transparent)]
    Network(#[from] IrError),
    /// A node of the network that ONNX cannot express.
    #[error("cannot write node \"{node}\" to ONNX: {reason}")]
    Export {
        /// The node.
        node: String,
        /// Why not.
        reason: String,
    },
}

/// What is wrong with one node or tensor.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// An operator of no piecewise linear function, or used as such.
    #[error("not piecewise linear; the network is refused, not approximated")]
    NotPiecewiseLinear,
    /// An operator that jumps: no bound of its input says anything about its output near the jump.
    #[error("not continuous; the network is refused, not approximated")]
    NotContinuous,
    /// An operator that this version does not read.
    #[error("this operator is not supported")]
    UnsupportedOperator,
    /// An operator set outside the supported range.
    #[error("opset {found} is not supported; the supported ones are {first} to {last}")]
    UnsupportedOpset {
        /// The model's.
        found: i64,
        /// The oldest that is read.
        first: i64,
        /// The newest that is read.
        last: i64,
    },
    /// An attribute that the operator does not have in this opset.
    #[error("unknown attribute \"{0}\"")]
    UnknownAttribute(String),
    /// An attribute whose value, or type, is not supported.
    #[error("attribute \"{name}\": {reason}")]
    Attribute {
        /// The attribute.
        name: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// Too few or too many inputs or outputs, or one that must be a constant and is not.
    #[error("input {index} ({name}): {reason}")]
    Input {
        /// Its position, from 0.
        index: usize,
        /// Its name in the specification of the operator.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Shapes that do not fit, or that are not supported.
    #[error("{0}")]
    Shape(String),
    /// A value that nothing computes.
    #[error("reads \"{0}\", which nothing in the graph gives")]
    MissingTensor(String),
    /// A value that depends on itself.
    #[error("\"{0}\" depends on itself")]
    Cycle(String),
    /// A value given twice.
    #[error("\"{0}\" is given twice")]
    DuplicateTensor(String),
    /// An output that is not supported, but read.
    #[error("its output {index}, \"{tensor}\", is read; it is not supported")]
    SecondOutput {
        /// Its position, from 0.
        index: usize,
        /// Its name.
        tensor: String,
    },
    /// A type that is not float, double, int64, int32 or bool.
    #[error("its type {0} is not supported")]
    ElementType(String),
    /// Data that do not fill the shape.
    #[error("its shape needs {expected} {unit}, found {found}")]
    Length {
        /// By the shape.
        expected: usize,
        /// In the file.
        found: u64,
        /// `bytes` or `elements`.
        unit: &'static str,
    },
    /// External data that are not where they may be.
    #[error("external data: {0}")]
    External(String),
    /// Folding constants would round, so the network would no longer be the file's.
    #[error("the two constants cannot be combined without rounding")]
    Rounds,
    /// What the network representation refuses.
    #[error(transparent)]
    Ir(#[from] NodeProblem),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Problem {
    pub(crate) fn attribute(name: &'static str, reason: impl Into<String>) -> Self {
        Self::Attribute { name, reason: reason.into() }
    }

    pub(crate) fn input(index: usize, name: &'static str, reason: impl Into<String>) -> Self {
        Self::Input { index, name, reason: reason.into() }
    }

    /// The problem of an IR error; its node is named anyway.
    pub(crate) fn of(error: IrError) -> Self {
        match error {
            IrError::Node { problem, .. } => Self::Ir(problem),
            IrError::Tensor(problem) => Self::Ir(problem),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<IrError> for Problem {
    fn from(error: IrError) -> Self {
        Self::of(error)
    }
}

/// The first few names.
fn quoted(names: &[String]) -> String {
    let more = if names.len() > 10 { ", ..." } else { "" };
    names.iter().take(10).map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ") + more
}

impl Error {
    pub(crate) fn model(reason: impl Into<String>) -> Self {
        Self::Model(reason.into())
    }
}
