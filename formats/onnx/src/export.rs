//! From the network to an ONNX model of opset 17, the same bytes for the same network.
//!
//! Every node becomes an ONNX node of its name, whose output has that name too; all values have a batch dimension of 1.
//! Index maps that only change the shape become Reshape. Others become Flatten, Gather over axis 1 and Reshape, with a
//! zero appended by Pad for elements that copy nothing; `import` makes one index map of these again.

use crate::Error;
use crate::schema::attribute_proto::AttributeType;
use crate::schema::tensor_proto::DataType;
use crate::schema::type_proto::Tensor as TensorType;
use crate::schema::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, tensor_shape_proto, type_proto,
};
use crate::{file, schema};
use prost::Message as _;
use prost::bytes::Bytes;
use std::collections::HashSet;
use unmoved_ir::{Conv2d, DType, Data, Dense, Gather, MaxPool, Network, Node, NodeId, Op, Shape, Tensor};

/// The operator set of what is written, and the IR version that belongs to it.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

/// A model as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The file's content, uncompressed.
    pub bytes: Vec<u8>,
    /// True if some weight had to be rounded to f32.
    pub rounded: bool,
}

pub(crate) fn to_bytes(network: &Network) -> Result<Exported, Error> {
    let mut writer = Writer::new(network);
    for (id, _) in network.iter().skip(1) {
        writer.node(id)?;
    }
    let mut output = network.node(network.output()).name.clone();
    if network.ordering_only() {
        output = writer.softmax(&output)?;
    }
    let (input, result) = (network.input(), network.node(network.output()));
    let graph = GraphProto {
        name: Some("network".into()),
        input: vec![writer.value_info(&input.name, &input.shape)],
        output: vec![writer.value_info(&output, &result.shape)],
        node: writer.nodes,
        initializer: writer.tensors,
        ..GraphProto::default()
    };
    let entry = |(key, value): (&String, &String)| StringStringEntryProto {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("unmoved".into()),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
        graph: Some(graph),
        metadata_props: network.metadata().iter().map(entry).collect(),
        ..ModelProto::default()
    };
    if model.encoded_len() as u64 > file::MAX_BYTES {
        return Err(Error::TooLarge { what: "bytes", limit: file::MAX_BYTES });
    }
    Ok(Exported { bytes: model.encode_to_vec(), rounded: writer.rounded })
}

struct Writer<'a> {
    network: &'a Network,
    names: HashSet<String>,
    nodes: Vec<NodeProto>,
    tensors: Vec<TensorProto>,
    rounded: bool,
}

impl<'a> Writer<'a> {
    fn new(network: &'a Network) -> Self {
        // The names of the nodes are taken first: they must come back unchanged, the others need only be new.
        let names = network.nodes().iter().map(|n| n.name.clone()).collect();
        Self { network, names, nodes: Vec::new(), tensors: Vec::new(), rounded: false }
    }

    fn node(&mut self, id: NodeId) -> Result<(), Error> {
        let node = self.network.node(id);
        let inputs: Vec<&str> = node.inputs.iter().map(|&i| self.network.node(i).name.as_str()).collect();
        match &node.op {
            Op::Input(_) => unreachable!("only node 0 is the input"),
            Op::Dense(dense) => self.dense(node, dense, inputs[0])?,
            Op::Conv2d(conv) => self.conv(node, conv, inputs[0])?,
            Op::Relu => self.push("Relu", &inputs, &node.name, vec![]),
            Op::MaxPool(pool) => self.max_pool(node, pool, inputs[0]),
            Op::Flatten => self.push("Flatten", &inputs, &node.name, vec![int("axis", 1)]),
            Op::Add => self.push("Add", &inputs, &node.name, vec![]),
            Op::Gather(gather) => {
                let from = &self.network.node(node.inputs[0]).shape;
                self.gather(node, gather, inputs[0], from);
            }
        }
        Ok(())
    }

    fn dense(&mut self, node: &Node, dense: &Dense, input: &str) -> Result<(), Error> {
        let weight = self.weights(node, "weight", &dense.weight)?;
        let bias = self.weights(node, "bias", &dense.bias)?;
        self.push("Gemm", &[input, &weight, &bias], &node.name, vec![int("transB", 1)]);
        Ok(())
    }

    fn conv(&mut self, node: &Node, conv: &Conv2d, input: &str) -> Result<(), Error> {
        let weight = self.weights(node, "weight", &conv.weight)?;
        let bias = self.weights(node, "bias", &conv.bias)?;
        let attributes = vec![
            ints("dilations", &conv.dilation),
            int("group", conv.groups as i64),
            ints("kernel_shape", &conv.kernel()),
            ints("pads", &conv.padding),
            ints("strides", &conv.stride),
        ];
        self.push("Conv", &[input, &weight, &bias], &node.name, attributes);
        Ok(())
    }

    fn max_pool(&mut self, node: &Node, pool: &MaxPool, input: &str) {
        let attributes = vec![
            ints("dilations", &pool.dilation),
            ints("kernel_shape", &pool.kernel),
            ints("pads", &pool.padding),
            ints("strides", &pool.stride),
        ];
        self.push("MaxPool", &[input], &node.name, attributes);
    }

    fn gather(&mut self, node: &Node, gather: &Gather, input: &str, from: &Shape) {
        if gather.is_reshape(from.len()) {
            return self.reshape(node, input);
        }
        let mut value = input.to_owned();
        if from.rank() != 1 {
            let flat = self.fresh(&node.name, "flat");
            self.push("Flatten", &[&value], &flat, vec![int("axis", 1)]);
            value = flat;
        }
        if gather.index.contains(&None) {
            let pads = self.indices(node, "pads", [0, 0, 0, 1].into_iter());
            let padded = self.fresh(&node.name, "padded");
            self.push("Pad", &[&value, &pads], &padded, vec![]);
            value = padded;
        }
        let zero = from.len() as i64;
        let index = self.indices(node, "index", gather.index.iter().map(|i| i.map_or(zero, i64::from)));
        if node.shape.rank() == 1 {
            return self.push("Gather", &[&value, &index], &node.name, vec![int("axis", 1)]);
        }
        let picked = self.fresh(&node.name, "picked");
        self.push("Gather", &[&value, &index], &picked, vec![int("axis", 1)]);
        self.reshape(node, &picked);
    }

    fn reshape(&mut self, node: &Node, input: &str) {
        let shape = self.indices(node, "shape", with_batch(&node.shape).into_iter());
        self.push("Reshape", &[input, &shape], &node.name, vec![]);
    }

    /// The Softmax that an import dropped, so that the file still gives probabilities. Its name and kind are those of
    /// the dropped one, if the network remembers.
    fn softmax(&mut self, logits: &str) -> Result<String, Error> {
        let node = self.network.node(self.network.output());
        let dims = with_batch(&node.shape);
        let axis = dims.iter().rposition(|&d| d as usize == node.shape.len()).ok_or_else(|| Error::Export {
            node: node.name.clone(),
            reason: format!("no Softmax over one axis spans the output {}", node.shape),
        })?;
        let dropped = self.network.rewrites().iter().rev().find(|r| r.from == "Softmax" || r.from == "LogSoftmax");
        let (name, operator) = dropped.map_or(("softmax", "Softmax"), |r| (r.node.as_str(), r.from.as_str()));
        let name = self.unused(name);
        self.push(operator, &[logits], &name, vec![int("axis", axis as i64)]);
        Ok(name)
    }

    /// Adds a node that has the name of its output.
    fn push(&mut self, operator: &str, inputs: &[&str], name: &str, attribute: Vec<AttributeProto>) {
        self.nodes.push(NodeProto {
            op_type: Some(operator.into()),
            name: Some(name.into()),
            input: inputs.iter().map(|&i| i.to_owned()).collect(),
            output: vec![name.into()],
            attribute,
            ..NodeProto::default()
        });
    }

    /// `name.role`, made unused.
    fn fresh(&mut self, name: &str, role: &str) -> String {
        self.unused(&format!("{name}.{role}"))
    }

    fn unused(&mut self, name: &str) -> String {
        let numbered = (2..).map(|k| format!("{name}.{k}"));
        let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
        let name = candidates.find(|n| !self.names.contains(n)).expect("names are finite");
        self.names.insert(name.clone());
        name
    }

    /// Adds an initialiser in the type of the network's input.
    fn weights(&mut self, node: &Node, role: &str, tensor: &Tensor) -> Result<String, Error> {
        let (data_type, raw) = match (self.network.input_dtype(), tensor.data()) {
            (DType::F32, Data::F32(v)) => (DataType::Float, raw(v.iter().map(|v| v.to_le_bytes()))),
            (DType::F32, Data::F64(v)) => {
                if let Some(v) = v.iter().find(|&&v| !(v as f32).is_finite()) {
                    let reason = format!("its {role} {v:e} is beyond f32");
                    return Err(Error::Export { node: node.name.clone(), reason });
                }
                self.rounded |= v.iter().any(|&v| f64::from(v as f32) != v);
                (DataType::Float, raw(v.iter().map(|&v| (v as f32).to_le_bytes())))
            }
            (DType::F64, Data::F32(v)) => (DataType::Double, raw(v.iter().map(|&v| f64::from(v).to_le_bytes()))),
            (DType::F64, Data::F64(v)) => (DataType::Double, raw(v.iter().map(|v| v.to_le_bytes()))),
        };
        let dims = tensor.shape().dims().iter().map(|&d| d as i64).collect();
        Ok(self.tensor(node, role, dims, data_type, raw))
    }

    /// Adds an initialiser of integers.
    fn indices(&mut self, node: &Node, role: &str, values: impl Iterator<Item = i64>) -> String {
        let raw = raw(values.map(i64::to_le_bytes));
        self.tensor(node, role, vec![raw.len() as i64 / 8], DataType::Int64, raw)
    }

    fn tensor(&mut self, node: &Node, role: &str, dims: Vec<i64>, data_type: DataType, raw: Bytes) -> String {
        let name = self.fresh(&node.name, role);
        self.tensors.push(TensorProto {
            dims,
            data_type: Some(data_type as i32),
            raw_data: Some(raw),
            name: Some(name.clone()),
            ..TensorProto::default()
        });
        name
    }

    fn value_info(&self, name: &str, shape: &Shape) -> ValueInfoProto {
        let data_type = match self.network.input_dtype() {
            DType::F32 => DataType::Float,
            DType::F64 => DataType::Double,
        };
        let dimension = |extent| tensor_shape_proto::Dimension {
            value: Some(tensor_shape_proto::dimension::Value::DimValue(extent)),
            denotation: None,
        };
        let tensor = TensorType {
            elem_type: Some(data_type as i32),
            shape: Some(TensorShapeProto { dim: with_batch(shape).into_iter().map(dimension).collect() }),
        };
        ValueInfoProto {
            name: Some(name.into()),
            r#type: Some(TypeProto { denotation: None, value: Some(type_proto::Value::TensorType(tensor)) }),
            ..ValueInfoProto::default()
        }
    }
}

/// The ONNX shape of a value: a batch of one.
fn with_batch(shape: &Shape) -> Vec<i64> {
    std::iter::once(1).chain(shape.dims().iter().map(|&d| d as i64)).collect()
}

fn raw<const N: usize>(numbers: impl Iterator<Item = [u8; N]>) -> Bytes {
    numbers.flatten().collect::<Vec<u8>>().into()
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::Int) }
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto { ints: values.iter().map(|&v| v as i64).collect(), ..attribute(name, AttributeType::Ints) }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(kind as i32), ..schema::AttributeProto::default() }
}
