//! What can be wrong with a VNN-LIB text, and where.

use super::{MAX_BOXES, MAX_CONSTRAINTS, MAX_DEPTH, MAX_SIZE};
use crate::PropertyError;

/// A VNN-LIB text that cannot be read as queries about a network.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VnnlibError {
    /// Something in the text.
    #[error("line {line}, column {column}: {problem}")]
    Text {
        /// Counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
        /// What is wrong there.
        problem: VnnlibProblem,
    },
    /// An input that some disjunct does not bound: bounds of the network exist only over a box.
    #[error("X_{input} has no {side} bound; each of the network's {inputs} inputs needs both")]
    Unbounded {
        /// The input.
        input: usize,
        /// The elements of the network's input.
        inputs: usize,
        /// `lower` or `upper`.
        side: &'static str,
    },
    /// More than can be worked on, as it stands or because disjunctions within conjunctions multiply.
    #[error("it comes to more than {MAX_CONSTRAINTS} constraints, {MAX_BOXES} boxes or {MAX_SIZE} terms and bounds")]
    TooLarge,
    /// Readable, but no query about this network.
    #[error(transparent)]
    Property(#[from] PropertyError),
}

/// What is wrong at a place of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VnnlibProblem {
    /// Something else than the grammar asks for.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What the grammar asks for.
        expected: &'static str,
        /// What stands there, shortened.
        found: String,
    },
    /// A statement or an operator of SMT-LIB that is not read.
    #[error("{word} is not supported; expected {expected}")]
    Unsupported {
        /// What stands there, shortened.
        word: String,
        /// What is read in this place.
        expected: &'static str,
    },
    /// A number that is none, or one beyond all measure.
    #[error("{0} is not a decimal number of at most 1000 digits")]
    NotANumber(String),
    /// A constant that multiplication or division made too long.
    #[error("a constant of this constraint has more than 1000 digits")]
    LongConstant,
    /// A name that stands neither for an input nor for an output.
    #[error("{0} is no variable of VNN-LIB 1.0: inputs are X_0, X_1, ..., outputs Y_0, Y_1, ...")]
    NotAVariable(String),
    /// An input or output that the network does not have.
    #[error("there is no {name}: the network has {inputs} inputs and {outputs} outputs")]
    NoSuchVariable {
        /// The variable.
        name: String,
        /// The elements of the network's input.
        inputs: usize,
        /// The elements of its output.
        outputs: usize,
    },
    /// A variable that no `declare-const` before it introduces.
    #[error("{0} is not declared")]
    Undeclared(String),
    /// A second `declare-const` of the same variable.
    #[error("{0} is declared twice")]
    DeclaredTwice(String),
    /// A product of two variables.
    #[error("a product of two variables is not linear")]
    NotLinear,
    /// Nesting beyond what any property needs.
    #[error("parentheses are nested more than {MAX_DEPTH} deep")]
    TooDeep,
}
