//! From the checked graph to the network: every tensor of the file becomes a [`Value`], node by node.

use crate::attributes::Attributes;
use crate::budget::Budget;
use crate::call::{Call, Shared, without_batch};
use crate::constant::{Constant, Origin};
use crate::graph::{self, Graph, node_error, node_name, opset};
use crate::schema::{ModelProto, NodeProto};
use crate::value::{Computed, Value};
use crate::{Error, Problem, file, operators, wire};
use prost::Message as _;
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

/// Every node whose operator cannot be read, in the order of the file; of a single or chosen output, those that it needs.
/// Looks at operators only: an attribute, shape or type may still be refused by [`crate::read`], which stops at the
/// first error.
pub fn unsupported(path: &Path, output: Option<&str>) -> Result<Vec<Unsupported>, Error> {
    let model = wire::decode(file::read_model(path)?)?;
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
pub(crate) fn network(model: &ModelProto, origin: &Origin, output: Option<&str>) -> Result<Network, Error> {
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
    for tensor in graph.proto.initializer.iter().filter(|t| graph.is_read(t.name())) {
        values.insert(tensor.name(), Value::Constant(Constant::from_proto(tensor, origin)?));
    }
    let same_as_output = graph.same_as_output();
    let mut shared = Shared::new(Budget::new(model.encoded_len().saturating_add(origin.bytes_read())));
    for &node in &graph.nodes {
        let mut import = || {
            let operator = operators::find(node)?;
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
                origin,
                shared: &mut shared,
            };
            let mut given = vec![(operator.import)(&mut call)?];
            call.attributes.finish()?;
            given.append(&mut call.further);
            Ok(given)
        };
        let given = import().map_err(|problem| node_error(node, graph.opset, problem))?;
        let unsupported = node.output.iter().enumerate().skip(given.len());
        for (index, tensor) in unsupported.filter(|(_, name)| graph.is_read(name)) {
            let problem = Problem::SecondOutput { index, tensor: tensor.clone() };
            return Err(node_error(node, graph.opset, problem));
        }
        values.extend(node.output.iter().map(String::as_str).zip(given));
    }
    match values.get(graph.output) {
        Some(Value::Computed(output)) => {
            let output = shared.row_major(&mut builder, output, &format!("{}.transposed", graph.output));
            Ok(builder.finish(output.map_err(|problem| Error::model(problem.to_string()))?.id)?)
        }
        Some(Value::Constant(_)) => Err(Error::model("the output does not depend on the input")),
        None => Err(Error::model(format!("nothing gives the output \"{}\"", graph.output))),
    }
}
