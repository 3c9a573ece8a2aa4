//! What the commands share that decide queries: how to search, what to keep, what to say.

use super::{CliError, Exit, Output};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use unmoved::check::Certificate;
use unmoved::evaluate::{Question, write_image};
use unmoved::ir::Network;
use unmoved::property::{Counterexample, Query, Reason, Verdict};
use unmoved::search::{AttackOptions, Engine, Options, Outcome, Relaxation};

/// Where proofs and counterexamples go.
#[derive(clap::Args)]
pub(crate) struct KeepArgs {
    /// Write the proof that the property holds here, and the query that it is about to FILE.query
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// Write the input that violates the property here, as a float32 .npy array
    #[arg(long, value_name = "FILE")]
    pub(crate) counterexample: Option<PathBuf>,
}

/// Where the picture of a counterexample goes.
#[derive(clap::Args)]
pub(crate) struct PictureArgs {
    /// Draw the input that changes the answer here, as a PNG: the original, the other one, and their difference
    #[arg(long, value_name = "FILE")]
    pub(crate) picture: Option<PathBuf>,
}

impl KeepArgs {
    /// Writes what stands behind a verdict.
    pub(crate) fn save(&self, query: &Query, outcome: &Outcome) -> Result<(), CliError> {
        if let Some(path) = &self.certificate {
            save_certificate(path, query, outcome)?;
        }
        save_input(self.counterexample.as_deref(), query, &outcome.verdict)
    }
}

impl PictureArgs {
    /// An input that is no image is an error, before anything is decided about it.
    pub(crate) fn expect_image(&self, question: &Question) -> Result<(), CliError> {
        if self.picture.is_none() || question.is_image() {
            return Ok(());
        }
        Err(CliError::new("U0403", format_args!("--picture: an input of the shape {:?} is no image", question.shape)))
    }

    /// Draws a counterexample.
    pub(crate) fn save(&self, question: &Question, c: &Counterexample) -> Result<(), CliError> {
        let Some(path) = &self.picture else { return Ok(()) };
        let picture = question.picture(&c.input.nearest, Some(question.taken_for(c)));
        let Some(png) = picture.transpose().map_err(|e| CliError::new("U0403", e))? else { return Ok(()) };
        std::fs::write(path, png).map_err(|e| CliError::write(path, e))
    }

    /// Draws the counterexample of a verdict that has one.
    pub(crate) fn save_of(&self, question: &Question, verdict: &Verdict) -> Result<(), CliError> {
        match verdict {
            Verdict::Violated(c) => self.save(question, c),
            _ => Ok(()),
        }
    }
}

/// Writes the input that a verdict speaks of, if it is asked for.
pub(crate) fn save_input(path: Option<&Path>, query: &Query, verdict: &Verdict) -> Result<(), CliError> {
    let input = match verdict {
        Verdict::Violated(c) => &c.input.nearest,
        Verdict::Unknown(Reason::F32Only(input)) => input,
        _ => return Ok(()),
    };
    let Some(path) = path else { return Ok(()) };
    write_image(path, input, query.network().input().shape.dims()).map_err(|e| CliError::write(path, e))
}

/// Writes the certificate of a verdict that has one, and its query beside it.
pub(crate) fn save_certificate(path: &Path, query: &Query, outcome: &Outcome) -> Result<(), CliError> {
    outcome.certificate.as_ref().map_or(Ok(()), |certificate| write_certificate(path, query, certificate))
}

/// Writes a certificate, and its query beside it.
pub(crate) fn write_certificate(path: &Path, query: &Query, certificate: &Certificate) -> Result<(), CliError> {
    std::fs::write(path, certificate.to_bytes()).map_err(|e| CliError::write(path, e))?;
    let about = with_suffix(path, ".query");
    std::fs::write(&about, query.to_text()).map_err(|e| CliError::write(&about, e))
}

/// A name with something after it.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// How long and how to search.
#[derive(clap::Args)]
pub(crate) struct SearchArgs {
    /// Give up after so many seconds; 0 for never
    #[arg(long, visible_alias = "timeout", value_name = "SECONDS", default_value = "120")]
    time_limit: Seconds,
    #[command(flatten)]
    effort: EffortArgs,
}

/// How to search.
#[derive(clap::Args)]
pub(crate) struct EffortArgs {
    /// Give up before the process takes up more memory: 8G, 500MiB; a K is 1024 bytes [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    mem_limit: Option<u64>,
    /// Threads [default: as many as the processor runs]
    #[arg(long, value_name = "N")]
    threads: Option<std::num::NonZeroUsize>,
    /// What decides where bounds and a short attack do not
    #[arg(long, default_value = "auto")]
    engine: EngineName,
    /// How the search bounds what it has to prove
    #[arg(long, default_value = "auto")]
    bounds: BoundsName,
    /// Seed of the attack's random starts
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// A time limit; 0 for none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seconds(pub(crate) Option<Duration>);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds: f64 = text.parse().map_err(|_| format!("\"{text}\" is not a number of seconds"))?;
        if seconds.is_nan() || seconds < 0.0 {
            return Err("a time limit is at least 0, which is none".into());
        }
        // Beyond the clock is never, and a limit too short for it is one nevertheless.
        let limit = Duration::try_from_secs_f64(seconds).ok();
        Ok(Self(limit.filter(|_| seconds > 0.0).map(|limit| limit.max(Duration::from_nanos(1)))))
    }
}

fn size(text: &str) -> Result<u64, String> {
    match parse_size::Config::new().with_binary().parse_size(text) {
        Ok(0) => Err("it must be positive".into()),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(error.to_string()),
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum EngineName {
    /// Branch and bound with optimised multipliers, and refinement
    Search,
    /// A mixed integer program, and branch and bound with linear programs; beyond 40 binaries it needs a build with HiGHS
    Milp,
    /// Branch and bound on the box of inputs, where these are at most 20
    Boxes,
    /// Boxes where inputs are few; the search; where it comes to its end and few ReLUs are undecided, the programs
    Auto,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum BoundsName {
    /// By the linear relaxation alone
    Linear,
    /// By the semidefinite relaxation too, whatever it gains
    Semidefinite,
    /// By the semidefinite relaxation too, where it has room and gains much
    Auto,
}

impl SearchArgs {
    pub(crate) fn options(&self) -> Options {
        self.effort.options(self.time_limit)
    }
}

impl EffortArgs {
    pub(crate) fn options(&self, Seconds(time_limit): Seconds) -> Options {
        let threads = self.threads.map_or_else(|| Options::default().threads, usize::from);
        let attack = AttackOptions { seed: self.seed, ..AttackOptions::default() };
        let engine = match self.engine {
            EngineName::Boxes => Engine::Boxes,
            EngineName::Search => Engine::Search,
            EngineName::Milp => Engine::Milp,
            EngineName::Auto => Engine::Auto,
        };
        let relaxation = match self.bounds {
            BoundsName::Linear => Relaxation::Linear,
            BoundsName::Semidefinite => Relaxation::Semidefinite,
            BoundsName::Auto => Relaxation::Auto,
        };
        Options { time_limit, memory_limit: self.mem_limit, attack, engine, relaxation, threads, ..Options::default() }
    }
}

/// How a command ends that came to this verdict.
pub(crate) fn exit(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict::Robust => Exit::Holds,
        Verdict::Violated(_) => Exit::Violated,
        Verdict::Unknown(_) => Exit::Unknown,
    }
}

/// What to know of a counterexample: `, boundary, real-only`.
pub(crate) fn labels(c: &Counterexample) -> String {
    let labels = [(c.boundary, ", boundary"), (c.real_only, ", real-only")];
    labels.iter().filter(|(on, _)| *on).map(|(_, text)| *text).collect()
}

/// What a reader of a verdict should know beside it.
pub(crate) fn remarks(network: &Network, output: Output) {
    for rewrite in network.rewrites().iter().filter(|r| r.rounds) {
        output.note(format_args!(
            "note: {} \"{}\" was rounded on import; the proof allows for it",
            rewrite.from, rewrite.node
        ));
    }
}

/// The fields of an outcome that every command prints.
pub(crate) fn fields(query: &Query, outcome: &Outcome) -> Map<String, Value> {
    let (counterexample, reason) = match &outcome.verdict {
        Verdict::Robust => (None, None),
        Verdict::Violated(c) => (Some(c), Some("counterexample")),
        Verdict::Unknown(reason) => (None, Some(reason.word())),
    };
    // Infinite bounds mean that nothing is known, which JSON can only say as null.
    let margins: Vec<Option<f64>> = outcome.margins.iter().map(|m| m.is_finite().then_some(*m)).collect();
    let object = json!({
        "decided_by": outcome.decided_by.word(),
        "reason": reason,
        "boundary": counterexample.map(|c| c.boundary),
        "real_only": counterexample.map(|c| c.real_only),
        "margins": margins,
        "network": query.network().digest().to_string(),
        "query": query.digest().to_string(),
        "subproblems": outcome.subproblems,
        "check_s": outcome.check_time.as_secs_f64(),
        "certificate_bytes": outcome.certificate.as_ref().map(|c| c.to_bytes().len()),
    });
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zero_and_what_no_clock_reaches_are_no_limit() {
        let of = |text: &str| text.parse().map(|Seconds(limit)| limit);
        for never in ["0", "0.0", "1e30", "inf"] {
            assert_eq!(of(never), Ok(None));
        }
        assert_eq!(of("1.5"), Ok(Some(Duration::from_millis(1500))));
        assert_eq!(of("1e-300"), Ok(Some(Duration::from_nanos(1))));
        for wrong in ["-1", "nan", "", "5s"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
