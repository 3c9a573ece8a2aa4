//! What can be wrong with a VNN-LIB text, and where.

use super::declare::{MAX_RANK, MAX_TENSORS};
use super::{MAX_BOXES, MAX_CONSTRAINTS, MAX_DEPTH, MAX_SIZE, Place};
use crate::PropertyError;

/// A VNN-LIB text that cannot be read as queries about a network.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VnnlibError {
    /// Something in the text.
    #[error("line {}, column {}: {problem}", place.line, place.column)]
    Text {
        /// Where; shown with the line and carets by [`Place::excerpt`].
        place: Box<Place>,
        /// What is wrong there.
        problem: VnnlibProblem,
    },
    /// An input that some disjunct does not bound: bounds of the network exist only over a box.
    #[error("{input} has no {side} bound; each of the network's {inputs} inputs needs both")]
    Unbounded {
        /// The input, as the text calls it.
        input: String,
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
    /// A part of VNN-LIB 2.0 that is understood, but about which nothing can be decided yet.
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    /// A version of VNN-LIB that is not read.
    #[error("VNN-LIB {0} is not read; this program reads (vnnlib-version <2.0>), and 1.0 without that line")]
    Version(String),
    /// Statements of 2.0 before its first line.
    #[error("{0} belongs to VNN-LIB 2.0, which begins with (vnnlib-version <2.0>)")]
    NoVersion(String),
    /// A number that is none, or one beyond all measure.
    #[error("{0} is not a decimal number of at most 1000 digits")]
    NotANumber(String),
    /// An integer among reals, which 2.0 never converts; or the reverse.
    #[error("{number} is {found}, but its comparison is over {expected}; numbers of type real are written like 1.0")]
    MixedTypes {
        /// The number or variable.
        number: String,
        /// `an integer` or `a real number`.
        found: &'static str,
        /// `real numbers` or `integers`.
        expected: &'static str,
    },
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
    /// A variable that no declaration before it introduces.
    #[error("{0} is not declared")]
    Undeclared(String),
    /// A second declaration of the same variable.
    #[error("{0} is declared twice")]
    DeclaredTwice(String),
    /// A name that begins like none, or a keyword.
    #[error("{0} is no name: names are letters, digits and _, begin with a letter, and are not `and` or `or`")]
    NotAName(String),
    /// More than any network has.
    #[error("a text declares at most {MAX_TENSORS} tensors, each of at most {MAX_RANK} extents")]
    TooManyDeclared,
    /// An extent of a shape that is no positive integer.
    #[error("{0} is no extent: a shape is a list of positive integers such as [1,5]")]
    Extent(String),
    /// A declared tensor that is not the network's.
    #[error("{name} is declared with shape {declared}, but the network's {kind} is {network}")]
    Shape {
        /// The tensor.
        name: String,
        /// `input` or `output`.
        kind: &'static str,
        /// In the text.
        declared: String,
        /// Of the network.
        network: String,
    },
    /// An element of a tensor with more or fewer indices than its shape has extents.
    #[error("{name} needs {expected} indices, one for each extent of its shape {shape}; found {found}")]
    Indices {
        /// The tensor.
        name: String,
        /// How many extents it has.
        expected: usize,
        /// How many indices stand there.
        found: usize,
        /// The shape.
        shape: String,
    },
    /// An index that is no integer, is negative, or is beyond the shape.
    #[error("index {index} is outside of {name}'s shape {shape}; indices count from 0")]
    Index {
        /// What stands there.
        index: String,
        /// The tensor.
        name: String,
        /// The shape.
        shape: String,
    },
    /// A product of two variables.
    #[error("a product of two variables is not linear")]
    NotLinear,
    /// Nesting beyond what any property needs.
    #[error("parentheses are nested more than {MAX_DEPTH} deep")]
    TooDeep,
}

/// A part of VNN-LIB 2.0 about which nothing can be decided yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotBuilt {
    /// The values between layers.
    #[error("hidden tensors are not built yet: constraints may speak of inputs and outputs only")]
    Hidden,
    /// More than one `declare-network`.
    #[error("queries about several networks are not built yet")]
    Networks,
    /// `isomorphic-to` or `equal-to`.
    #[error("{0} relates several networks, which are not built yet")]
    Equivalence(&'static str),
    /// More than one `declare-input` or `declare-output` of a network.
    #[error("networks with several {0}s are not built yet")]
    Tensors(&'static str),
    /// An input that a newer version gives a default value.
    #[error("inputs with default values (`initialized`) are not built yet")]
    Initialized,
    /// A type in whose arithmetic the network would have to be understood.
    #[error(
        "the arithmetic of {0} is not built yet, and an answer over the real numbers would be none over {0}; \
         a query declared over real asks about the real numbers"
    )]
    Floats(String),
    /// Integers, complex numbers, truth values, strings.
    #[error("elements of type {0} are not built yet; a query over real is about the real numbers")]
    Type(String),
}
