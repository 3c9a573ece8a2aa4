//! The model as a whole: versions, what goes in and out, and its nodes in an order in which they can be computed.

use crate::broadcast::MAX_RANK;
use crate::schema::tensor_shape_proto::dimension::Value as Extent;
use crate::schema::{GraphProto, ModelProto, NodeProto, ValueInfoProto, type_proto};
use crate::schema::{tensor_proto::DataType, type_proto::Tensor as TensorType};
use crate::{Error, Problem};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::ops::RangeInclusive;
use unmoved_ir::DType;

/// The operator sets that are read: from the first with numpy broadcasting to that of the schema.
pub(crate) const OPSETS: RangeInclusive<i64> = 7..=28;

/// Of the schema that the types are generated from; a newer file may hold fields that would go unseen.
const MAX_IR_VERSION: i64 = 14;

/// A model whose outer parts have been checked.
pub(crate) struct Graph<'a> {
    pub(crate) proto: &'a GraphProto,
    pub(crate) opset: i64,
    pub(crate) input: Input<'a>,
    pub(crate) output: &'a str,
    /// The nodes that the output needs, each after those it reads, otherwise in the order of the file.
    pub(crate) nodes: Vec<&'a NodeProto>,
    /// How often those nodes read each tensor.
    reads: HashMap<&'a str, usize>,
}

/// The one input; an open batch dimension has become 1.
pub(crate) struct Input<'a> {
    pub(crate) name: &'a str,
    pub(crate) dims: Vec<usize>,
    pub(crate) dtype: DType,
}

impl<'a> Graph<'a> {
    /// The part of the model that the tensor `output` needs; without a name, the only output of the model.
    pub(crate) fn new(model: &'a ModelProto, output: Option<&str>) -> Result<Self, Error> {
        let refuse = |what: &str| Err(Error::model(format!("{what} are not supported")));
        let proto = graph(model)?;
        if !(3..=MAX_IR_VERSION).contains(&model.ir_version()) {
            return Err(Error::model(format!(
                "ONNX IR version {} is not supported; the supported ones are 3 to {MAX_IR_VERSION}",
                model.ir_version()
            )));
        }
        if !model.functions.is_empty() {
            return refuse("functions of the model");
        }
        if !model.training_info.is_empty() {
            return refuse("training graphs");
        }
        if !proto.sparse_initializer.is_empty() {
            return refuse("sparse initialisers");
        }
        if !proto.quantization_annotation.is_empty() {
            return refuse("quantised tensors");
        }
        let opset = opset(model)?;
        let free = free_inputs(proto);
        let order = sorted(proto, opset, &free)?;
        let output = chosen_output(proto, output)?;
        let needed = needed(&order, output);
        let nodes: Vec<&NodeProto> =
            order.into_iter().zip(needed).filter(|(_, needed)| *needed).map(|(n, _)| n).collect();
        let mut reads = HashMap::new();
        for name in nodes.iter().flat_map(|node| &node.input).filter(|name| !name.is_empty()) {
            *reads.entry(name.as_str()).or_insert(0) += 1;
        }
        let input = input(&free, |name| name == output || reads.contains_key(name))?;
        Ok(Self { proto, opset, input, output, nodes, reads })
    }

    /// Whether a needed node, or the output, reads this tensor.
    pub(crate) fn is_read(&self, name: &str) -> bool {
        name == self.output || self.reads.contains_key(name)
    }

    /// The tensors that are nothing but the output under another name or shape, the output among them.
    pub(crate) fn same_as_output(&self) -> HashSet<&'a str> {
        const KEEPING: [&str; 7] = ["Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"];
        let mut same = HashSet::from([self.output]);
        for node in self.nodes.iter().rev().filter(|n| is_default(n.domain()) && KEEPING.contains(&n.op_type())) {
            let Some(from) = node.input.first() else { continue };
            if same.contains(node.output[0].as_str()) && self.reads.get(from.as_str()) == Some(&1) {
                same.insert(from);
            }
        }
        same
    }
}

pub(crate) fn graph(model: &ModelProto) -> Result<&GraphProto, Error> {
    model.graph.as_ref().ok_or_else(|| Error::model("the model has no graph"))
}

/// The output of that name, or any other tensor that a node gives; without a name, the only output.
pub(crate) fn chosen_output<'a>(graph: &'a GraphProto, name: Option<&str>) -> Result<&'a str, Error> {
    let mut outputs = graph.output.iter().map(|o| o.name());
    match (name, graph.output.as_slice()) {
        (None, [output]) => Ok(output.name()),
        (None, []) => Err(Error::model("the model has no output")),
        (None, _) => Err(Error::Outputs { names: outputs.map(str::to_owned).collect() }),
        (Some(name), _) => {
            let inner = graph.node.iter().flat_map(|n| &n.output).map(String::as_str);
            let found = outputs.by_ref().chain(inner).find(|&o| o == name && !o.is_empty());
            found.ok_or_else(|| Error::NoSuchOutput {
                name: name.to_owned(),
                names: graph.output.iter().map(|o| o.name().to_owned()).collect(),
            })
        }
    }
}

/// Which nodes a tensor depends on.
pub(crate) fn needed(nodes: &[&NodeProto], tensor: &str) -> Vec<bool> {
    let mut producers = HashMap::new();
    for (k, node) in nodes.iter().enumerate() {
        producers.extend(node.output.iter().map(|name| (name.as_str(), k)));
    }
    let mut needed = vec![false; nodes.len()];
    let mut waiting = vec![tensor];
    while let Some(name) = waiting.pop() {
        if let Some(&k) = producers.get(name)
            && !std::mem::replace(&mut needed[k], true)
        {
            waiting.extend(nodes[k].input.iter().filter(|name| !name.is_empty()).map(String::as_str));
        }
    }
    needed
}

/// True for the default operator set, which has two spellings.
pub(crate) fn is_default(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// The name by which a node is known: its own, or that of its first output.
pub(crate) fn node_name(node: &NodeProto) -> &str {
    match node.name() {
        "" => node.output.first().map_or("", String::as_str),
        name => name,
    }
}

/// The operator of a node, with its domain unless that is the default one.
pub(crate) fn operator(node: &NodeProto) -> String {
    match node.domain() {
        domain if is_default(domain) => node.op_type().to_owned(),
        domain => format!("{domain}.{}", node.op_type()),
    }
}

pub(crate) fn node_error(node: &NodeProto, opset: i64, problem: Problem) -> Error {
    let operator = operator(node);
    Error::Node { operator, node: node_name(node).to_owned(), opset, problem }
}

/// The version of the default operator set.
pub(crate) fn opset(model: &ModelProto) -> Result<i64, Error> {
    let mut versions: Vec<i64> =
        model.opset_import.iter().filter(|o| is_default(o.domain())).map(|o| o.version()).collect();
    // Some exporters say the same twice.
    versions.dedup();
    let mut versions = versions.into_iter();
    match (versions.next(), versions.next()) {
        (Some(version), None) if OPSETS.contains(&version) => Ok(version),
        (Some(found), None) => {
            let problem = Problem::UnsupportedOpset { found, first: *OPSETS.start(), last: *OPSETS.end() };
            Err(Error::model(problem.to_string()))
        }
        (None, _) => Err(Error::model("the model imports no version of the default operator set")),
        (Some(_), Some(_)) => Err(Error::model("the model imports two versions of the default operator set")),
    }
}

/// The inputs that are not initialisers.
fn free_inputs(graph: &GraphProto) -> Vec<&ValueInfoProto> {
    let initialised: HashSet<&str> = graph.initializer.iter().map(|t| t.name()).collect();
    graph.input.iter().filter(|i| !initialised.contains(i.name())).collect()
}

/// The one input that is read; what else stands there changes nothing.
fn input<'a>(free: &[&'a ValueInfoProto], is_read: impl Fn(&str) -> bool) -> Result<Input<'a>, Error> {
    let read: Vec<_> = free.iter().filter(|i| free.len() == 1 || is_read(i.name())).collect();
    let [input] = read.as_slice() else {
        let names: Vec<_> = read.iter().take(10).map(|i| format!("\"{}\"", i.name())).collect();
        return Err(Error::model(format!(
            "a network has one input, the model has {} ({})",
            read.len(),
            names.join(", ")
        )));
    };
    let name = input.name();
    if name.is_empty() {
        return Err(Error::model("the input has no name"));
    }
    let refuse = |why: String| Error::model(format!("input \"{name}\" {why}"));
    let tensor = tensor_type(input).ok_or_else(|| refuse("is not a tensor".into()))?;
    let dtype = match DataType::try_from(tensor.elem_type()) {
        Ok(DataType::Float) => DType::F32,
        Ok(DataType::Double) => DType::F64,
        other => {
            let name = other.map_or("unknown", |t| t.as_str_name()).to_lowercase();
            return Err(refuse(format!("has type {name}; only float and double are supported")));
        }
    };
    let shape = tensor.shape.as_ref().ok_or_else(|| refuse("has no shape".into()))?;
    if shape.dim.len() > MAX_RANK {
        return Err(refuse(format!("has {} dimensions (the limit is {MAX_RANK})", shape.dim.len())));
    }
    let mut dims = Vec::with_capacity(shape.dim.len());
    for (axis, dim) in shape.dim.iter().enumerate() {
        let open = match &dim.value {
            // Old exporters write an open extent as 0 or -1.
            Some(Extent::DimValue(extent)) if *extent > 0 => {
                dims.push(usize::try_from(*extent).map_err(|_| refuse("is too large".into()))?);
                continue;
            }
            Some(Extent::DimParam(symbol)) if !symbol.is_empty() => format!("\"{symbol}\""),
            _ => "?".into(),
        };
        if axis > 0 || shape.dim.len() < 2 {
            return Err(refuse(format!("has the open extent {open} at axis {axis}; only the batch may be open")));
        }
        dims.push(1);
    }
    Ok(Input { name, dims, dtype })
}

fn tensor_type(value: &ValueInfoProto) -> Option<&TensorType> {
    match value.r#type.as_ref()?.value.as_ref()? {
        type_proto::Value::TensorType(tensor) => Some(tensor),
        _ => None,
    }
}

/// Kahn's algorithm, smallest position first, so that a sorted file keeps its order.
fn sorted<'a>(graph: &'a GraphProto, opset: i64, free: &[&'a ValueInfoProto]) -> Result<Vec<&'a NodeProto>, Error> {
    let fail = |k: usize, problem| node_error(&graph.node[k], opset, problem);
    let mut given: HashSet<&str> = free.iter().map(|i| i.name()).collect();
    for tensor in &graph.initializer {
        if tensor.name().is_empty() || !given.insert(tensor.name()) {
            let problem = Problem::DuplicateTensor(tensor.name().to_owned());
            return Err(Error::Tensor { tensor: tensor.name().to_owned(), problem });
        }
    }
    let mut producers: HashMap<&str, usize> = HashMap::new();
    for (k, node) in graph.node.iter().enumerate() {
        if node.output.first().is_none_or(String::is_empty) {
            return Err(fail(k, Problem::Other("it gives nothing".into())));
        }
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            if given.contains(name.as_str()) || producers.insert(name, k).is_some() {
                return Err(fail(k, Problem::DuplicateTensor(name.clone())));
            }
        }
    }
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); graph.node.len()];
    let mut waiting = vec![0usize; graph.node.len()];
    for (k, node) in graph.node.iter().enumerate() {
        for name in node.input.iter().filter(|name| !name.is_empty() && !given.contains(name.as_str())) {
            match producers.get(name.as_str()) {
                None => return Err(fail(k, Problem::MissingTensor(name.clone()))),
                Some(&producer) => {
                    readers[producer].push(k);
                    waiting[k] += 1;
                }
            }
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> = (0..waiting.len()).filter(|&k| waiting[k] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(graph.node.len());
    while let Some(Reverse(k)) = ready.pop() {
        order.push(&graph.node[k]);
        for &reader in &readers[k] {
            waiting[reader] -= 1;
            if waiting[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    match waiting.iter().position(|&n| n > 0) {
        Some(k) => Err(fail(k, Problem::Cycle(graph.node[k].output[0].clone()))),
        None => Ok(order),
    }
}
