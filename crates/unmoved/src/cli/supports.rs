//! `unmoved supports`: what a solver of VNN-LIB 2.0 tells about itself.

use super::{CliError, Exit, print};
use unmoved::onnx;

/// `supports`
#[derive(clap::Args)]
#[command(arg_required_else_help = true, after_help = "Example:\n  unmoved supports --onnx-operators")]
pub(crate) struct Args {
    /// The first and the last version of ONNX's operators that are read
    #[arg(long)]
    onnx_opset_versions: bool,
    /// The types of VNN-LIB's tensors that properties may be about
    #[arg(long)]
    onnx_element_types: bool,
    /// The ONNX operators that are read
    #[arg(long)]
    onnx_operators: bool,
    /// The first and the last version of VNN-LIB that is read
    #[arg(long)]
    vnnlib_versions: bool,
    /// NH: no hidden nodes
    #[arg(long)]
    hidden_node_theories: bool,
    /// SIO: one input, one output
    #[arg(long, alias = "multiple-inputs-outputs-theories")]
    multiple_input_output_theories: bool,
    /// SNET: one network
    #[arg(long)]
    multiple_network_theories: bool,
    /// MNC: comparisons of inputs with outputs
    #[arg(long)]
    multiple_node_comparison_theories: bool,
    /// LIN: linear constraints
    #[arg(long)]
    arithmetic_complexity_theories: bool,
    /// Whether disjunctions are more than cases, one after the other
    #[arg(long)]
    optimised_disjunctive_reasoning: bool,
    /// Whether `verify` writes assignments as ONNX tensors
    #[arg(long)]
    serialise_assignments: bool,
    /// Whether `verify` writes proofs in VNN-LIB's own format; see `verify --certificate` for ours
    #[arg(long)]
    unsat_proofs: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    let opsets = onnx::opsets();
    let answers = [
        (args.onnx_opset_versions, format!("{}\n{}", opsets.start(), opsets.end())),
        (args.onnx_element_types, "real".into()),
        (args.onnx_operators, onnx::operators().collect::<Vec<_>>().join("\n")),
        (args.vnnlib_versions, "1.0\n2.0".into()),
        (args.hidden_node_theories, "NH".into()),
        (args.multiple_input_output_theories, "SIO".into()),
        (args.multiple_network_theories, "SNET".into()),
        (args.multiple_node_comparison_theories, "MNC".into()),
        (args.arithmetic_complexity_theories, "LIN".into()),
        (args.optimised_disjunctive_reasoning, "true".into()),
        (args.serialise_assignments, "false".into()),
        (args.unsat_proofs, "false".into()),
    ];
    answers.iter().filter(|(asked, _)| *asked).for_each(|(_, answer)| print(answer));
    Ok(Exit::Holds)
}
