//! `unmoved vnncomp`: the interface of the competition's scripts.

use super::answer::{EffortArgs, Seconds};
use super::boxes::{decide_all, firm, telling};
use super::guard::Guard;
use super::networks::{listed, of_property};
use super::{CliError, Exit, Output, networks, tell, witness};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use unmoved::property::{Reason, Verdict};
use unmoved::search::Options;
use unmoved::{Choices, VnnlibFile};

/// `vnncomp`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  unmoved vnncomp v1 acasxu net.onnx prop_1.vnnlib out.txt 116")]
pub(crate) struct Args {
    /// The version of the interface: v1
    #[arg(value_parser = ["v1"])]
    version: String,
    /// The benchmark, which makes no difference
    category: String,
    /// The model, or the competition's list of models by their names: [('f', 'model.onnx')]
    onnx: OsString,
    /// The property: .vnnlib or .vnnlib.gz, VNN-LIB 1.0 or 2.0
    vnnlib: PathBuf,
    /// Where to write the result: unsat, sat with the counterexample, unknown, timeout or error
    results: PathBuf,
    /// The time limit in seconds
    timeout: Seconds,
    #[command(flatten)]
    effort: EffortArgs,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let start = Instant::now();
    let options = args.effort.options(args.timeout);
    let results = args.results.clone();
    let guard = Guard::new(&options, start, move |reason| {
        // There is no one left to tell of an error but the exit code.
        write(&results, word(&Verdict::Unknown(reason))).map_or(Exit::Error, |()| Exit::Holds)
    });
    let result = decide(args, &options, start, output, &guard);
    guard.take();
    let text = result.as_deref().unwrap_or_else(|error| {
        tell(error);
        "error"
    });
    write(&args.results, text)?;
    output.note(format_args!("{} ({:.3} s)", text.lines().next().unwrap_or_default(), start.elapsed().as_secs_f64()));
    // The file tells how it ended.
    Ok(Exit::Holds)
}

/// What the result file is to say.
fn decide(args: &Args, options: &Options, start: Instant, output: Output, guard: &Guard) -> Result<String, CliError> {
    let file = VnnlibFile::open(&args.vnnlib)?;
    let declared = file.declarations()?;
    let networks: Vec<networks::NetworkFile> = listed(&args.onnx);
    let model = unmoved::read_model(of_property(&networks, &declared)?, &Choices::default())?;
    let queries = file.queries(&Arc::new(model.network))?;
    let mut outcomes = decide_all(&queries, options, start, output)?;
    let index = telling(&outcomes);
    let (query, outcome) = (&queries[index], &mut outcomes[index]);
    if !matches!(outcome.verdict, Verdict::Unknown(_)) {
        guard.take();
    }
    firm(query, outcome, options, start);
    let Verdict::Violated(found) = &outcome.verdict else { return Ok(word(&outcome.verdict).into()) };
    let text = witness::assignment(&declared, found, true);
    if witness::replays_in_f32(&declared, query, &text) {
        return Ok(format!("sat\n{text}"));
    }
    output.note("note: unsafe over the reals, but no float32 input was found that shows it");
    Ok("unknown".into())
}

/// The competition's word.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Robust => "unsat",
        Verdict::Violated(_) => "sat",
        Verdict::Unknown(Reason::TimeLimit) => "timeout",
        Verdict::Unknown(_) => "unknown",
    }
}

/// Writes the file whole or not at all: a neighbour takes its place. What is no file itself, such as a pipe, or a link like
/// /dev/stdout, whatever it leads to, stays what it is and is written to; so is a file beside which or over which nothing may be
/// put, such as one that is mounted from elsewhere.
fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let text = format!("{text}\n");
    let is_other = path.symlink_metadata().is_ok_and(|m| !m.is_file());
    let replaced = if is_other { Err(ErrorKind::Unsupported.into()) } else { replace(path, &text) };
    let written = match replaced {
        // Where there is no room for it, what stands there is better left alone.
        Err(e) if !matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => std::fs::write(path, &text),
        other => other,
    };
    written.map_err(|e| CliError::write(path, e))
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.file_name().ok_or(ErrorKind::InvalidFilename)?.to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let neighbour = path.with_file_name(name);
    std::fs::write(&neighbour, text)
        .and_then(|()| std::fs::rename(&neighbour, path))
        .inspect_err(|_| drop(std::fs::remove_file(&neighbour)))
}
