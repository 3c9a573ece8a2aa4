//! `unmoved collect`

use super::evaluate::{lines, object};
use super::{CliError, Exit, Output, print};
use std::path::PathBuf;
use std::time::Instant;
use unmoved::evaluate::run::{Collected, Summary, collect};

/// `collect`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  unmoved collect runs/part-1 runs/part-2 --into runs/all")]
pub(crate) struct Args {
    /// Run folders that were asked the same question, about other parts of the images or the same
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The run folder that takes in what they know; it is made, or goes on
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let start = Instant::now();
    let Collected { run, taken: [taken, all] } =
        collect(&args.runs, &args.into, &mut |text| output.note(format_args!("note: {text}")))?;
    let summary = Summary::new(&run.asked, &run.answers);
    output.note(format_args!("{taken} of {all} records were new to {}", args.into.display()));
    if summary.untried() > 0 {
        output.note(format_args!("{} questions have no answer yet", summary.untried()));
    }
    if output.is_json() {
        print(&object(&run.asked, &summary, false, start.elapsed().as_secs_f64()).to_string());
    } else {
        lines(&run.asked, &summary).iter().for_each(|line| print(line));
    }
    Ok(if summary.unknown() > 0 { Exit::Unknown } else { Exit::Holds })
}
