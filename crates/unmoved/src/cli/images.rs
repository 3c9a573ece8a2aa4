//! Questions about images: one of them, or a range of a test set in one process.

use super::answer::{exit, remarks};
use super::question::{self, InputArgs, ModelArgs, RegionArgs, TargetArgs};
use super::report::Report;
use super::{CliError, Exit, Output, print};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;
use unmoved::evaluate::Question;
use unmoved::search::Outcome;

/// What is asked.
#[derive(clap::Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    region: RegionArgs,
    #[command(flatten)]
    targets: TargetArgs,
}

impl Asked {
    /// Whether more than one input is asked about.
    pub(crate) fn is_many(&self) -> bool {
        self.input.is_many()
    }
}

/// Decides about one input and prints the answer.
pub(crate) fn one(
    asked: &Asked,
    output: Output,
    decide: impl FnOnce(&Question) -> Result<Outcome, CliError>,
) -> Result<Exit, CliError> {
    let start = Instant::now();
    let Asked { model, input, region, targets } = asked;
    let question = question::only(model, input, region, targets, output)?;
    let outcome = decide(&question)?;
    let report = Report { index: None, question: &question, outcome: &outcome, seconds: start.elapsed().as_secs_f64() };
    print(&if output.is_json() { report.json() } else { report.text() });
    if !output.is_json() {
        remarks(question.query.network(), output);
    }
    Ok(exit(&outcome.verdict))
}

/// Decides about all of a range, one line each as it is decided, and a summary. Threads take images one by one.
pub(crate) fn many(
    asked: &Asked,
    threads: usize,
    output: Output,
    decide: impl Fn(&Question) -> Result<Outcome, CliError> + Sync,
) -> Result<Exit, CliError> {
    let start = Instant::now();
    let Asked { model, input, region, targets } = asked;
    let network = Arc::new(model.read(output)?);
    let examples = input.read()?;
    output.note(format_args!("{} images; {}", examples.len(), region.perturbations()));
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let (sender, lines) = mpsc::channel();
    let work = |sender: mpsc::Sender<(String, Exit)>| {
        while let Some((index, example)) = examples.get(next.fetch_add(1, Ordering::Relaxed)) {
            let start = Instant::now();
            let decided = question::about(&network, example, model, input, region.perturbations(), targets)
                .and_then(|question| Ok((decide(&question)?, question)));
            let (outcome, question) = match decided {
                Ok(decided) => decided,
                Err(error) => {
                    failure.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert(error);
                    next.store(examples.len(), Ordering::Relaxed);
                    return;
                }
            };
            let seconds = start.elapsed().as_secs_f64();
            let report = Report { index: *index, question: &question, outcome: &outcome, seconds };
            let line = match (output.is_json(), index) {
                (true, _) => report.json(),
                (false, Some(index)) => format!("{index}: {}", report.text()),
                (false, None) => report.text(),
            };
            if sender.send((line, exit(&outcome.verdict))).is_err() {
                return;
            }
        }
    };
    let mut counts = [0; 3];
    std::thread::scope(|scope| {
        for _ in 0..threads.min(examples.len()) {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        for (line, exit) in lines {
            print(&line);
            counts[match exit {
                Exit::Holds => 0,
                Exit::Violated => 1,
                _ => 2,
            }] += 1;
        }
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(|e| e.into_inner()) {
        return Err(error);
    }
    let [robust, violated, unknown] = counts;
    let seconds = start.elapsed().as_secs_f64();
    output.note(format_args!("{robust} robust, {violated} violated, {unknown} unknown; {seconds:.3} s"));
    Ok(if violated > 0 {
        Exit::Violated
    } else if unknown > 0 {
        Exit::Unknown
    } else {
        Exit::Holds
    })
}
