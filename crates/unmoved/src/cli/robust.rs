//! `unmoved robust`

use super::question::{InputArgs, ModelArgs, Question, RegionArgs, argmax};
use super::{CliError, Exit, Output, print};
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use unmoved::evaluate::write_image;
use unmoved::property::{Counterexample, Reason, Verdict};
use unmoved::search::{AttackOptions, Options, Outcome, decide};

/// `robust`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  unmoved robust model.onnx --image seven.png --eps 8/255 --certificate seven.proof")]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    region: RegionArgs,
    /// Write the proof of a robust verdict here, and the query that it is about to FILE.query
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Write the input of a violated verdict here, as a float32 .npy array
    #[arg(long, value_name = "FILE")]
    counterexample: Option<PathBuf>,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS")]
    time_limit: Option<f64>,
    /// Seed of the attack's random starts
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Also ask a MILP solver and report its word, which is no proof
    #[arg(long)]
    trust_solver: bool,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let start = Instant::now();
    let time_limit = args.time_limit.map(Duration::try_from_secs_f64).transpose();
    let time_limit = time_limit.map_err(|e| CliError::new("U0001", format!("--time-limit: {e}")))?;
    let question = Question::new(&args.model, &args.input, &args.region, output)?;
    let options = Options {
        time_limit,
        attack: AttackOptions { seed: args.seed, ..AttackOptions::default() },
        trust_solver: args.trust_solver,
    };
    let outcome = decide(&question.query, &options)?;
    let report = Report { question: &question, outcome: &outcome, seconds: start.elapsed().as_secs_f64() };
    report.save(args)?;
    print(&if output.is_json() { report.json() } else { report.text() });
    if !output.is_json() {
        report.remarks(output);
    }
    Ok(match outcome.verdict {
        Verdict::Robust => Exit::Holds,
        Verdict::Violated(_) => Exit::Violated,
        Verdict::Unknown(_) => Exit::Unknown,
    })
}

struct Report<'a> {
    question: &'a Question,
    outcome: &'a Outcome,
    seconds: f64,
}

impl Report<'_> {
    fn save(&self, args: &Args) -> Result<(), CliError> {
        if let (Some(path), Some(certificate)) = (&args.certificate, &self.outcome.certificate) {
            std::fs::write(path, certificate.to_bytes()).map_err(|e| CliError::write(path, e))?;
            let mut query = path.clone().into_os_string();
            query.push(".query");
            let query = PathBuf::from(query);
            std::fs::write(&query, self.question.query.to_text()).map_err(|e| CliError::write(&query, e))?;
        }
        let input = match &self.outcome.verdict {
            Verdict::Violated(c) => &c.input,
            Verdict::Unknown(Reason::F32Only(input)) => input,
            _ => return Ok(()),
        };
        if let Some(path) = &args.counterexample {
            write_image(path, input, &self.question.shape).map_err(|e| CliError::write(path, e))?;
        }
        Ok(())
    }

    /// The class that a counterexample is taken for: the disjunct says against which logit the label loses.
    fn target(&self, c: &Counterexample) -> usize {
        let (label, disjunct) = (self.question.label, c.disjunct);
        let loses_to = if disjunct < label { disjunct } else { disjunct + 1 };
        // Where float32 agrees, the class that a user would see is the one with the largest logit.
        let largest = argmax(&c.output);
        if largest == label { loses_to } else { largest }
    }

    fn misclassified(&self) -> bool {
        self.outcome.decided_by == unmoved::search::DecidedBy::Centre
    }

    fn text(&self) -> String {
        let by = self.outcome.decided_by.word();
        let time = format!("{:.3} s", self.seconds);
        match &self.outcome.verdict {
            Verdict::Robust => {
                format!("robust: {} stays {}, certified ({by}, {time})", self.question.label, self.question.label)
            }
            Verdict::Violated(c) => {
                let labels = [(c.boundary, ", boundary"), (c.real_only, ", real-only")];
                let labels: String = labels.iter().filter(|(on, _)| *on).map(|(_, text)| *text).collect();
                let how =
                    if self.misclassified() { "misclassified without perturbation".into() } else { self.distance(c) };
                format!("violated: {} -> {}, {how}{labels} ({by}, {time})", self.question.label, self.target(c))
            }
            Verdict::Unknown(reason) => format!("unknown: {reason} ({time})"),
        }
    }

    fn distance(&self, c: &Counterexample) -> String {
        use unmoved::property::{Norm, RegionKind};
        let RegionKind::Ball { centre, .. } = self.question.query.region().kind() else { return String::new() };
        let differences = c.input.iter().zip(centre).map(|(x, c)| (f64::from(*x) - c).abs());
        let distance = match self.question.norm {
            Norm::Linf => differences.fold(0.0, f64::max),
            Norm::L1 => differences.sum(),
            Norm::L2 => differences.map(|d| d * d).sum::<f64>().sqrt(),
        };
        format!("{} distance {distance:.4}", self.question.norm.name())
    }

    /// What a reader of the verdict should know beside it.
    fn remarks(&self, output: Output) {
        let network = self.question.query.network();
        for rewrite in network.rewrites().iter().filter(|r| r.rounds) {
            output.note(format_args!(
                "note: {} \"{}\" was rounded on import; the proof allows for it",
                rewrite.from, rewrite.node
            ));
        }
    }

    fn json(&self) -> String {
        let question = self.question;
        let (target, counterexample) = match &self.outcome.verdict {
            Verdict::Violated(c) => (Some(self.target(c)), Some(c)),
            _ => (None, None),
        };
        let reason = match &self.outcome.verdict {
            Verdict::Robust => None,
            Verdict::Violated(_) if self.misclassified() => Some("misclassified"),
            Verdict::Violated(_) => Some("counterexample"),
            Verdict::Unknown(reason) => Some(reason.word()),
        };
        // Infinite bounds mean that nothing is known, which JSON can only say as null.
        let margins: Vec<Option<f64>> = self.outcome.margins.iter().map(|m| m.is_finite().then_some(*m)).collect();
        json!({
            "verdict": self.outcome.verdict.word(),
            "certified": self.outcome.verdict == Verdict::Robust,
            "label": question.label,
            "predicted": question.predicted,
            "target": target,
            "eps": question.eps.to_f64(),
            "norm": question.norm.name(),
            "time_s": self.seconds,
            "decided_by": self.outcome.decided_by.word(),
            "reason": reason,
            "boundary": counterexample.map(|c| c.boundary),
            "real_only": counterexample.map(|c| c.real_only),
            "margins": margins,
            "network": question.query.network().digest().to_string(),
            "query": question.query.digest().to_string(),
        })
        .to_string()
    }
}
