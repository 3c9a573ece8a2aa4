//! `unmoved convert`

use super::question::ChoiceArgs;
use super::{CliError, Exit, Output, print};
use clap::ValueEnum;
use serde_json::json;
use std::path::PathBuf;
use unmoved::ir::Network;
use unmoved::{Choices, Written, read_model, write_model};

/// `convert`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  unmoved convert model.onnx model.unm")]
pub(crate) struct Args {
    /// The model to read
    from: PathBuf,
    /// The file to write; its ending says the format
    to: PathBuf,
    #[command(flatten)]
    choices: ChoiceArgs,
    /// Round every number to float32, also those that an import had to compute in float64
    #[arg(long)]
    dtype: Option<TypeName>,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum TypeName {
    F32,
}

/// How many random inputs the written network is compared on.
const INPUTS: usize = 64;

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let model = read_model(&args.from, &args.choices.get())?;
    model.notices.iter().for_each(|notice| output.note(format_args!("note: {notice}")));
    for rewrite in model.network.rewrites().iter().filter(|r| r.rounds) {
        output.note(format_args!("note: {} \"{}\" was rounded on import", rewrite.from, rewrite.node));
    }
    let (narrow, rounded) = match args.dtype {
        Some(TypeName::F32) => model.network.in_f32()?,
        None => (model.network.clone(), false),
    };
    let written = write_model(&narrow, &args.to)?;
    // What counts is what the next reader gets, so read it.
    let again = read_model(&args.to, &Choices::default())?.network;
    let difference = largest_difference(&model.network, &again)?;
    let exact = written == Written::Exactly && !rounded;
    let text = if exact {
        format!("{}: every weight exactly; largest difference {difference} on {INPUTS} inputs", args.to.display())
    } else {
        format!(
            "{}: weights rounded to float32; largest difference {difference:e} on {INPUTS} inputs",
            args.to.display()
        )
    };
    let json = json!({"written": args.to.display().to_string(), "exact": exact, "largest_difference": difference, "inputs": INPUTS});
    print(&if output.is_json() { json.to_string() } else { text });
    Ok(Exit::Holds)
}

/// The largest difference of an output over fixed pseudo-random inputs in [0, 1], evaluated in float64.
fn largest_difference(a: &Network, b: &Network) -> Result<f64, CliError> {
    let mut random = fastrand::Rng::with_seed(0);
    let mut largest = 0.0f64;
    for _ in 0..INPUTS {
        let x: Vec<f64> = (0..a.input().shape.len()).map(|_| random.f64()).collect();
        let (ya, yb) = (a.forward(&x)?, b.forward(&x)?);
        largest = ya.iter().zip(&yb).map(|(a, b)| (a - b).abs()).fold(largest, f64::max);
    }
    Ok(largest)
}
