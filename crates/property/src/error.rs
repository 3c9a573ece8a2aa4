//! What can be wrong with a query.

use unmoved_ir::Rational;

/// A query that means nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PropertyError {
    /// A radius below zero.
    #[error("eps is {0}; it must be at least 0")]
    NegativeRadius(Rational),
    /// A box, of which the radius is asked.
    #[error("a box has no radius")]
    NoRadius,
    /// An element of the centre or of a bound that is NaN or infinite.
    #[error("element {index} of the {what} is {value}; it must be finite")]
    NotFinite {
        /// Which list.
        what: &'static str,
        /// Position in it.
        index: usize,
        /// What stands there.
        value: f64,
    },
    /// A centre that the valid range excludes: the region would not contain the input itself.
    #[error("element {index} of the centre is {value}, outside the valid range {lower} to {upper}")]
    CentreOutside {
        /// Position in the centre.
        index: usize,
        /// What stands there.
        value: f64,
        /// The smallest valid value.
        lower: Rational,
        /// The largest valid value.
        upper: Rational,
    },
    /// A lower bound above its upper bound.
    #[error("element {index} of the box is empty: from {lower} to {upper}")]
    EmptyBox {
        /// Position in the box.
        index: usize,
        /// The lower bound.
        lower: Rational,
        /// The upper bound.
        upper: Rational,
    },
    /// A region of another size than the network's input.
    #[error("the network reads {network} values, but the region has {region}")]
    InputLength {
        /// Elements of the network's input.
        network: usize,
        /// Elements of the region.
        region: usize,
    },
    /// A label, or a constraint's output, that the network does not have.
    #[error("output {index} does not exist: the network has {outputs} outputs, 0 to {}", outputs - 1)]
    NoSuchOutput {
        /// The output asked for.
        index: usize,
        /// How many there are.
        outputs: usize,
    },
    /// A constraint on an input that the network does not have.
    #[error("input {index} does not exist: the network has {inputs} inputs")]
    NoSuchInput {
        /// The input asked for.
        index: usize,
        /// How many there are.
        inputs: usize,
    },
    /// A network with one output has no other class to be mistaken for.
    #[error("a network with one output has no classes to compare")]
    OneOutput,
    /// A final Softmax was dropped from the network, and this constraint needs its values.
    #[error(
        "constraint {constraint} of disjunct {disjunct} needs more than the order of two outputs, but the network's final Softmax was dropped"
    )]
    NeedsSoftmax {
        /// The disjunct.
        disjunct: usize,
        /// The constraint in it.
        constraint: usize,
    },
}

/// A query file that cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QueryTextError {
    /// Something else than the grammar asks for.
    #[error("line {line}: expected {expected}, found {found}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What the grammar asks for.
        expected: String,
        /// What stands there, shortened.
        found: String,
    },
    /// Readable, but meaningless.
    #[error(transparent)]
    Property(#[from] PropertyError),
}
