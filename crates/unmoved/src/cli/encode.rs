//! `unmoved encode`

use super::convert::VersionName;
use super::question::{self, InputArgs, ModelArgs, RegionArgs, TargetArgs};
use super::{CliError, Exit, Output};
use clap::ValueEnum;
use serde_json::json;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Instant;
use unmoved::bounds::{Propagation, Tier};
use unmoved::core::{Milp, Objective, encode};
use unmoved::ir::lower_max_pool;
use unmoved::property::vnnlib;

/// `encode`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  unmoved encode model.onnx --image seven.png --eps 0.05 --as lp --write seven.lp")]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    region: RegionArgs,
    #[command(flatten)]
    targets: TargetArgs,
    /// For people and snapshot tests, for solvers, or for other verifiers [default: vnnlib if that is the ending of the
    /// file, else listing]
    #[arg(long = "as")]
    kind: Option<Kind>,
    /// The version of VNN-LIB
    #[arg(long, value_name = "VERSION", default_value = "1.0")]
    vnnlib: VersionName,
    /// What is minimised
    #[arg(long, default_value = "worst")]
    objective: ObjectiveName,
    /// The file to write [default: standard output]
    #[arg(long, short = 'o', value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Readable, at most 60 lines
    Listing,
    /// CPLEX LP
    Lp,
    /// Free MPS
    Mps,
    /// The query itself as a property
    Vnnlib,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ObjectiveName {
    /// Nothing; infeasible means robust
    Feasibility,
    /// The distance to the input (l-inf or l1) such that the class changes
    Closest,
    /// The label's logit minus the largest other; a positive optimum means robust
    Worst,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let question = question::only(&args.model, &args.input, &args.region, &args.targets, output)?;
    let kind = args.kind.unwrap_or(match &args.write {
        Some(path) if path.extension().is_some_and(|e| e == "vnnlib") => Kind::Vnnlib,
        _ => Kind::Listing,
    });
    if let Kind::Vnnlib = kind {
        let text = vnnlib::write(std::slice::from_ref(&question.query), args.vnnlib.get())?;
        return match &args.write {
            Some(path) => std::fs::write(path, text).map_err(|e| CliError::write(path, e)),
            None => {
                super::print(text.trim_end());
                Ok(())
            }
        }
        .map(|()| Exit::Holds);
    }
    let lowered = lower_max_pool(question.query.network())?;
    let start = Instant::now();
    let propagation = Propagation::new(&lowered, question.query.region(), Tier::Linear);
    let bounded = start.elapsed().as_secs_f64();
    let objective = match args.objective {
        ObjectiveName::Feasibility => Objective::Feasibility,
        ObjectiveName::Closest => Objective::Closest(question.perturbations.norm),
        ObjectiveName::Worst => Objective::Worst,
    };
    let start = Instant::now();
    let milp = encode(&question.query, &propagation, objective, None).map_err(|e| CliError::new("U0600", e))?;
    let encoded = start.elapsed().as_secs_f64();
    match &args.write {
        Some(path) => {
            let file = File::create(path).map_err(|e| CliError::write(path, e))?;
            let mut out = BufWriter::new(file);
            write(&milp, kind, &mut out).and_then(|()| out.flush()).map_err(|e| CliError::write(path, e))?;
        }
        // A reader that went away is no error.
        None if !output.is_json() => drop(write(&milp, kind, &mut std::io::stdout().lock())),
        None => {}
    }
    let (columns, integers, rows) = (milp.columns.len(), milp.integers(), milp.rows.len());
    if output.is_json() {
        let json = json!({"columns": columns, "binaries": integers, "rows": rows, "nonzeros": milp.nonzeros(),
                          "bounds_s": bounded, "encode_s": encoded});
        super::print(&json.to_string());
    } else {
        output.note(format_args!(
            "{columns} columns ({integers} binary), {rows} rows; bounds {bounded:.3} s, encoding {encoded:.3} s"
        ));
    }
    Ok(Exit::Holds)
}

fn write(milp: &Milp, kind: Kind, out: &mut impl Write) -> std::io::Result<()> {
    match kind {
        // A property is no program: it was written before.
        Kind::Listing | Kind::Vnnlib => out.write_all(milp.listing().as_bytes()),
        Kind::Lp => milp.write_lp(out),
        Kind::Mps => milp.write_mps(out),
    }
}
