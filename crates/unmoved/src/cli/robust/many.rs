//! A range of images in one process.

use super::{Args, Report};
use crate::cli::answer::exit;
use crate::cli::question::Question;
use crate::cli::{CliError, Exit, Output, print};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;
use unmoved::search::{Options, decide};

/// Decides all of them, one line each as it is decided, and a summary. Threads take images one by one; the last ones share theirs.
pub(super) fn run(args: &Args, options: &Options, output: Output) -> Result<Exit, CliError> {
    if args.keep.certificate.is_some() || args.keep.counterexample.is_some() {
        return Err(CliError::new("U0001", "--certificate and --counterexample take one image at a time"));
    }
    let start = Instant::now();
    let network = Arc::new(args.model.read(output)?);
    let examples = args.input.read()?;
    output.note(format_args!("{} images; {}", examples.len(), args.region.describe()));
    let threads = options.threads.min(examples.len());
    let options = Options { threads: 1, ..*options };
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let (sender, lines) = mpsc::channel();
    let work = |sender: mpsc::Sender<(String, Exit)>| {
        while let Some((index, example)) = examples.get(next.fetch_add(1, Ordering::Relaxed)) {
            let start = Instant::now();
            let decided = Question::about(&network, example, &args.model, &args.input, &args.region)
                .and_then(|question| Ok((decide(&question.query, &options)?, question)));
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
        for _ in 0..threads {
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
