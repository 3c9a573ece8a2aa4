//! Arguments, dispatch, exit codes.

mod answer;
mod attack;
mod bounds;
mod boxes;
mod check;
mod convert;
mod distortion;
mod encode;
mod error;
mod guard;
mod images;
mod inspect;
mod networks;
mod question;
mod report;
mod robust;
mod supports;
mod verify;
mod vnncomp;
mod witness;

use clap::{Parser, Subcommand, ValueEnum};
use error::CliError;
use std::process::ExitCode;
use std::time::Instant;
use unmoved::search::Progress;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The property holds, or the command did what it was asked.
    Holds,
    /// A counterexample exists.
    Violated,
    /// Usage, file, unsupported operator.
    Error,
    /// Not decided.
    Unknown,
}

impl Exit {
    /// The exit code.
    fn code(self) -> i32 {
        match self {
            Self::Holds => 0,
            Self::Violated => 1,
            Self::Error => 2,
            Self::Unknown => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code() as u8)
    }
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// Proves that a neural network's answer stays unmoved under every allowed perturbation of its input, or shows the
/// perturbation that moves it.
#[derive(Parser)]
#[command(name = "unmoved", disable_version_flag = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 holds, 1 violated, 2 error, 3 unknown.\n\n\
    Example:\n  unmoved robust model.onnx --image seven.png --eps 0.05")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print the name of the program
    #[arg(long, exclusive = true)]
    name: bool,
    /// Print its version
    #[arg(long, short = 'V', exclusive = true)]
    version: bool,
    /// Print results for people or as one JSON object
    #[arg(long, global = true, display_order = 1000, default_value = "text")]
    format: Format,
    /// Print results only, no notes about how they came about
    #[arg(long, short, global = true, display_order = 1000)]
    quiet: bool,
    /// Tell on standard error how a search goes
    #[arg(long, short, global = true, display_order = 1000, conflicts_with = "quiet")]
    verbose: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Decide whether any allowed perturbation of one input changes the network's answer
    Robust(robust::Args),
    /// Measure how far the nearest input is that changes the network's answer, as a proved interval
    Distortion(distortion::Args),
    /// Decide a property in VNN-LIB
    Verify(verify::Args),
    /// Decide an instance of VNN-COMP and write the result where the competition looks for it
    Vnncomp(vnncomp::Args),
    /// Tell what `verify` can do, in the words of VNN-LIB
    Supports(supports::Args),
    /// Look for a perturbation that changes the network's answer, and prove nothing
    Attack(attack::Args),
    /// Print bounds of every layer over the allowed inputs
    Bounds(bounds::Args),
    /// Write the mixed integer program of a query, or the query in VNN-LIB
    Encode(encode::Args),
    /// Convert a model to another format, or a property to another version of VNN-LIB
    Convert(convert::Args),
    /// Show the layers of a model and what its import made of them
    Inspect(inspect::Args),
    /// Check a certificate that `robust` or `verify` wrote
    Check(check::Args),
}

/// What every command needs to know to print.
#[derive(Clone, Copy)]
struct Output {
    format: Format,
    quiet: bool,
    verbose: bool,
}

impl Output {
    fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Tells of a search since `start`, where that is asked for.
    fn watch(self, start: Instant) -> impl Fn(&Progress) + Sync {
        move |progress| {
            if !self.verbose {
                return;
            }
            let seconds = start.elapsed().as_secs_f64();
            match progress {
                Progress::Engine(engine) => eprintln!("{seconds:8.2} s  engine: {}", engine.word()),
                Progress::Boxes { bounded, open, done } => {
                    let percent = 100.0 * done;
                    eprintln!("{seconds:8.2} s  boxes: {bounded} bounded, {open} open, {percent:.2} % proved");
                }
                Progress::Programs { disjunct, solved, proved } => eprintln!(
                    "{seconds:8.2} s  programs: disjunct {disjunct} {} after {solved}",
                    if *proved { "proved" } else { "open" }
                ),
                Progress::Distortion { lower, upper: Some(upper) } => {
                    eprintln!("{seconds:8.2} s  distortion: {lower:.5} to {upper:.5}");
                }
                Progress::Distortion { lower, upper: None } => {
                    eprintln!("{seconds:8.2} s  distortion: above {lower:.5}");
                }
                Progress::Search { subproblems, open, margin } => {
                    eprintln!("{seconds:8.2} s  search: {subproblems} subproblems, {open} open, margin {margin:.5}");
                }
                Progress::Refined { node, undecided: [before, after], subproblems } => eprintln!(
                    "{seconds:8.2} s  refined node {}: {before} undecided, now {after}; {subproblems} subproblems",
                    node.0
                ),
            }
        }
    }

    /// A remark on standard error.
    fn note(self, text: impl std::fmt::Display) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }
}

/// Runs the command line and says how it ended.
pub(crate) fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results, everything else is an error of usage.
            let failed = error.use_stderr();
            let _ = error.print();
            return if failed { Exit::Error } else { Exit::Holds };
        }
    };
    let output = Output { format: cli.format, quiet: cli.quiet, verbose: cli.verbose };
    let Some(command) = &cli.command else {
        print(if cli.name { "Unmoved" } else { env!("CARGO_PKG_VERSION") });
        return Exit::Holds;
    };
    let result = match command {
        Command::Robust(args) => robust::run(args, output),
        Command::Distortion(args) => distortion::run(args, output),
        Command::Verify(args) => verify::run(args, output),
        Command::Vnncomp(args) => vnncomp::run(args, output),
        Command::Supports(args) => supports::run(args),
        Command::Attack(args) => attack::run(args, output),
        Command::Bounds(args) => bounds::run(args, output),
        Command::Encode(args) => encode::run(args, output),
        Command::Convert(args) => convert::run(args, output),
        Command::Inspect(args) => inspect::run(args, output),
        Command::Check(args) => check::run(args, output),
    };
    result.unwrap_or_else(|error: CliError| {
        eprint!("{error}");
        Exit::Error
    })
}

/// Prints to standard output; a reader that went away is no error worth a panic.
fn print(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
}
