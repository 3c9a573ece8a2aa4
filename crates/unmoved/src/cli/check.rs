//! `unmoved check`

use super::question::ModelArgs;
use super::{CliError, Exit, Output, print};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use unmoved::check::{Arithmetic, check_bytes};
use unmoved::property::Query;

/// `check`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  unmoved check model.onnx seven.proof.query seven.proof")]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// The query that the certificate is about, as `robust --certificate` wrote it
    query: PathBuf,
    /// The certificate
    certificate: PathBuf,
    /// Check in rational arithmetic instead of float64 with error bounds
    #[arg(long)]
    exact: bool,
}

/// Far beyond any query or certificate of the networks that fit into memory.
const MAX_BYTES: u64 = 1 << 30;

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let network = Arc::new(args.model.read(output)?);
    let text = String::from_utf8(read(&args.query)?)
        .map_err(|e| CliError::new("U0500", format!("{}: {e}", args.query.display())))?;
    let query = Query::from_text(network, &text)
        .map_err(|e| CliError::new("U0500", format!("{}: {e}", args.query.display())))?;
    let bytes = read(&args.certificate)?;
    let start = Instant::now();
    let arithmetic = if args.exact { Arithmetic::Exact } else { Arithmetic::Float };
    let result = check_bytes(&query, &bytes, arithmetic)
        .map_err(|e| CliError::new("U0501", format!("{}: {e}", args.certificate.display())))?;
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

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    unmoved_safetensors::files::read(path, MAX_BYTES).map_err(|e| CliError::new("U0003", format!("cannot read: {e}")))
}
