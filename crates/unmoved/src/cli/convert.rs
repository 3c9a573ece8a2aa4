//! `unmoved convert`

use super::question::ChoiceArgs;
use super::{CliError, Exit, Output, print};
use clap::ValueEnum;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use unmoved::ir::Network;
use unmoved::property::Query;
use unmoved::property::vnnlib::{self, Version};
use unmoved::{Choices, Written, read_model, read_vnnlib, write_model};

/// `convert`
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  unmoved convert model.onnx model.unm\n  \
    unmoved convert old.vnnlib new.vnnlib --network model.onnx --vnnlib 2.0")]
pub(crate) struct Args {
    /// The model to read; with --network, the property
    from: PathBuf,
    /// The file to write; its ending says the format
    to: PathBuf,
    #[command(flatten)]
    choices: ChoiceArgs,
    /// Round every number to float32, also those that an import had to compute in float64
    #[arg(long)]
    dtype: Option<TypeName>,
    /// Convert a property in VNN-LIB that is about this model
    #[arg(long, value_name = "MODEL", conflicts_with = "dtype")]
    network: Option<PathBuf>,
    /// The version of VNN-LIB to write
    #[arg(long, value_name = "VERSION", default_value = "2.0", requires = "network", conflicts_with = "dtype")]
    vnnlib: VersionName,
}

/// The versions of VNN-LIB.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum VersionName {
    /// As practised by the competitions up to 2025
    #[value(name = "1.0")]
    One,
    /// With declared networks
    #[value(name = "2.0")]
    Two,
}

impl VersionName {
    pub(crate) fn get(self) -> Version {
        match self {
            Self::One => Version::V1,
            Self::Two => Version::V2 { minor: 0 },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum TypeName {
    F32,
}

/// How many random inputs the written network is compared on.
const INPUTS: usize = 64;

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    if let Some(model) = &args.network {
        return property(args, model, output);
    }
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

/// Writes a property in another version.
fn property(args: &Args, model: &Path, output: Output) -> Result<Exit, CliError> {
    let network = Arc::new(read_model(model, &args.choices.get())?.network);
    let queries = read_vnnlib(&args.from, &network)?;
    let version = args.vnnlib.get();
    let text = vnnlib::write(&queries, version)?;
    std::fs::write(&args.to, text).map_err(|e| CliError::write(&args.to, e))?;
    // What counts is what the next reader gets, so read it.
    let again = read_vnnlib(&args.to, &network)?;
    let digests = |queries: &[Query]| queries.iter().map(Query::digest).collect::<Vec<_>>();
    let same = digests(&again) == digests(&queries);
    let path = args.to.display();
    let how = if same { "the same queries" } else { "the same counterexamples, in other words" };
    let text = format!("{path}: VNN-LIB {version}; boxes {}, {how}", again.len());
    let json = json!({"written": path.to_string(), "version": version.to_string(), "boxes": again.len(), "same": same});
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
