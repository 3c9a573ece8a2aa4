//! What a proof consists of. `SPEC.md` beside this crate gives the meaning and the bytes of every part.

use unmoved_ir::{Digest, NodeId};
use unmoved_property::Query;

/// A proof that no input of a query's region is unsafe: a tree of case distinctions in preorder.
///
/// Each [`Step`] is followed by its subtrees: none for the leaves [`Step::Linear`], [`Step::Quadratic`] and
/// [`Step::Empty`], two for the splits (first the part below, then the part above), one per disjunct for
/// [`Step::SplitDisjuncts`], one for [`Step::Clip`] and [`Step::Recompute`], two for [`Step::Lemma`] (its proof, then what
/// uses it). Being flat, it can be of any depth.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    /// The digest of the network ([`unmoved_ir::Network::digest`]), max-pools and all.
    pub network: Digest,
    /// The digest of region and unsafe set ([`Query::digest`]).
    pub query: Digest,
    /// The arithmetic for which the verdict holds.
    pub semantics: Semantics,
    /// The tree in preorder.
    pub steps: Vec<Step>,
}

/// The arithmetic that a verdict speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Semantics {
    /// The network over the real numbers, weights taken exactly as stored.
    Reals,
}

/// One node of the tree. Networks are meant after [`unmoved_ir::lower_max_pool`]; a *tabled* node is the input (node 0)
/// or one that some Relu reads, and a position is row-major within its node's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Leaf: the form's lower bound is positive, or, in the proof of a lemma, its share of the lemma's value.
    Linear(LinearForm),
    /// Leaf: the same of a bound that also knows of some Relus that `y (y - z) = 0`.
    Quadratic(Box<QuadraticForm>),
    /// Leaf: some lower bound of the table exceeds its upper bound.
    Empty,
    /// Two cases of an element of a tabled node: `z <= 0`, then `z >= 0`.
    SplitRelu {
        /// A tabled node.
        node: NodeId,
        /// The element of its value.
        index: u32,
    },
    /// Two cases of an input: `x <= at`, then `x >= at`.
    SplitInput {
        /// The element of the input.
        index: u32,
        /// Where it is cut; between its bounds.
        at: f64,
    },
    /// One case per disjunct of the unsafe set.
    SplitDisjuncts,
    /// Moves ends of the input box to where the form shows that nothing unsafe lies beyond.
    Clip {
        /// A form that is at most zero wherever the current disjunct holds.
        form: LinearForm,
        /// The ends, all justified in the box before any of them is moved.
        ends: Vec<End>,
    },
    /// A bound of one element of a tabled node. The subtree that follows is its proof; the bound is the least that the
    /// proof's leaves give.
    Lemma {
        /// A tabled node.
        node: NodeId,
        /// The element of its value.
        index: u32,
        /// Which bound.
        side: Side,
    },
    /// Computes bounds afresh from the box and the table as they stand: intervals for all tabled nodes up to the last
    /// that is named, default linear bounds for the undecided elements of those named.
    Recompute {
        /// Tabled nodes, ascending.
        nodes: Vec<NodeId>,
    },
}

/// A linear combination of the current disjunct's constraints, with what it takes to bound it from below.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LinearForm {
    /// One weight `>= 0` per constraint of the current disjunct; empty stands for all zero.
    pub lambda: Vec<f64>,
    /// Multipliers that differ from the default rule, by ascending Relu.
    pub multipliers: Vec<Multipliers>,
}

/// The multipliers `mu` of one Relu.
#[derive(Debug, Clone, PartialEq)]
pub struct Multipliers {
    /// The Relu node.
    pub relu: NodeId,
    /// Elements whose lower line has slope `s / 255`, by ascending position, decided or not. They matter only where the
    /// adjoint is positive.
    pub slopes: Vec<(u32, u8)>,
    /// Elements whose `mu` is given outright, by ascending position; they override slopes. Values that float32 holds
    /// take four bytes, others eight.
    pub raw: Vec<(u32, f64)>,
}

/// A linear form, and what makes of it a quadratic one in the inputs and the values of *lifted* Relu elements that is
/// convex once the diagonal is added to it. Every number is finite.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QuadraticForm {
    /// The constraints and the multipliers of elements that are not lifted; those of lifted ones apply to what `nu` leaves.
    pub form: LinearForm,
    /// The elements that are kept as variables, by ascending Relu. Undecided ones that are left out cost what they may differ from dead or
    /// active, wherever a lifted element depends on them.
    pub lifted: Vec<Lifted>,
    /// The diagonal at the constant, `kappa_0 >= 0`.
    pub constant: f32,
    /// The diagonal at the inputs, `kappa_i >= 0`: one for each whose bounds in the table differ, ascending.
    pub inputs: Vec<f32>,
    /// The multiplier `theta >= 0` of `|x - x0|^2 <= eps^2`; 0 but for l2 balls.
    pub ball: f32,
}

/// The lifted elements of one Relu.
#[derive(Debug, Clone, PartialEq)]
pub struct Lifted {
    /// The Relu node.
    pub relu: NodeId,
    /// By ascending position.
    pub elements: Vec<LiftedElement>,
}

/// An element `y = max(z, 0)` of a Relu that is kept as a variable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiftedElement {
    /// Its position in the Relu's value.
    pub index: u32,
    /// How much of its adjoint stays a coefficient of `y`; the rest passes the Relu.
    pub nu: f32,
    /// The multiplier of `y (y - z) = 0`, of any sign.
    pub d: f32,
    /// The diagonal at `y`, `kappa >= 0`.
    pub kappa: f32,
}

/// A new end of the input box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct End {
    /// The element of the input.
    pub index: u32,
    /// Which end.
    pub side: Side,
    /// Where it goes.
    pub at: f64,
}

/// A lower or an upper bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From below.
    Lower,
    /// From above.
    Upper,
}

impl Certificate {
    /// A certificate for a query about the reals.
    pub fn new(query: &Query, steps: Vec<Step>) -> Self {
        Self { network: query.network().digest(), query: query.digest(), semantics: Semantics::Reals, steps }
    }
}

impl LinearForm {
    /// Weights of the constraints and the default rule everywhere.
    pub fn with_lambda(lambda: Vec<f64>) -> Self {
        Self { lambda, multipliers: Vec::new() }
    }
}
