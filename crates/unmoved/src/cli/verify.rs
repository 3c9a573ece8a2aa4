//! `unmoved verify`

use super::answer::{KeepArgs, SearchArgs, exit, fields, labels, remarks, save_certificate, save_input, with_suffix};
use super::question::ModelArgs;
use super::{CliError, Exit, Output, print};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use unmoved::property::{Query, Reason, Verdict};
use unmoved::search::{DecidedBy, Options, Outcome, decide_watched};

/// `verify`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  unmoved verify model.onnx property.vnnlib --time-limit 60")]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// The property: VNN-LIB 1.0, .vnnlib or .vnnlib.gz
    property: PathBuf,
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    search: SearchArgs,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let start = Instant::now();
    let options = args.search.options()?;
    let network = Arc::new(args.model.read(output)?);
    let queries = unmoved::read_vnnlib(&args.property, &network)?;
    let disjuncts: usize = queries.iter().map(|q| q.unsafe_set().len()).sum();
    output.note(format_args!(
        "{}: input {}, {} outputs; {}: boxes {}, disjuncts {disjuncts}",
        args.model.model.display(),
        network.input().shape,
        network.output_len(),
        args.property.display(),
        queries.len(),
    ));
    if queries.iter().any(|q| !has_float32_input(q)) {
        output.note(
            "note: no float32 input lies in the box, decimals and all: it can be proved safe, but not shown unsafe",
        );
    }
    let outcomes = outcomes(&queries, &options, start, output)?;
    let report = Report { queries: &queries, outcomes, seconds: start.elapsed().as_secs_f64() };
    report.save(&args.keep)?;
    print(&if output.is_json() { report.json() } else { report.text() });
    if !output.is_json() {
        remarks(&network, output);
    }
    Ok(exit(&report.telling().1.verdict))
}

/// Whether there is an input to be written, were it unsafe. A decimal at which an input is fixed seldom is a float32.
fn has_float32_input(query: &Query) -> bool {
    let limits = query.region().enclosing_box();
    let centre: Vec<f64> = limits.lower.iter().zip(&limits.upper).map(|(l, u)| l + (u - l) / 2.0).collect();
    query.region().to_f32_inside(&centre).is_some()
}

/// Box by box, up to the first that is violated. The time limit counts from `start`.
fn outcomes(queries: &[Query], options: &Options, start: Instant, output: Output) -> Result<Vec<Outcome>, CliError> {
    let mut outcomes = Vec::new();
    for query in queries {
        let time_limit = options.time_limit.map(|limit| limit.saturating_sub(start.elapsed()));
        outcomes.push(match time_limit {
            Some(Duration::ZERO) => out_of_time(query),
            _ => decide_watched(query, &Options { time_limit, ..*options }, &output.watch(start))?,
        });
        if let Some(Outcome { verdict: Verdict::Violated(_), .. }) = outcomes.last() {
            break;
        }
    }
    Ok(outcomes)
}

/// What is known of a box that was never looked at.
fn out_of_time(query: &Query) -> Outcome {
    Outcome {
        verdict: Verdict::Unknown(Reason::TimeLimit),
        decided_by: DecidedBy::Nothing,
        certificate: None,
        margins: vec![f64::NEG_INFINITY; query.unsafe_set().len()],
        subproblems: 0,
        check_time: Duration::ZERO,
    }
}

struct Report<'a> {
    queries: &'a [Query],
    /// Of the boxes in their order, up to the one that ended it.
    outcomes: Vec<Outcome>,
    seconds: f64,
}

impl Report<'_> {
    /// The box that tells the answer: one that is violated, else one that is open, else the last.
    fn telling(&self) -> (usize, &Outcome) {
        let find = |is: fn(&Verdict) -> bool| self.outcomes.iter().position(|o| is(&o.verdict));
        let index = find(|v| matches!(v, Verdict::Violated(_)))
            .or_else(|| find(|v| matches!(v, Verdict::Unknown(_))))
            .unwrap_or(self.outcomes.len() - 1);
        (index, &self.outcomes[index])
    }

    /// Only of a property that holds: of the others there is no proof.
    fn save(&self, keep: &KeepArgs) -> Result<(), CliError> {
        let (index, outcome) = self.telling();
        if let (Some(path), Verdict::Robust) = (&keep.certificate, &outcome.verdict) {
            for (index, (query, outcome)) in self.queries.iter().zip(&self.outcomes).enumerate() {
                let path = if self.queries.len() == 1 { path.clone() } else { with_suffix(path, &format!(".{index}")) };
                save_certificate(&path, query, outcome)?;
            }
        }
        save_input(keep.counterexample.as_deref(), &self.queries[index], &outcome.verdict)
    }

    /// What found the answer, in every box that it rests on.
    fn decided_by(&self) -> String {
        let (_, telling) = self.telling();
        if telling.verdict != Verdict::Robust {
            return telling.decided_by.word().into();
        }
        let mut words: Vec<&str> = Vec::new();
        for word in self.outcomes.iter().map(|o| o.decided_by.word()) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.join("+")
    }

    fn text(&self) -> String {
        let (index, outcome) = self.telling();
        let (word, by, time) = (word(&outcome.verdict), self.decided_by(), format!("{:.3} s", self.seconds));
        let boxes = self.queries.len();
        let place = if boxes > 1 { format!(" in box {} of {boxes}", index + 1) } else { String::new() };
        match &outcome.verdict {
            Verdict::Robust if boxes > 1 => {
                format!("{word}: no input of the {boxes} boxes is unsafe, certified ({by}, {time})")
            }
            Verdict::Robust => format!("{word}: no input is unsafe, certified ({by}, {time})"),
            Verdict::Violated(c) => format!("{word}: an input{place} is unsafe{} ({by}, {time})", labels(c)),
            Verdict::Unknown(reason) => format!("{word}: {reason}{place} ({time})"),
        }
    }

    fn json(&self) -> String {
        let (index, outcome) = self.telling();
        let disjunct = match &outcome.verdict {
            Verdict::Violated(c) => Some(c.disjunct),
            _ => None,
        };
        let holds = outcome.verdict == Verdict::Robust;
        let mut object = json!({
            "verdict": word(&outcome.verdict),
            "certified": holds,
            "boxes": self.queries.len(),
            "box": index,
            "disjunct": disjunct,
            "time_s": self.seconds,
        });
        if let Value::Object(object) = &mut object {
            object.extend(fields(&self.queries[index], outcome));
        }
        object["decided_by"] = self.decided_by().into();
        object["subproblems"] = self.outcomes.iter().map(|o| o.subproblems).sum::<usize>().into();
        object["check_s"] = self.outcomes.iter().map(|o| o.check_time.as_secs_f64()).sum::<f64>().into();
        if holds {
            let certificates = self.outcomes.iter().filter_map(|o| o.certificate.as_ref());
            object["certificate_bytes"] = certificates.map(|c| c.to_bytes().len()).sum::<usize>().into();
        }
        object.to_string()
    }
}

/// The word of VNN-LIB's solver interface: is there a counterexample?
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Robust => "unsat",
        Verdict::Violated(_) => "sat",
        Verdict::Unknown(Reason::TimeLimit) => "timed-out",
        Verdict::Unknown(_) => "unknown",
    }
}
