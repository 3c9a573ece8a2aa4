//! The answer.

use std::fmt;
use unmoved_ir::Rational;

/// What is known about a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// No input of the region is unsafe; said only after a certificate was accepted.
    Robust,
    /// This input of the region is unsafe; said only after exact replay.
    Violated(Counterexample),
    /// Neither, and why.
    Unknown(Reason),
}

/// An input, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The float32 values, or the nearest ones.
    pub nearest: Vec<f32>,
    /// The elements that are no float32 values, ascending, and what they are: a region that fixes an input at 0.3 holds no other.
    pub exact: Vec<(usize, Rational)>,
}

impl From<Vec<f32>> for Point {
    fn from(nearest: Vec<f32>) -> Self {
        Self { nearest, exact: Vec::new() }
    }
}

/// An unsafe input, as it will be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Counterexample {
    /// The input: float32 where the region holds a float32 point.
    pub input: Point,
    /// The network's float32 output on it, or on the float32 values nearest to it.
    pub output: Vec<f32>,
    /// Which disjunct of the unsafe set it satisfies.
    pub disjunct: usize,
    /// It is unsafe over the reals, but no float32 input of the region is, or the float32 evaluation disagrees.
    pub real_only: bool,
    /// Some constraint holds with equality: a tie.
    pub boundary: bool,
}

/// Why a query is not decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// Bounds do not prove it and the attack does not refute it.
    Open,
    /// The time limit was reached.
    TimeLimit,
    /// The memory limit was reached, or nearly.
    MemoryLimit,
    /// This input is unsafe in float32 only; over the reals it is safe.
    F32Only(Vec<f32>),
    /// A proof was found that the checker refuses; a defect worth reporting.
    Refused(String),
    /// A MILP solver says that it holds; its word is not a proof.
    SolverWord(String),
    /// An attack, which proves nothing, has found nothing.
    NotFound {
        /// The points that it started from, over all disjuncts.
        starts: usize,
        /// The steps that it took from each.
        steps: usize,
    },
}

impl Reason {
    /// One word for JSON and tables.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::TimeLimit => "time-limit",
            Self::MemoryLimit => "memory-limit",
            Self::F32Only(_) => "f32-only",
            Self::Refused(_) => "certificate-refused",
            Self::SolverWord(_) => "solver-word",
            Self::NotFound { .. } => "not-found",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => write!(f, "bounds do not prove it and the attack does not refute it"),
            Self::TimeLimit => write!(f, "the time limit was reached"),
            Self::MemoryLimit => write!(f, "the memory limit was reached"),
            Self::F32Only(_) => write!(f, "an input moves the answer in float32 arithmetic, but not over the reals"),
            Self::Refused(why) => write!(f, "the checker refused the proof: {why}"),
            Self::SolverWord(solver) => write!(f, "{solver} says that it holds; that is not a proof"),
            Self::NotFound { starts, steps } => {
                write!(f, "no counterexample found by {starts} starts of {steps} steps")
            }
        }
    }
}

impl Verdict {
    /// `robust`, `violated` or `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Robust => "robust",
            Self::Violated(_) => "violated",
            Self::Unknown(_) => "unknown",
        }
    }
}
