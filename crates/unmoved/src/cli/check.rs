//! `unmoved check`

use super::question::ReadingArgs;
use super::{CliError, Exit, Output, print};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use unmoved::check::{Arithmetic, check_bytes};
use unmoved::evaluate::run::{read as read_run, write_plain};
use unmoved::evaluate::work::{Recheck, Rechecked};
use unmoved::ir::Network;
use unmoved::property::Query;
use unmoved::search::Options;

/// `check`
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  unmoved check model.onnx seven.proof.query seven.proof\n  unmoved check --run runs/model"
)]
pub(crate) struct Args {
    /// The model: .onnx, .onnx.gz, .safetensors, .nnet or .unm
    #[arg(required_unless_present = "run", conflicts_with = "run")]
    model: Option<PathBuf>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// The query that the certificate is about, as `robust --certificate` wrote it
    #[arg(required_unless_present = "run")]
    query: Option<PathBuf>,
    /// The certificate
    #[arg(required_unless_present = "run")]
    certificate: Option<PathBuf>,
    /// Check all certificates of a run folder, and replay its counterexamples; model and images are where they were
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Write the query of each certificate of the run here, for `unmoved-check`
    #[arg(long, value_name = "DIR", requires = "run")]
    queries: Option<PathBuf>,
    /// Check in rational arithmetic instead of float64 with error bounds
    #[arg(long)]
    exact: bool,
}

/// Far beyond any query or certificate of the networks that fit into memory.
const MAX_BYTES: u64 = 1 << 30;

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let arithmetic = if args.exact { Arithmetic::Exact } else { Arithmetic::Float };
    match (&args.run, &args.model, &args.query, &args.certificate) {
        (Some(folder), ..) => all(folder, args.queries.as_deref(), arithmetic, output),
        (None, Some(model), Some(query), Some(certificate)) => {
            let network = Arc::new(args.reading.read(model, output)?);
            one(network, query, certificate, arithmetic, output)
        }
        _ => Err(CliError::new("U0001", "nothing to check: give MODEL QUERY CERTIFICATE, or --run")),
    }
}

/// Checks a certificate.
fn one(
    network: Arc<Network>,
    about: &Path,
    certificate: &Path,
    arithmetic: Arithmetic,
    output: Output,
) -> Result<Exit, CliError> {
    let wrong = |e: &dyn std::fmt::Display| CliError::new("U0500", format!("{}: {e}", about.display()));
    let text = String::from_utf8(read(about)?).map_err(|e| wrong(&e))?;
    let query = Query::from_text(network, &text).map_err(|e| wrong(&e))?;
    let bytes = read(certificate)?;
    let start = Instant::now();
    let result = check_bytes(&query, &bytes, arithmetic)
        .map_err(|e| CliError::new("U0501", format!("{}: {e}", certificate.display())))?;
    let seconds = start.elapsed().as_secs_f64();
    let (exit, text, json) = match result {
        Ok(accepted) => (
            Exit::Holds,
            format!("accepted: {} leaves, smallest margin {:.6} ({seconds:.3} s)", accepted.leaves, accepted.margin),
            json!({"accepted": true, "leaves": accepted.leaves, "margin": accepted.margin, "time_s": seconds}),
        ),
        Err(refusal) => (
            Exit::Violated,
            format!("refused: {refusal}"),
            json!({"accepted": false, "reason": refusal.to_string(), "time_s": seconds}),
        ),
    };
    print(&if output.is_json() { json.to_string() } else { text });
    Ok(exit)
}

/// Checks everything that a run folder rests on.
fn all(folder: &Path, queries: Option<&Path>, arithmetic: Arithmetic, output: Output) -> Result<Exit, CliError> {
    let start = Instant::now();
    let run = read_run(folder)?;
    run.notes.iter().for_each(|note| output.note(format_args!("note: {note}")));
    let asked = &run.asked;
    let network = Arc::new(ReadingArgs::of_run(&asked.model).read(&asked.model.path, output)?);
    let other = |what: &Path| CliError::new("U0601", format!("{}: not what the run is about", what.display()));
    if network.digest().to_string() != asked.model.sha256 {
        return Err(other(&asked.model.path));
    }
    let set = asked.data.set().ok_or_else(|| other(&asked.data.path))?;
    let images = set.open(&asked.data.path)?;
    if let Some(queries) = queries {
        std::fs::create_dir_all(queries).map_err(|e| CliError::write(queries, e))?;
    }
    let threads = Options::default().threads;
    let recheck = Recheck { folder, run: &run, network, images: &images, arithmetic, threads };
    let counts = Mutex::new([0; 3]);
    recheck.run(|Rechecked { record, query, problem }| {
        if let (Some(folder), Some(query), Some(kept)) = (queries, query, &record.certificate) {
            let path = folder.join(&kept.file).with_added_extension("query");
            write_plain(&path, query.to_text().as_bytes()).map_err(|e| CliError::write(&path, e))?;
        }
        let mut counts = counts.lock().unwrap_or_else(|e| e.into_inner());
        match problem {
            Some(problem) => {
                counts[2] += 1;
                super::tell(format_args!("image {}, {}: {problem}\n", record.index, record.words()));
            }
            None => {
                counts[0] += usize::from(record.certificate.is_some());
                counts[1] += usize::from(record.upper.is_some());
            }
        }
        Ok::<(), CliError>(())
    })?;
    let [accepted, replayed, refused] = counts.into_inner().unwrap_or_else(|e| e.into_inner());
    let seconds = start.elapsed().as_secs_f64();
    print(&if output.is_json() {
        json!({"accepted": accepted, "replayed": replayed, "refused": refused, "time_s": seconds}).to_string()
    } else {
        format!(
            "{accepted} certificates accepted, {replayed} counterexamples replayed, {refused} refused ({seconds:.3} s)"
        )
    });
    Ok(if refused > 0 { Exit::Violated } else { Exit::Holds })
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    unmoved_safetensors::files::read(path, MAX_BYTES).map_err(|e| CliError::new("U0003", format!("cannot read: {e}")))
}
