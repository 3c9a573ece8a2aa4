//! Models written down in Rust, read and computed.

mod corners;
mod files;
mod generated;
mod graphs;
mod hostile;
mod operators;
mod piecewise;
mod products;
mod refusals;
mod shapes;

use crate::schema::attribute_proto::AttributeType;
use crate::schema::tensor_proto::DataType;
use crate::schema::tensor_shape_proto::{Dimension, dimension};
use crate::schema::*;
use crate::{Error, from_bytes};
use prost::Message as _;
use unmoved_ir::Network;

/// A model with the input `x` and the output `y`, opset 13.
#[derive(Clone)]
struct Model(ModelProto);

fn value(name: &str, kind: DataType, dims: &[i64]) -> ValueInfoProto {
    let dim =
        dims.iter().map(|&d| Dimension { value: Some(dimension::Value::DimValue(d)), denotation: None }).collect();
    let tensor = type_proto::Tensor { elem_type: Some(kind as i32), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { denotation: None, value: Some(type_proto::Value::TensorType(tensor)) }),
        ..Default::default()
    }
}

fn tensor(name: &str, kind: DataType, dims: &[i64]) -> TensorProto {
    TensorProto { name: Some(name.into()), data_type: Some(kind as i32), dims: dims.to_vec(), ..Default::default() }
}

fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto { float_data: values.to_vec(), ..tensor(name, DataType::Float, dims) }
}

fn int64s(name: &str, dims: &[i64], values: &[i64]) -> TensorProto {
    TensorProto { int64_data: values.to_vec(), ..tensor(name, DataType::Int64, dims) }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(kind as i32), ..Default::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::Int) }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::Ints) }
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..attribute(name, AttributeType::Float) }
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: Some(value.to_owned().into()), ..attribute(name, AttributeType::String) }
}

impl Model {
    fn new(input: &[i64]) -> Self {
        let graph = GraphProto {
            input: vec![value("x", DataType::Float, input)],
            output: vec![value("y", DataType::Float, &[])],
            ..Default::default()
        };
        Self(ModelProto {
            ir_version: Some(8),
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(13) }],
            graph: Some(graph),
            ..Default::default()
        })
    }

    fn graph(&mut self) -> &mut GraphProto {
        self.0.graph.as_mut().unwrap()
    }

    fn opset(mut self, version: i64) -> Self {
        self.0.opset_import[0].version = Some(version);
        self
    }

    fn node(mut self, operator: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> Self {
        let node = NodeProto {
            op_type: Some(operator.into()),
            name: Some(format!("/{output}/{operator}")),
            input: inputs.iter().map(|&i| i.to_owned()).collect(),
            output: vec![output.into()],
            attribute: attributes,
            ..Default::default()
        };
        self.graph().node.push(node);
        self
    }

    /// Gives the tensor of that name instead of `y`.
    fn output(mut self, name: &str) -> Self {
        self.graph().output[0].name = Some(name.into());
        self
    }

    fn tensor(mut self, tensor: TensorProto) -> Self {
        self.graph().initializer.push(tensor);
        self
    }

    fn floats(self, name: &str, dims: &[i64], values: &[f32]) -> Self {
        self.tensor(floats(name, dims, values))
    }

    fn int64s(self, name: &str, values: &[i64]) -> Self {
        self.tensor(int64s(name, &[values.len() as i64], values))
    }

    fn change(mut self, change: impl FnOnce(&mut ModelProto)) -> Self {
        change(&mut self.0);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    fn read(&self) -> Result<Network, Error> {
        from_bytes(&self.bytes())
    }

    /// The output on one input, and the operators of the network.
    #[track_caller]
    fn run(&self, input: &[f32]) -> (Vec<f32>, String) {
        let network = self.read().unwrap();
        let operators: Vec<_> = network.nodes()[1..].iter().map(|n| n.op.name()).collect();
        (network.forward(input).unwrap(), operators.join(" "))
    }
}
