//! `cargo xtask bench`: runs a folder of cases in VNN-COMP form, each as its own process, and compares the verdicts with
//! those that are known. The results are a CSV file that grows case by case; a run that was broken off goes on from there.
//! `cargo xtask bench kernels` measures matrix products instead, `cargo xtask bench evaluate` what a run folder costs.

mod cases;
mod evaluate;
mod kernels;
mod process;
mod results;
mod score;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use cases::Case;
use process::Process;
use results::{Results, Row};
use score::Score;

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    cases: Option<CasesArgs>,
}

/// What else can be measured; a folder of that name needs a `./` before it.
#[derive(clap::Subcommand)]
enum Other {
    /// GFLOP/s of our matrix products, beside those of the crate gemm
    Kernels,
    /// What `unmoved evaluate` takes beyond `unmoved robust` on the same images
    Evaluate(evaluate::Args),
}

#[derive(clap::Args)]
struct CasesArgs {
    /// Folder with instances.csv (onnx,vnnlib,timeout) and, where verdicts are known, expected.csv (onnx,vnnlib,verdict)
    folder: PathBuf,
    /// Cases side by side; each has its share of the processor's threads
    #[arg(long, default_value = "1")]
    jobs: std::num::NonZeroUsize,
    /// Only cases whose file names contain this
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,
    /// The most seconds for a case, whatever instances.csv allows
    #[arg(long, value_name = "SECONDS")]
    time_limit: Option<f64>,
    /// Where results go; cases that stand there already are not run again
    #[arg(long, value_name = "FILE", default_value = "results.csv")]
    out: PathBuf,
    /// The program to run; built in release mode if left out
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// Runs what was asked for.
pub(crate) fn run(args: &Args) -> Result<()> {
    match (&args.other, &args.cases) {
        (Some(Other::Kernels), _) => kernels::run(),
        (Some(Other::Evaluate(args)), _) => evaluate::run(args),
        (None, Some(cases)) => run_folder(cases),
        (None, None) => bail!("give a folder with cases, `kernels` or `evaluate`"),
    }
}

/// Runs what has no result yet and prints the score of all. Errors if a verdict is wrong.
fn run_folder(args: &CasesArgs) -> Result<()> {
    let cases = cases::read(&args.folder, args.only.as_deref(), args.time_limit)?;
    ensure!(!cases.is_empty(), "there is no such case in {}", args.folder.display());
    let results = Results::open(&args.out)?;
    let left: Vec<&Case> = cases.iter().filter(|case| results.of(case).is_none()).collect();
    if left.len() < cases.len() {
        println!("{} of {} cases have a result in {}", cases.len() - left.len(), cases.len(), args.out.display());
    }
    let results = if left.is_empty() { results } else { run_cases(args, &left, results)? };
    let score = Score::new(cases.iter().filter_map(|case| Some((case, results.of(case)?))));
    println!("{score}");
    ensure!(score.wrong.is_empty(), "{} wrong verdicts", score.wrong.len());
    Ok(())
}

fn run_cases(args: &CasesArgs, cases: &[&Case], results: Results) -> Result<Results> {
    let jobs = args.jobs.get().min(cases.len());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let binary = match &args.binary {
        Some(binary) => binary.canonicalize().with_context(|| format!("there is no {}", binary.display()))?,
        None => build()?,
    };
    let threads = (threads / jobs).max(1);
    let process = Process { binary: &binary, folder: &args.folder, threads, grace: Duration::from_secs(10) };
    let (next, results) = (AtomicUsize::new(0), Mutex::new(results));
    let work = || -> Result<()> {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let row = process.run(case)?;
            let mut results = results.lock().expect("no thread panics while it writes");
            show(case, &row);
            results.append(row)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    Ok(results.into_inner().expect("no thread panicked"))
}

fn show(case: &Case, row: &Row) {
    let wrong = if row.contradicts(case.expected) { " WRONG" } else { "" };
    println!("{:>9.3} s  {:9}{wrong}  {case}", row.seconds, row.verdict.word());
}

/// Builds the release binary and says where it is.
fn build() -> Result<PathBuf> {
    let output = Command::new(crate::cargo())
        .args(["build", "--release", "--package", "unmoved", "--bin", "unmoved"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(crate::root())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(output.status.success(), "the release binary does not build");
    let text = String::from_utf8(output.stdout)?;
    let built = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut executables = built.filter_map(|message| Some(Path::new(message["executable"].as_str()?).to_owned()));
    executables.next_back().context("cargo names no executable")
}

fn duration(seconds: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(seconds).with_context(|| format!("{seconds} is no number of seconds"))
}
