//! `unmoved verify`

use super::answer::{KeepArgs, SearchArgs, exit, fields, labels, remarks, save_certificate, save_input, with_suffix};
use super::boxes::{decide_all, firm, telling};
use super::guard::Guard;
use super::networks::{NetworkFile, of_property};
use super::question::ReadingArgs;
use super::{CliError, Exit, Output, print, witness};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use unmoved::VnnlibFile;
use unmoved::property::vnnlib::Declarations;
use unmoved::property::{Query, Reason, Verdict};
use unmoved::search::Outcome;

/// `verify`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  unmoved verify property.vnnlib --network model.onnx --timeout 60")]
pub(crate) struct Args {
    /// The property: VNN-LIB 1.0 or 2.0, .vnnlib or .vnnlib.gz
    property: PathBuf,
    /// The model: .onnx, .onnx.gz, .safetensors, .nnet or .unm; NAME is the network's in VNN-LIB 2.0, and may be left out where
    /// there is one
    #[arg(long = "network", value_name = "[NAME=]FILE", required = true)]
    networks: Vec<NetworkFile>,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    search: SearchArgs,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let start = Instant::now();
    let options = args.search.options();
    let guard = Guard::new(&options, start, move |reason| {
        print(&given_up(reason, start, output));
        Exit::Unknown
    });
    let property = VnnlibFile::open(&args.property)?;
    let declared = property.declarations()?;
    let model = of_property(&args.networks, &declared)?;
    let network = Arc::new(args.reading.read(model, output)?);
    let queries = property.queries(&network)?;
    let disjuncts: usize = queries.iter().map(|q| q.unsafe_set().len()).sum();
    output.note(format_args!(
        "{}: input {}, {} outputs; {}: boxes {}, disjuncts {disjuncts}",
        model.display(),
        network.input().shape,
        network.output_len(),
        args.property.display(),
        queries.len(),
    ));
    let mut outcomes = decide_all(&queries, &options, start, output)?;
    guard.take();
    let index = telling(&outcomes);
    firm(&queries[index], &mut outcomes[index], &options, start);
    let report = Report { declared, queries: &queries, outcomes, seconds: start.elapsed().as_secs_f64() };
    report.save(&args.keep)?;
    if let (Verdict::Violated(found), Some(_)) = (&report.telling().1.verdict, &args.keep.counterexample)
        && !found.input.exact.is_empty()
    {
        output.note("note: the region holds no float32 input; the file that was written holds the nearest one");
    }
    let result = report.result()?;
    print(&if output.is_json() { report.json() } else { result });
    if !output.is_json() {
        output.note(report.remark());
        remarks(&network, output);
    }
    Ok(exit(&report.telling().1.verdict))
}

/// The answer of a command that did not come to its end.
fn given_up(reason: Reason, start: Instant, output: Output) -> String {
    let (verdict, seconds) = (Verdict::Unknown(reason.clone()), start.elapsed().as_secs_f64());
    if output.is_json() {
        let said = json!({"verdict": word(&verdict), "certified": false, "reason": reason.word(), "time_s": seconds});
        return said.to_string();
    }
    output.note(format_args!("{reason} ({seconds:.3} s)"));
    word(&verdict).into()
}

struct Report<'a> {
    declared: Declarations,
    queries: &'a [Query],
    /// Of the boxes in their order, up to the one that ended it.
    outcomes: Vec<Outcome>,
    seconds: f64,
}

impl Report<'_> {
    fn telling(&self) -> (usize, &Outcome) {
        let index = telling(&self.outcomes);
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

    /// What VNN-LIB's solver interface asks for: a word, and the assignment that was found.
    fn result(&self) -> Result<String, CliError> {
        let (index, outcome) = self.telling();
        let word = word(&outcome.verdict);
        let Verdict::Violated(found) = &outcome.verdict else { return Ok(word.into()) };
        let text = witness::assignment(&self.declared, found, false);
        if !witness::replays(&self.declared, &self.queries[index], &text, found) {
            return Err(CliError::new(
                "U0301",
                "the counterexample as it would be written is none; a defect worth reporting",
            ));
        }
        Ok(format!("{word}\n{text}"))
    }

    /// What stands behind it.
    fn remark(&self) -> String {
        let (index, outcome) = self.telling();
        let (by, time) = (self.decided_by(), format!("{:.3} s", self.seconds));
        let boxes = self.queries.len();
        let place = if boxes > 1 { format!(" in box {} of {boxes}", index + 1) } else { String::new() };
        match &outcome.verdict {
            Verdict::Robust if boxes > 1 => {
                format!("no input of the {boxes} boxes is unsafe, certified ({by}, {time})")
            }
            Verdict::Robust => format!("no input is unsafe, certified ({by}, {time})"),
            Verdict::Violated(c) => format!("an input{place} is unsafe{} ({by}, {time})", labels(c)),
            Verdict::Unknown(reason) => format!("{reason}{place} ({time})"),
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
