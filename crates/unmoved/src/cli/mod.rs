//! Arguments, dispatch, exit codes.

mod answer;
mod attack;
mod bounds;
mod boxes;
mod check;
mod collect;
mod completions;
mod config;
mod convert;
mod distortion;
mod encode;
mod error;
mod evaluate;
mod guard;
mod help;
mod images;
mod inspect;
mod man;
mod networks;
mod page;
mod progress;
mod question;
mod report;
mod robust;
mod supports;
mod verify;
mod vnncomp;
mod witness;

use clap::error::ErrorKind;
use clap::{FromArgMatches, Parser, Subcommand, ValueEnum};
use error::CliError;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::OnceLock;
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
    /// One JSON object a line, as each result is there.
    Jsonl,
}

/// Proves that a neural network's answer stays unmoved under every allowed perturbation of its input, or shows the
/// perturbation that moves it.
#[derive(Parser)]
#[command(name = "unmoved", disable_version_flag = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print the name of the program
    #[arg(long, exclusive = true)]
    name: bool,
    /// Print its version
    #[arg(long, short = 'V', exclusive = true)]
    version: bool,
    /// Print results for people or as JSON
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
    /// Prove how far the nearest input is that changes the network's answer
    Distortion(distortion::Args),
    /// Evaluate a network over a data set
    Evaluate(evaluate::Args),
    /// Write the page about a run of `evaluate`
    Report(page::Args),
    /// Put run folders together that `evaluate` made
    Collect(collect::Args),
    /// Decide a property in VNN-LIB
    Verify(verify::Args),
    /// Decide an instance of VNN-COMP and write the result as the competition reads it
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
    /// Write what lets a shell complete commands and options
    Completions(completions::Args),
    /// Write the manual for `man`
    Man(man::Args),
}

/// What every command needs to know to print.
#[derive(Clone, Copy)]
struct Output {
    format: Format,
    quiet: bool,
    verbose: bool,
}

impl Output {
    /// Whether objects are printed. A command with one result, or one object a result, prints the same as `json` and as `jsonl`.
    fn is_json(self) -> bool {
        matches!(self.format, Format::Json | Format::Jsonl)
    }

    /// Whether a command of many results prints each of them.
    fn is_jsonl(self) -> bool {
        self.format == Format::Jsonl
    }

    /// Tells of a search since `start`, where that is asked for.
    fn watch(self, start: Instant) -> impl Fn(&Progress) + Sync {
        move |progress| {
            if !self.verbose {
                return;
            }
            let seconds = start.elapsed().as_secs_f64();
            let said = match progress {
                Progress::Engine(engine) => format!("engine: {}", engine.word()),
                Progress::Boxes { bounded, open, done } => {
                    format!("boxes: {bounded} bounded, {open} open, {:.2} % proved", 100.0 * done)
                }
                Progress::Programs { disjunct, solved, proved } => {
                    let state = if *proved { "proved" } else { "open" };
                    format!("programs: disjunct {disjunct} {state} after {solved}")
                }
                Progress::Distortion { lower, upper: Some(upper) } => format!("distortion: {lower:.5} to {upper:.5}"),
                Progress::Distortion { lower, upper: None } => format!("distortion: above {lower:.5}"),
                Progress::Search { subproblems, open, margin } => {
                    format!("search: {subproblems} subproblems, {open} open, margin {margin:.5}")
                }
                Progress::Refined { node, undecided: [before, after], subproblems } => {
                    let node = node.0;
                    format!("refined node {node}: {before} undecided, now {after}; {subproblems} subproblems")
                }
            };
            tell(format_args!("{seconds:8.2} s  {said}\n"));
        }
    }

    /// A remark on standard error.
    fn note(self, text: impl std::fmt::Display) {
        if !self.quiet {
            tell(format_args!("{text}\n"));
        }
    }
}

/// Runs the command line and says how it ended.
pub(crate) fn run() -> Exit {
    let cli = match parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(Stop::Clap(error)) => {
            // Help and version are results, everything else is an error of usage.
            let failed = error.use_stderr();
            let _ = error.print();
            return if failed { Exit::Error } else { Exit::Holds };
        }
        Err(Stop::Config(error)) => {
            tell(error);
            return Exit::Error;
        }
    };
    let output = Output { format: cli.format, quiet: cli.quiet, verbose: cli.verbose };
    let Some(command) = &cli.command else {
        print(if cli.name { "Unmoved" } else { env!("CARGO_PKG_VERSION") });
        return Exit::Holds;
    };
    let result = match command {
        Command::Robust(args) => robust::run(args, output),
        Command::Evaluate(args) => evaluate::run(args, output),
        Command::Report(args) => page::run(args, output),
        Command::Collect(args) => collect::run(args, output),
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
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args, output),
    };
    result.unwrap_or_else(|error: CliError| {
        tell(error);
        Exit::Error
    })
}

/// What keeps a command line from being run.
enum Stop {
    /// It asks for help, or is no command line.
    Clap(clap::Error),
    /// The file that it refers to.
    Config(CliError),
}

/// The command line that is run, with what a file of options adds to it, as a shell reads it.
static COMMAND_LINE: OnceLock<String> = OnceLock::new();

/// Reads a command line, the program's name first, and the file of options that it names.
fn parse(typed: Vec<OsString>) -> Result<Cli, Stop> {
    let mut command = help::command();
    let arguments = config::extend(&command, typed).map_err(Stop::Config)?;
    let parsed = command.try_get_matches_from_mut(&arguments.list).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = parsed.map_err(|error| match arguments.blame(&error) {
        Some(error) => Stop::Config(error),
        None => Stop::Clap(error.format(&mut command)),
    })?;
    let line = COMMAND_LINE.get_or_init(|| arguments.command_line());
    if cli.verbose && arguments.is_extended() {
        tell(format_args!("{line}\n"));
    }
    if cli.command.is_none() && !cli.name && !cli.version {
        return Err(Stop::Clap(command.error(ErrorKind::MissingSubcommand, "a command is missing")));
    }
    Ok(cli)
}

/// What to type for what is being done.
fn command_line() -> String {
    COMMAND_LINE.get().cloned().unwrap_or_default()
}

/// Prints to standard output; a reader that went away is no error worth a panic.
fn print(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
}

/// Writes to standard error; neither is that worth a panic.
fn tell(text: impl std::fmt::Display) {
    use std::io::Write as _;
    let _ = write!(std::io::stderr().lock(), "{text}");
}
