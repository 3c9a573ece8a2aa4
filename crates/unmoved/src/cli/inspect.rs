//! `unmoved inspect`

use super::question::ModelArgs;
use super::{CliError, Exit, Output, print};
use serde_json::{Value, json};
use std::fmt::Write as _;
use unmoved::ir::{Network, Node, Op};
use unmoved::onnx::Translation;

/// `inspect`
#[derive(clap::Args)]
#[command(after_help = "Example:\n  unmoved inspect model.onnx\n  unmoved inspect model.onnx --unsupported")]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// List the nodes of an ONNX file that cannot be read, and why; exit code 2 if there are any
    #[arg(long)]
    unsupported: bool,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    if args.unsupported {
        return unsupported(&args.model, output);
    }
    let model = args.model.read_model(output)?;
    let (network, found) = (&model.network, grouped(&model.translations));
    print(&if output.is_json() { as_json(network, &found).to_string() } else { as_text(network, &found) });
    Ok(Exit::Holds)
}

fn unsupported(model: &ModelArgs, output: Output) -> Result<Exit, CliError> {
    let found = unmoved::unsupported_operators(&model.model, &model.reading.choices.get())?;
    if output.is_json() {
        let nodes = found.iter().map(
            |n| json!({"node": n.node, "operator": n.operator, "opset": n.opset, "problem": n.problem.to_string()}),
        );
        print(&json!({"unsupported": nodes.collect::<Vec<_>>()}).to_string());
    } else if found.is_empty() {
        print("every operator is supported");
    } else {
        let lines =
            found.iter().map(|n| format!("{} (node \"{}\", opset {}): {}", n.operator, n.node, n.opset, n.problem));
        print(&lines.collect::<Vec<_>>().join("\n"));
    }
    Ok(if found.is_empty() { Exit::Holds } else { Exit::Error })
}

/// Nodes of one operator that became the same.
struct Found<'a> {
    operator: &'a str,
    into: &'a str,
    rounds: bool,
    count: usize,
}

/// In the order of the file.
fn grouped(translations: &[Translation]) -> Vec<Found<'_>> {
    let mut groups: Vec<Found> = Vec::new();
    for Translation { operator, into, rounds, .. } in translations {
        let same = |f: &&mut Found| f.operator == operator && f.into == into && f.rounds == *rounds;
        match groups.iter_mut().find(same) {
            Some(group) => group.count += 1,
            None => groups.push(Found { operator, into, rounds: *rounds, count: 1 }),
        }
    }
    groups
}

fn details(node: &Node) -> String {
    match &node.op {
        Op::Input(dtype) => dtype.name().into(),
        Op::Dense(d) => format!("weight {} {}", d.weight.shape(), d.weight.dtype().name()),
        Op::Conv2d(c) => format!(
            "weight {} {}, stride {:?}, padding {:?}, dilation {:?}, groups {}",
            c.weight.shape(),
            c.weight.dtype().name(),
            c.stride,
            c.padding,
            c.dilation,
            c.groups
        ),
        Op::MaxPool(p) => {
            format!("kernel {:?}, stride {:?}, padding {:?}, dilation {:?}", p.kernel, p.stride, p.padding, p.dilation)
        }
        Op::Gather(g) => {
            format!("{} of {} elements zero", g.index.iter().filter(|i| i.is_none()).count(), g.index.len())
        }
        Op::Relu | Op::Flatten | Op::Add => String::new(),
    }
}

fn as_text(network: &Network, found: &[Found]) -> String {
    let mut out = String::new();
    let width = network.nodes().iter().map(|n| n.name.chars().count()).max().unwrap_or(0).clamp(4, 40);
    let _ = writeln!(out, "{:width$}  {:8}  {:14}  reads", "name", "operator", "shape");
    for node in network.nodes() {
        let reads: Vec<&str> = node.inputs.iter().map(|i| network.node(*i).name.as_str()).collect();
        let details = details(node);
        let separator = if reads.is_empty() || details.is_empty() { "" } else { "; " };
        let shape = node.shape.to_string();
        let _ = writeln!(
            out,
            "{:width$}  {:8}  {shape:14}  {}{separator}{details}",
            node.name,
            node.op.name(),
            reads.join(", ")
        );
    }
    let _ = writeln!(out, "output: {}", network.node(network.output()).name);
    let _ = writeln!(out, "{} parameters, {} ReLUs", network.parameters(), network.relus());
    for Found { operator, into, rounds, count } in found {
        let how = if *rounds { " (rounded)" } else { "" };
        let _ = writeln!(out, "in the file: {count} {operator}: {into}{how}");
    }
    for r in network.rewrites() {
        let how = if r.rounds { "rounded, with a bound that proofs allow for" } else { "exact" };
        let _ = writeln!(out, "rewritten: {} \"{}\" became {} ({how})", r.from, r.node, r.into);
    }
    if network.ordering_only() {
        out.push_str("a final Softmax was dropped: only comparisons between outputs keep their meaning\n");
    }
    for (k, v) in network.metadata() {
        let _ = writeln!(out, "metadata: {k} = {v:?}");
    }
    let _ = write!(out, "digest: {}", network.digest());
    out
}

fn as_json(network: &Network, found: &[Found]) -> Value {
    let node = |n: &Node| {
        let reads: Vec<&str> = n.inputs.iter().map(|i| network.node(*i).name.as_str()).collect();
        json!({"name": n.name, "operator": n.op.name(), "shape": n.shape.dims(), "reads": reads, "details": details(n)})
    };
    let rewrites = network.rewrites().iter();
    json!({
        "nodes": network.nodes().iter().map(node).collect::<Vec<_>>(),
        "output": network.node(network.output()).name,
        "parameters": network.parameters(),
        "relus": network.relus(),
        "found": found.iter().map(|f| json!({"operator": f.operator, "count": f.count, "into": f.into, "rounds": f.rounds})).collect::<Vec<_>>(),
        "rewrites": rewrites.map(|r| json!({"node": r.node, "from": r.from, "into": r.into, "rounds": r.rounds})).collect::<Vec<_>>(),
        "ordering_only": network.ordering_only(),
        "metadata": network.metadata(),
        "digest": network.digest().to_string(),
    })
}
