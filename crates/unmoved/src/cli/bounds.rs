//! `unmoved bounds`

use super::question::{self, InputArgs, ModelArgs, RegionArgs, TargetArgs};
use super::{CliError, Exit, Output, print};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use unmoved::bounds::{Bounds, LinearForm, Phase, Propagation, Tier};
use unmoved::core::{Budget, Tightening, tighten};
use unmoved::ir::{Network, NodeId, Op, lower_max_pool};

/// `bounds`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  unmoved bounds model.onnx --image seven.png --eps 0.05 --method interval")]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    region: RegionArgs,
    /// How much to spend on a neuron that is still undecided
    #[arg(long, default_value = "linear")]
    method: Method,
    /// Stop solving linear and mixed integer programs after so many seconds
    #[arg(long, value_name = "SECONDS")]
    budget: Option<f64>,
    /// Use what a solver says of mixed integer programs, which nothing proves
    #[arg(long)]
    trust_solver: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    /// Interval arithmetic
    Interval,
    /// One backward linear pass for each neuron that intervals leave unstable
    Linear,
    /// Also two linear programs; needs a build with HiGHS
    Lp,
    /// Also two mixed integer programs; needs a build with HiGHS
    Milp,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let question = question::only(&args.model, &args.input, &args.region, &TargetArgs::default(), output)?;
    let start = Instant::now();
    let network = question.query.network();
    let lowered = lower_max_pool(network)?;
    let tier = match args.method {
        Method::Interval => Tier::Interval,
        Method::Linear | Method::Lp | Method::Milp => Tier::Linear,
    };
    let mut propagation = Propagation::new(&lowered, question.query.region(), tier);
    let tightening = match args.method {
        Method::Interval | Method::Linear => None,
        Method::Lp => Some(Tightening::Lp),
        Method::Milp => Some(Tightening::Milp { trust_solver: args.trust_solver }),
    };
    if let Some(method) = tightening {
        let total = args.budget.map(Duration::try_from_secs_f64).transpose();
        let total = total.map_err(|e| CliError::new("U0001", format!("--budget: {e}")))?;
        let budget = Budget { total, each: None };
        let report = tighten(&mut propagation, question.query.region(), method, budget)
            .map_err(|e| CliError::new("U0600", e))?;
        output.note(format_args!("note: {} neurons tightened by programs", report.neurons.len()));
        if report.out_of_time {
            output.note("note: the budget ended before the last neuron");
        }
        if report.trusts_solver {
            output.note("note: some bounds below are a solver's word; nothing here is proved");
        }
    }
    let form = |c| LinearForm::constraint(&lowered.network, c);
    let forms: Vec<LinearForm> = question.query.unsafe_set().iter().map(|d| form(&d.0[0])).collect();
    let margins = propagation.minima(&forms);
    let seconds = start.elapsed().as_secs_f64();
    let layers: Vec<Layer> = network
        .iter()
        .map(|(id, node)| {
            let relu = node.op == Op::Relu;
            // A ReLU is undecided or not by the bounds of what it reads.
            let shown = if relu { node.inputs[0] } else { id };
            Layer::new(network, id, propagation.bounds(lowered.origin[shown.0]), relu)
        })
        .collect();
    let targets = (0..network.output_len()).filter(|&t| t != question.label);
    let margins: Vec<(usize, f64)> = targets.zip(margins).collect();
    print(&if output.is_json() {
        let margins = margins.iter().map(|(t, m)| json!({"target": t, "margin": m})).collect::<Vec<_>>();
        let layers = layers.iter().map(Layer::json).collect::<Vec<_>>();
        json!({"label": question.label, "layers": layers, "margins": margins, "time_s": seconds}).to_string()
    } else {
        text(&layers, question.label, &margins, seconds)
    });
    Ok(Exit::Holds)
}

struct Layer {
    name: String,
    operator: &'static str,
    lower: f64,
    upper: f64,
    mean_width: f64,
    /// Active, inactive and unstable ReLUs.
    phases: Option<[usize; 3]>,
}

impl Layer {
    fn new(network: &Network, id: NodeId, bounds: &Bounds, relu: bool) -> Self {
        let widths: f64 = bounds.lower.iter().zip(&bounds.upper).map(|(l, u)| u - l).sum();
        let count = |phase| (0..bounds.len()).filter(|&k| bounds.phase(k) == phase).count();
        Self {
            name: network.node(id).name.clone(),
            operator: network.node(id).op.name(),
            lower: bounds.lower.iter().copied().fold(f64::INFINITY, f64::min),
            upper: bounds.upper.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            mean_width: widths / bounds.len() as f64,
            phases: relu.then(|| [Phase::Active, Phase::Inactive, Phase::Unstable].map(count)),
        }
    }

    fn json(&self) -> Value {
        let phases = self
            .phases
            .map(|[active, inactive, unstable]| json!({"active": active, "inactive": inactive, "unstable": unstable}));
        json!({"name": self.name, "operator": self.operator, "lower": self.lower, "upper": self.upper,
               "mean_width": self.mean_width, "relus": phases})
    }
}

fn text(layers: &[Layer], label: usize, margins: &[(usize, f64)], seconds: f64) -> String {
    let mut out = String::new();
    let width = layers.iter().map(|l| l.name.chars().count()).max().unwrap_or(0).clamp(5, 40);
    let _ = writeln!(
        out,
        "{:width$}  {:8}  {:>10}  {:>10}  {:>10}  ReLUs active, inactive, unstable",
        "layer", "operator", "lower", "upper", "mean width"
    );
    for l in layers {
        let phases = l.phases.map_or(String::new(), |[a, i, u]| format!("{a:>6} {i:>6} {u:>6}"));
        let _ = writeln!(
            out,
            "{:width$}  {:8}  {:>10.4}  {:>10.4}  {:>10.4}  {phases}",
            l.name, l.operator, l.lower, l.upper, l.mean_width
        );
    }
    for (target, margin) in margins {
        let _ = writeln!(out, "logit {label} - logit {target} >= {margin:.6}");
    }
    let _ = write!(out, "{seconds:.3} s");
    out
}
