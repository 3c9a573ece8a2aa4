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
    /// Every node after those it reads, otherwise in the order of the file.
    pub(crate) nodes: Vec<&'a NodeProto>,
}

/// The one input; an open batch dimension has become 1.
pub(crate) struct Input<'a> {
    pub(crate) name: &'a str,
    pub(crate) dims: Vec<usize>,
    pub(crate) dtype: DType,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(model: &'a ModelProto) -> Result<Self, Error> {
        let refuse = |what: &str| Err(Error::model(format!("{what} are not supported")));
        let proto = model.graph.as_ref().ok_or_else(|| Error::model("the model has no graph"))?;
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
        let input = input(proto)?;
        let [output] = proto.output.as_slice() else {
            return Err(Error::model(format!("a network has one output, the model has {}", proto.output.len())));
        };
        let nodes = sorted(proto, opset, input.name)?;
        Ok(Self { proto, opset, input, output: output.name(), nodes })
    }
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

pub(crate) fn node_error(node: &NodeProto, opset: i64, problem: Problem) -> Error {
    let operator = match node.domain() {
        domain if is_default(domain) => node.op_type().to_owned(),
        domain => format!("{domain}.{}", node.op_type()),
    };
    Error::Node { operator, node: node_name(node).to_owned(), opset, problem }
}

/// The version of the default operator set.
pub(crate) fn opset(model: &ModelProto) -> Result<i64, Error> {
    let mut versions = model.opset_import.iter().filter(|o| is_default(o.domain())).map(|o| o.version());
    match (versions.next(), versions.next()) {
        (Some(version), None) if OPSETS.contains(&version) => Ok(version),
        (Some(found), None) => {
            let problem = Problem::UnsupportedOpset { found, first: *OPSETS.start(), last: *OPSETS.end() };
            Err(Error::model(problem.to_string()))
        }
        (None, _) => Err(Error::model("the model imports no version of the default operator set")),
        (Some(_), Some(_)) => Err(Error::model("the model imports the default operator set twice")),
    }
}

/// The input that is not an initialiser; there must be exactly one.
fn input(graph: &GraphProto) -> Result<Input<'_>, Error> {
    let initialised: HashSet<&str> = graph.initializer.iter().map(|t| t.name()).collect();
    let free: Vec<_> = graph.input.iter().filter(|i| !initialised.contains(i.name())).collect();
    let [input] = free.as_slice() else {
        let names: Vec<_> = free.iter().take(10).map(|i| format!("\"{}\"", i.name())).collect();
        return Err(Error::model(format!(
            "a network has one input, the model has {} ({})",
            free.len(),
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
fn sorted<'a>(graph: &'a GraphProto, opset: i64, input: &'a str) -> Result<Vec<&'a NodeProto>, Error> {
    let fail = |k: usize, problem| node_error(&graph.node[k], opset, problem);
    let mut given: HashSet<&str> = HashSet::from([input]);
    for tensor in &graph.initializer {
        if tensor.name().is_empty() || !given.insert(tensor.name()) {
            let problem = Problem::DuplicateTensor(tensor.name().to_owned());
            return Err(Error::Tensor { tensor: tensor.name().to_owned(), problem });
        }
    }
    // Who gives each tensor, and as which of its outputs.
    let mut producers: HashMap<&str, (usize, usize)> = HashMap::new();
    for (k, node) in graph.node.iter().enumerate() {
        if node.output.first().is_none_or(String::is_empty) {
            return Err(fail(k, Problem::Other("it gives nothing".into())));
        }
        for (position, name) in node.output.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            if given.contains(name.as_str()) || producers.insert(name, (k, position)).is_some() {
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
                Some(&(producer, 0)) => {
                    readers[producer].push(k);
                    waiting[k] += 1;
                }
                Some(&(producer, index)) => {
                    return Err(fail(producer, Problem::SecondOutput { index, tensor: name.clone() }));
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
