//! What is asked of a decision, and what comes of it.

use crate::attack::AttackOptions;
use std::time::Duration;
use unmoved_check::{Certificate, Refusal};
use unmoved_core::{EncodeError, SolverError};
use unmoved_ir::{IrError, NodeId, Rational};
use unmoved_property::{PropertyError, Verdict};

/// What decides where bounds and a short attack do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// Boxes where inputs are few, unless there would be too many; the search; where it has come to its end and few ReLUs are
    /// undecided, the programs.
    #[default]
    Auto,
    /// Branch and bound on the box of inputs and the phases of ReLUs, where inputs are few and the region is a box.
    Boxes,
    /// Branch and bound with optimised multipliers, and refinement.
    Search,
    /// A mixed integer program for points, and branch and bound with linear programs for proofs.
    Milp,
}

impl Engine {
    /// The word for options and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Boxes => "boxes",
            Self::Search => "search",
            Self::Milp => "milp",
        }
    }
}

/// Which relaxation bounds the subproblems of [`Engine::Search`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Relaxation {
    /// The semidefinite one beside the linear one, where it has room and gains much.
    #[default]
    Auto,
    /// The linear one alone.
    Linear,
    /// The semidefinite one, whatever it gains, wherever it has room.
    Semidefinite,
}

impl Relaxation {
    /// The word for options and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Linear => "linear",
            Self::Semidefinite => "semidefinite",
        }
    }
}

/// How a query is to be decided.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// When to give up; never, if absent.
    pub time_limit: Option<Duration>,
    /// How many bytes the process may take up; the search gives up a little earlier. No limit, if absent, or where the
    /// system does not tell.
    pub memory_limit: Option<u64>,
    /// The attack on what bounds leave open.
    pub attack: AttackOptions,
    /// What comes after it.
    pub engine: Engine,
    /// The bounds of the search.
    pub relaxation: Relaxation,
    /// Report what a MILP solver says of what is left, labelled as such. Needs the feature `highs` beyond tiny networks.
    pub trust_solver: bool,
    /// Threads of the branch and bound.
    pub threads: usize,
    /// Give up after so many subproblems of branch and bound and refinement; with 0 there are none. Of those that semidefinite bounds split each counts
    /// for a hundred.
    pub subproblems: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            time_limit: None,
            memory_limit: None,
            attack: AttackOptions::default(),
            engine: Engine::default(),
            relaxation: Relaxation::default(),
            trust_solver: false,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            subproblems: usize::MAX,
        }
    }
}

/// What found the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// The centre of the region is itself unsafe.
    Centre,
    /// Interval bounds of the hidden layers.
    Interval,
    /// Linear bounds of the hidden layers, one backward pass each.
    Linear,
    /// Linear bounds with optimised slopes.
    Slopes,
    /// Branch and bound.
    Search,
    /// Semidefinite bounds, after branch and bound where it was not enough.
    Semidefinite,
    /// Branch and bound on the box of inputs.
    Boxes,
    /// Projected gradient descent.
    Attack,
    /// The programs: a MILP solver's point, replayed, or branch and bound by multipliers of linear programs.
    Milp,
    /// A MILP solver asked at the very end: its point, replayed, or its word.
    Solver,
    /// Nothing did.
    Nothing,
}

impl DecidedBy {
    /// The word for JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Centre => "centre",
            Self::Interval => "interval",
            Self::Linear => "linear",
            Self::Slopes => "slopes",
            Self::Search => "search",
            Self::Semidefinite => "semidefinite",
            Self::Boxes => "boxes",
            Self::Attack => "attack",
            Self::Milp => "milp",
            Self::Solver => "solver",
            Self::Nothing => "nothing",
        }
    }
}

/// A verdict and what stands behind it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The answer.
    pub verdict: Verdict,
    /// What found it.
    pub decided_by: DecidedBy,
    /// The accepted certificate of a robust verdict.
    pub certificate: Option<Certificate>,
    /// Per disjunct of the unsafe set, the best lower bound found of the largest of its constraints: positive means closed.
    pub margins: Vec<f64>,
    /// Subproblems that the branch and bound has bounded, counted as for [`Options::subproblems`].
    pub subproblems: usize,
    /// How long the certificate took to check, the bounds that every check begins with included.
    pub check_time: Duration,
}

/// What goes on, for those who wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress {
    /// What works on the query now.
    Engine(Engine),
    /// The boxes, now and then.
    Boxes {
        /// Boxes bounded.
        bounded: usize,
        /// Boxes that wait.
        open: usize,
        /// The share of the input region that is done with.
        done: f64,
    },
    /// The linear programs, after each disjunct.
    Programs {
        /// The disjunct.
        disjunct: usize,
        /// Programs solved for it.
        solved: usize,
        /// Whether it is proved that the disjunct never holds.
        proved: bool,
    },
    /// The interval of a distortion, whenever it is narrower.
    Distortion {
        /// Proved, rounded down.
        lower: f64,
        /// Replayed, rounded up.
        upper: Option<f64>,
    },
    /// The branch and bound, now and then and at its end.
    Search {
        /// Subproblems bounded in this search.
        subproblems: usize,
        /// Subproblems that wait to be split.
        open: usize,
        /// The least bound of what is open, in float32: infinite if nothing is.
        margin: f32,
    },
    /// A layer whose bounds were refined.
    Refined {
        /// What its ReLU reads, a node of the lowered network.
        node: NodeId,
        /// Elements that may have either sign, before and after.
        undecided: [usize; 2],
        /// Subproblems bounded for it.
        subproblems: usize,
    },
}

/// Is told of [`Progress`], by any thread.
pub type Watch<'a> = &'a (dyn Fn(&Progress) + Sync);

/// A query that cannot be worked on at all.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// A region without a centre to measure from.
    #[error("a distortion is measured from the centre of a ball; this region is a box")]
    NoBall,
    /// A gap that is no share.
    #[error("the gap is {0}; it must lie between 0 and 1")]
    Gap(Rational),
    /// What the query refuses.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// The network is too large once max-pools are lowered, or reads another number of inputs.
    #[error(transparent)]
    Network(#[from] IrError),
    /// The checker cannot work on it.
    #[error(transparent)]
    Check(#[from] Refusal),
    /// The solver asked for is missing or failed.
    #[error(transparent)]
    Solver(#[from] SolverError),
    /// The query has no encoding for the solver asked for.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl Outcome {
    /// Before anything is known of so many disjuncts.
    pub(crate) fn open(disjuncts: usize) -> Self {
        Self {
            verdict: Verdict::Unknown(unmoved_property::Reason::Open),
            decided_by: DecidedBy::Nothing,
            certificate: None,
            margins: vec![f64::NEG_INFINITY; disjuncts],
            subproblems: 0,
            check_time: Duration::ZERO,
        }
    }

    /// With its proof.
    pub(crate) fn robust(self, certificate: Certificate, decided_by: DecidedBy) -> Self {
        Self { verdict: Verdict::Robust, decided_by, certificate: Some(certificate), ..self }
    }
}
