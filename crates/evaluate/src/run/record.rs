//! What became of one question.

use serde::{Deserialize, Serialize};

/// A line of `results.jsonl`, and of `--format jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which image of the data set, from 0.
    pub index: usize,
    /// The right class.
    pub label: usize,
    /// The class that the network gives the unperturbed image.
    pub predicted: usize,
    /// What is known.
    pub verdict: Word,
    /// Why it is violated (`misclassified` or `counterexample`) or unknown (`time-limit`, ...).
    pub reason: Option<String>,
    /// Whether the checker accepted a certificate: of the whole ball if robust, of the ball of radius `lower` if measured.
    pub certified: bool,
    /// The class that the counterexample is taken for.
    pub target: Option<usize>,
    /// `linf`, `l1` or `l2`.
    pub norm: String,
    /// The radius asked about; for a distortion the largest that was looked at.
    pub eps: Option<f64>,
    /// No allowed input within this distance changes the class, rounded down; where none is proved, 0.
    pub lower: f64,
    /// An input at this distance does, rounded up; where none is known, none.
    pub upper: Option<f64>,
    /// Seconds that the attempt took.
    pub time_s: f64,
    /// What found the answer.
    pub decided_by: String,
    /// Which attempt at the question this is, from 1.
    pub attempt: u32,
    /// The time limit of the attempt in seconds, if there was one.
    pub limit_s: Option<f64>,
    /// The digest of the question (network, query, kind and semantics).
    pub key: String,
    /// The exact radius of the ball that the certificate is about, as a fraction.
    pub proved: Option<String>,
    /// The certificate in the folder `certificates`.
    pub certificate: Option<Kept>,
    /// The input in the folder `counterexamples`.
    pub counterexample: Option<Kept>,
}

/// The verdict of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// No allowed input changes the class; of a distortion, none within the largest distance that was looked at.
    Robust,
    /// One does.
    Violated,
    /// Not decided; of a distortion, the interval is wider than what was asked for.
    Unknown,
    /// The distortion is known as closely as was asked for.
    Measured,
}

impl Word {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Robust => "robust",
            Self::Violated => "violated",
            Self::Unknown => "unknown",
            Self::Measured => "measured",
        }
    }
}

/// A file of the run folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its name.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}
