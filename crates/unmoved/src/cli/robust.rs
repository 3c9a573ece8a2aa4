//! `unmoved robust`

mod many;

use super::answer::{KeepArgs, SearchArgs, exit, fields, labels, remarks};
use super::question::{InputArgs, ModelArgs, Question, RegionArgs, argmax};
use super::{CliError, Exit, Output, print};
use serde_json::{Value, json};
use std::time::Instant;
use unmoved::property::{Counterexample, Verdict};
use unmoved::search::{Options, Outcome, decide_watched};

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
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    search: SearchArgs,
    /// Also ask a MILP solver and report its word, which is no proof
    #[arg(long)]
    trust_solver: bool,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let options = Options { trust_solver: args.trust_solver, ..args.search.options()? };
    if args.input.is_many() {
        return many::run(args, &options, output);
    }
    let start = Instant::now();
    let question = Question::new(&args.model, &args.input, &args.region, output)?;
    let outcome = decide_watched(&question.query, &options, &output.watch(start))?;
    let report = Report { index: None, question: &question, outcome: &outcome, seconds: start.elapsed().as_secs_f64() };
    args.keep.save(&question.query, &outcome)?;
    print(&if output.is_json() { report.json() } else { report.text() });
    if !output.is_json() {
        remarks(question.query.network(), output);
    }
    Ok(exit(&outcome.verdict))
}

struct Report<'a> {
    /// Which image of a range.
    index: Option<usize>,
    question: &'a Question,
    outcome: &'a Outcome,
    seconds: f64,
}

impl Report<'_> {
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
                let how =
                    if self.misclassified() { "misclassified without perturbation".into() } else { self.distance(c) };
                format!("violated: {} -> {}, {how}{} ({by}, {time})", self.question.label, self.target(c), labels(c))
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

    fn json(&self) -> String {
        let question = self.question;
        let target = match &self.outcome.verdict {
            Verdict::Violated(c) => Some(self.target(c)),
            _ => None,
        };
        let mut object = json!({
            "verdict": self.outcome.verdict.word(),
            "certified": self.outcome.verdict == Verdict::Robust,
            "label": question.label,
            "predicted": question.predicted,
            "target": target,
            "eps": question.eps.to_f64(),
            "norm": question.norm.name(),
            "time_s": self.seconds,
        });
        if let Value::Object(object) = &mut object {
            object.extend(fields(&question.query, self.outcome));
        }
        if target.is_some() && self.misclassified() {
            object["reason"] = "misclassified".into();
        }
        if let Some(index) = self.index {
            object["index"] = index.into();
        }
        object.to_string()
    }
}
