//! From the checked graph to the network: every tensor of the file becomes a [`Value`], node by node.

use crate::attributes::Attributes;
use crate::budget::Budget;
use crate::call::{Call, Shared, without_batch};
use crate::constant::{Constant, Sources};
use crate::graph::{self, Graph, node_error, node_name, operator, opset};
use crate::schema::{ModelProto, NodeProto};
use crate::value::{Computed, Value};
use crate::{Error, Problem, file, operators, wire};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use unmoved_ir::{Builder, Network};

/// A node that [`unsupported`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsupported {
    /// The node's name, or the name of its first output where it has none.
    pub node: String,
    /// The operator, with its domain unless that is the default one.
    pub operator: String,
    /// The version of the operator set that the model asks for.
    pub opset: i64,
    /// Why it cannot be read.
    pub problem: Problem,
}

/// A node of the file and what the import made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The node's name, or the name of its first output where it has none.
    pub node: String,
    /// The operator, with its domain unless that is the default one.
    pub operator: String,
    /// What became of it: operators of the network in words, `a constant`, or `nothing` of its own.
    pub into: String,
    /// True if that is not exact over the reals; a [`unmoved_ir::Slack`] bounds by how much.
    pub rounds: bool,
}

/// A network and what each node of the file became.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The network.
    pub network: Network,
    /// One entry per node that the output needs, in the order in which they were read.
    pub translations: Vec<Translation>,
}

/// Every node whose operator cannot be read, in the order of the file; of a single or chosen output, those that it needs.
/// Looks at operators only: an attribute, shape or type may still be refused by [`crate::read`], which stops at the
/// first error.
pub fn unsupported(path: &Path, output: Option<&str>) -> Result<Vec<Unsupported>, Error> {
    let model = wire::decode(file::open_model(path)?.bytes)?;
    let (opset, graph) = (opset(&model)?, graph::graph(&model)?);
    let nodes: Vec<&NodeProto> = graph.node.iter().collect();
    let needed = match graph::chosen_output(graph, output) {
        Ok(output) => graph::needed(&nodes, output),
        Err(Error::Outputs { .. }) => vec![true; nodes.len()],
        Err(error) => return Err(error),
    };
    let nodes = nodes.into_iter().zip(needed).filter(|(_, needed)| *needed).map(|(node, _)| node);
    let found = nodes.filter_map(|node| operators::find(node).err().map(|problem| node_error(node, opset, problem)));
    Ok(found
        .filter_map(|error| match error {
            Error::Node { operator, node, opset, problem } => Some(Unsupported { node, operator, opset, problem }),
            _ => None,
        })
        .collect())
}

/// Imports what the tensor `output` of a decoded model needs; see [`Graph::new`].
pub(crate) fn import(model: &ModelProto, sources: &Sources, output: Option<&str>) -> Result<Imported, Error> {
    let graph = Graph::new(model, output)?;
    let mut builder = Builder::new();
    let mut keys = HashSet::new();
    for entry in &model.metadata_props {
        if !keys.insert(entry.key()) {
            return Err(Error::model(format!("the metadata key \"{}\" is given twice", entry.key())));
        }
        builder.metadata(entry.key(), entry.value());
    }
    let id = builder.input(graph.input.name, without_batch(&graph.input.dims), graph.input.dtype)?;
    let input = Computed::new(id, graph.input.dims.clone());
    let mut values = HashMap::from([(graph.input.name, Value::Computed(input))]);
    let read = graph.proto.initializer.iter().enumerate().filter(|(_, t)| graph.is_read(t.name()));
    for (position, tensor) in read {
        values.insert(tensor.name(), Value::Constant(Constant::initialiser(tensor, position, sources)?));
    }
    let same_as_output = graph.same_as_output();
    let mut shared = Shared::new(Budget::new(sources.size.saturating_add(sources.origin.bytes_read())));
    let mut translations = Vec::with_capacity(graph.nodes.len());
    for &node in &graph.nodes {
        let before = (builder.nodes().len(), builder.rewrites().len());
        let mut import = || {
            let found = operators::find(node)?;
            let inputs = node.input.iter().map(|name| values.get(name.as_str()).cloned()).collect();
            let mut call = Call {
                attributes: Attributes::new(node)?,
                name: builder.fresh(node_name(node)),
                operator: node.op_type(),
                opset: graph.opset,
                is_output: same_as_output.contains(node.output[0].as_str()),
                builder: &mut builder,
                inputs,
                outputs: node.output.len(),
                further: Vec::new(),
                origin: &sources.origin,
                shared: &mut shared,
            };
            let mut given = vec![(found.import)(&mut call)?];
            call.attributes.finish()?;
            given.append(&mut call.further);
            Ok(given)
        };
        let given = import().map_err(|problem| node_error(node, graph.opset, problem))?;
        let mut not_given = node.output.iter().enumerate().skip(given.len());
        if let Some((index, tensor)) = not_given.find(|(_, name)| graph.is_read(name)) {
            let problem = Problem::SecondOutput { index, tensor: tensor.clone() };
            return Err(node_error(node, graph.opset, problem));
        }
        translations.push(translation(node, &builder, before, &given[0]));
        // An output without a name is left out, and an input without one reads none of these.
        let named = node.output.iter().map(String::as_str).zip(given).filter(|(name, _)| !name.is_empty());
        values.extend(named);
    }
    match values.get(graph.output) {
        Some(Value::Computed(output)) => {
            let output = shared.row_major(&mut builder, output, &format!("{}.transposed", graph.output));
            let id = output.map_err(|problem| Error::model(problem.to_string()))?.id;
            Ok(Imported { network: builder.finish(id)?, translations })
        }
        Some(Value::Constant(_)) => Err(Error::model("the output does not depend on the input")),
        None => Err(Error::model(format!("nothing gives the output \"{}\"", graph.output))),
    }
}

/// What a node became: the notes on it, else the operators that it added. `before` counts nodes and notes before it.
fn translation(node: &NodeProto, builder: &Builder, before: (usize, usize), value: &Value) -> Translation {
    let (added, noted) = (&builder.nodes()[before.0..], &builder.rewrites()[before.1..]);
    let mut words: Vec<&str> = noted.iter().map(|rewrite| rewrite.into.as_str()).collect();
    if words.is_empty() {
        words = added.iter().map(|node| node.op.name()).collect();
    }
    words.dedup();
    let into = match (value, words.is_empty()) {
        (Value::Constant(_), _) => "a constant".into(),
        (Value::Computed(_), true) => "nothing".into(),
        (Value::Computed(_), false) => words.join(", "),
    };
    let rounds = noted.iter().any(|rewrite| rewrite.rounds);
    Translation { node: node_name(node).to_owned(), operator: operator(node), into, rounds }
}
