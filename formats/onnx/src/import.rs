//! From the checked graph to the network: every tensor of the file becomes a [`Value`], node by node.

use crate::attributes::Attributes;
use crate::broadcast::{self, IndexMap};
use crate::constant::{Constant, Numbers, Origin};
use crate::graph::{Graph, node_error, node_name, opset};
use crate::schema::ModelProto;
use crate::{Error, Problem, file, operators, wire};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use unmoved_ir::{Builder, Gather, IrError, Network, NodeId, Op, Scale, Shift, Tensor};

/// A tensor of the file.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// The same for every input.
    Constant(Constant),
    /// Depends on the input.
    Computed(Computed),
}

/// A value of the network under its ONNX shape, batch included. The node has as many elements in the same order; its
/// shape may differ until an operator needs it.
#[derive(Debug, Clone)]
pub(crate) struct Computed {
    pub(crate) id: NodeId,
    pub(crate) dims: Vec<usize>,
}

impl Value {
    pub(crate) fn dims(&self) -> &[usize] {
        match self {
            Self::Constant(c) => &c.dims,
            Self::Computed(x) => &x.dims,
        }
    }
}

/// The most elements of weights, index maps, scales and folded constants together: a few bytes of a file can ask for a
/// gigabyte of these (of weights too, since many nodes may share them and each fold needs its own), and for another
/// with the next few.
const MAX_BUILT: usize = 1 << 28;

/// The network's shape for an ONNX shape: without the batch.
pub(crate) fn without_batch(dims: &[usize]) -> &[usize] {
    match dims {
        [1, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    }
}

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

/// Every node whose operator cannot be read, in the order of the file. Looks at operators only: an attribute, shape or
/// type may still be refused by [`crate::read`], which stops at the first error.
pub fn unsupported(path: &Path) -> Result<Vec<Unsupported>, Error> {
    let model = wire::decode(file::read_model(path)?)?;
    let opset = opset(&model)?;
    let nodes = model.graph.iter().flat_map(|g| &g.node);
    let found = nodes.filter_map(|node| operators::find(node).err().map(|problem| node_error(node, opset, problem)));
    Ok(found
        .filter_map(|error| match error {
            Error::Node { operator, node, opset, problem } => Some(Unsupported { node, operator, opset, problem }),
            _ => None,
        })
        .collect())
}

/// Imports a decoded model.
pub(crate) fn network(model: &ModelProto, origin: &Origin) -> Result<Network, Error> {
    let graph = Graph::new(model)?;
    let mut builder = Builder::new();
    let mut keys = HashSet::new();
    for entry in &model.metadata_props {
        if !keys.insert(entry.key()) {
            return Err(Error::model(format!("the metadata key \"{}\" is given twice", entry.key())));
        }
        builder.metadata(entry.key(), entry.value());
    }
    let id = builder.input(graph.input.name, without_batch(&graph.input.dims), graph.input.dtype)?;
    let mut values = HashMap::from([(graph.input.name, Value::Computed(Computed { id, dims: graph.input.dims }))]);
    for tensor in &graph.proto.initializer {
        values.insert(tensor.name(), Value::Constant(Constant::from_proto(tensor, origin)?));
    }
    let mut budget = MAX_BUILT;
    for node in graph.nodes {
        let mut import = || {
            let operator = operators::find(node)?;
            let inputs = node.input.iter().map(|name| values.get(name.as_str()).cloned()).collect();
            let mut call = Call {
                attributes: Attributes::new(node)?,
                name: builder.fresh(node_name(node)),
                operator: node.op_type(),
                opset: graph.opset,
                is_output: node.output[0] == graph.output,
                builder: &mut builder,
                inputs,
                origin,
                budget: &mut budget,
            };
            let value = (operator.import)(&mut call)?;
            call.attributes.finish()?;
            Ok(value)
        };
        let value = import().map_err(|problem| node_error(node, graph.opset, problem))?;
        values.insert(node.output[0].as_str(), value);
    }
    match values.get(graph.output) {
        Some(Value::Computed(output)) => Ok(builder.finish(output.id)?),
        Some(Value::Constant(_)) => Err(Error::model("the output does not depend on the input")),
        None => Err(Error::model(format!("nothing gives the output \"{}\"", graph.output))),
    }
}

/// One node of the file, while it is imported.
pub(crate) struct Call<'a> {
    pub(crate) attributes: Attributes<'a>,
    pub(crate) opset: i64,
    /// The operator's name.
    pub(crate) operator: &'a str,
    /// The name that the node has in the network.
    pub(crate) name: String,
    /// Whether it gives the output of the graph.
    pub(crate) is_output: bool,
    pub(crate) builder: &'a mut Builder,
    pub(crate) origin: &'a Origin,
    inputs: Vec<Option<Value>>,
    budget: &'a mut usize,
}

impl Call<'_> {
    /// Errors on more inputs than the operator has.
    pub(crate) fn at_most(&self, inputs: usize) -> Result<(), Problem> {
        if self.inputs.len() <= inputs {
            return Ok(());
        }
        Err(Problem::Other(format!("takes at most {inputs} input(s), found {}", self.inputs.len())))
    }

    pub(crate) fn optional(&self, index: usize) -> Option<Value> {
        self.inputs.get(index).cloned().flatten()
    }

    pub(crate) fn required(&self, index: usize, name: &'static str) -> Result<Value, Problem> {
        self.optional(index).ok_or_else(|| Problem::input(index, name, "is missing"))
    }

    /// An input that depends on the network's input.
    pub(crate) fn computed(&self, index: usize, name: &'static str) -> Result<Computed, Problem> {
        match self.required(index, name)? {
            Value::Computed(x) => Ok(x),
            Value::Constant(_) => Err(Problem::input(index, name, "is a constant, which is not supported here")),
        }
    }

    pub(crate) fn constant(&self, index: usize, name: &'static str) -> Result<Constant, Problem> {
        match self.required(index, name)? {
            Value::Constant(c) => Ok(c),
            Value::Computed(_) => Err(Problem::input(index, name, "must be a constant")),
        }
    }

    pub(crate) fn optional_constant(&self, index: usize, name: &'static str) -> Result<Option<Constant>, Problem> {
        self.optional(index).map(|_| self.constant(index, name)).transpose()
    }

    /// Weights: a constant of finite floats.
    pub(crate) fn weights(&self, index: usize, name: &'static str) -> Result<Tensor, Problem> {
        self.constant(index, name)?.tensor().map_err(|problem| Problem::input(index, name, problem.to_string()))
    }

    /// A constant list of integers, or a single one.
    pub(crate) fn ints(&self, index: usize, name: &'static str) -> Result<Vec<i64>, Problem> {
        let constant = self.constant(index, name)?;
        match &constant.numbers {
            Numbers::Int(values) if constant.dims.len() <= 1 => Ok(values.to_vec()),
            _ => Err(Problem::input(index, name, "must be a list of integers")),
        }
    }

    /// Takes from the budget of the whole import; see [`MAX_BUILT`].
    pub(crate) fn spend(&mut self, elements: usize) -> Result<(), Problem> {
        match self.budget.checked_sub(elements) {
            Some(rest) => {
                *self.budget = rest;
                Ok(())
            }
            None => {
                Err(Problem::Shape(format!("the model needs weights and index maps of more than {MAX_BUILT} elements")))
            }
        }
    }

    /// Adds the node that stands for this one.
    pub(crate) fn push(&mut self, op: Op, inputs: &[NodeId]) -> Result<NodeId, IrError> {
        let name = self.builder.fresh(&self.name);
        self.builder.push(&name, op, inputs)
    }

    /// Records that the operator became others.
    pub(crate) fn note(&mut self, into: &str, rounds: bool) {
        self.builder.note(&self.name, self.operator, into, rounds);
    }

    /// The node of `x` under the network's shape `dims`, reshaped under a name of its own if it has another.
    pub(crate) fn shaped(&mut self, x: &Computed, dims: &[usize]) -> Result<NodeId, Problem> {
        if self.builder.shape(x.id).dims() == dims {
            return Ok(x.id);
        }
        let suffix = if dims.len() == 1 { "flat" } else { "shaped" };
        let name = self.builder.fresh(&format!("{}.{suffix}", self.name));
        self.spend(self.builder.shape(x.id).len())?;
        Ok(self.builder.reshape(&name, x.id, dims)?)
    }

    /// An input that must be `[1, channels, height, width]`, as a node of shape `[channels, height, width]`.
    pub(crate) fn image(&mut self, x: &Computed) -> Result<NodeId, Problem> {
        match x.dims.as_slice() {
            [1, rest @ ..] if rest.len() == 3 => self.shaped(x, rest),
            [batch, _, _, _] => Err(Problem::Shape(format!("a batch of {batch}; only a batch of one is supported"))),
            dims => {
                Err(Problem::Shape(format!("reads shape {dims:?}; only [1, channels, height, width] is supported")))
            }
        }
    }

    /// The same elements in the same order under another shape; this is what the file's node asks for, so the node of
    /// the network has its name.
    pub(crate) fn reshape(&mut self, value: &Value, dims: Vec<usize>) -> Result<Value, Problem> {
        let (from, to) = (value.dims(), dims.as_slice());
        if broadcast::checked_len(from)? != broadcast::checked_len(to)? {
            return Err(Problem::Shape(format!("{from:?} has not as many elements as {to:?}")));
        }
        match value {
            Value::Constant(c) => Ok(Value::Constant(c.reshaped(dims))),
            Value::Computed(x) => {
                self.spend(self.builder.shape(x.id).len())?;
                let name = self.builder.fresh(&self.name);
                let id = self.builder.reshape(&name, x.id, without_batch(&dims))?;
                Ok(Value::Computed(Computed { id, dims }))
            }
        }
    }

    /// Copies elements by an index map; the node of the network has the name of this one plus `suffix`.
    pub(crate) fn rearrange(&mut self, value: &Value, map: IndexMap, suffix: &str) -> Result<Value, Problem> {
        // An index takes twice the room of a weight.
        self.spend(map.index.len().saturating_mul(2))?;
        match value {
            Value::Constant(c) => Ok(Value::Constant(c.select(&map.index, map.dims))),
            Value::Computed(x) => {
                let name = self.builder.fresh(&format!("{}{suffix}", self.name));
                let gather = Gather::new(map.index, without_batch(&map.dims))?;
                let id = self.builder.push(&name, Op::Gather(gather), &[x.id])?;
                Ok(Value::Computed(Computed { id, dims: map.dims }))
            }
        }
    }

    /// The value repeated until it has shape `dims`; itself if it has as many elements already.
    pub(crate) fn expanded(&mut self, x: &Computed, dims: &[usize]) -> Result<Computed, Problem> {
        if x.dims.iter().product::<usize>() == dims.iter().product::<usize>() {
            return Ok(Computed { id: x.id, dims: dims.to_vec() });
        }
        let map = broadcast::expand(&x.dims, dims)?;
        match self.rearrange(&Value::Computed(x.clone()), map, ".expanded")? {
            Value::Computed(x) => Ok(x),
            Value::Constant(_) => unreachable!("a computed value stays one"),
        }
    }

    /// `scale * x + shift`, with one number per channel of an image or one per element.
    pub(crate) fn scale_and_shift(&mut self, x: &Computed, scale: Scale, shift: Shift) -> Result<Value, Problem> {
        let per_channel = matches!(x.dims.as_slice(), [1, channels, _, _] if *channels == scale.values.len());
        let id = if per_channel {
            self.image(x)?
        } else {
            self.spend(scale.values.len().saturating_mul(4))?;
            x.id
        };
        let rounds = scale.error > 0.0 || shift.errors.iter().any(|&e| e > 0.0);
        let name = self.builder.fresh(&self.name);
        let id = self.builder.affine(&name, id, scale, shift)?;
        self.note("a scale and shift", rounds);
        Ok(Value::Computed(Computed { id, dims: x.dims.clone() }))
    }
}
