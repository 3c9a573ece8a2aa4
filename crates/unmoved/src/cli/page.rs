//! `unmoved report`

use super::{CliError, Exit, Output, print};
use serde_json::json;
use std::path::PathBuf;
use unmoved::evaluate::{report, run};

/// `report`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  unmoved report runs/model --csv answers.csv")]
pub(crate) struct Args {
    /// The folder that `evaluate` kept its results in
    run: PathBuf,
    /// Where to write the page [default: report.html in the folder]
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Also write all answers here, as comma-separated values
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let found = run::read(&args.run)?;
    found.notes.iter().for_each(|note| output.note(format_args!("note: {note}")));
    let page = report::page(&found, &args.run).map_err(|e| CliError::new("U0604", e))?;
    // The folder may be another's, and what is there a link out of it.
    let (path, written) = match &args.write {
        Some(path) => (path.clone(), std::fs::write(path, page)),
        None => {
            let path = args.run.join("report.html");
            let written = run::write_plain(&path, page.as_bytes());
            (path, written)
        }
    };
    written.map_err(|e| CliError::write(&path, e))?;
    if let Some(path) = &args.csv {
        let table = report::table(&found).map_err(|e| CliError::new("U0604", e))?;
        std::fs::write(path, table).map_err(|e| CliError::write(path, e))?;
    }
    let answers = found.answers.iter().count();
    if output.is_json() {
        print(&json!({ "report": path, "csv": args.csv, "answers": answers }).to_string());
    } else {
        print(&format!("{answers} answers in {}", path.display()));
    }
    Ok(Exit::Holds)
}
