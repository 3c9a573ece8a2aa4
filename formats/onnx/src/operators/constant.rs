//! Constant: <https://onnx.ai/onnx/operators/onnx__Constant.html>. Opset 11 added `sparse_value`, opset 12 the values that
//! are written as plain attributes; sparse and text values are refused as unknown.

use crate::Error;
use crate::Problem;
use crate::call::Call;
use crate::constant::{Constant, Numbers};
use crate::schema::TensorProto;
use crate::value::Value;
use std::sync::Arc;
use unmoved_ir::Data;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(0)?;
    let tensor = call.attributes.tensor("value")?;
    let mut given: Vec<Constant> = tensor.map(|tensor| of_tensor(call, tensor)).transpose()?.into_iter().collect();
    if call.opset >= 12 {
        let floats = |dims, values| Constant { dims, numbers: Numbers::Float(Data::F32(Arc::new(values))) };
        given.extend(call.attributes.optional_float("value_float")?.map(|v| floats(vec![], vec![v])));
        given.extend(call.attributes.floats("value_floats")?.map(|v| floats(vec![v.len()], v.to_vec())));
        given.extend(call.attributes.optional_int("value_int")?.map(|v| Constant::ints(vec![v]).reshaped(vec![])));
        given.extend(call.attributes.ints("value_ints")?.map(|v| Constant::ints(v.to_vec())));
    }
    call.attributes.finish()?;
    match <[Constant; 1]>::try_from(given) {
        Ok([constant]) => Ok(Value::Constant(constant)),
        Err(given) => Err(Problem::Other(format!("expected one value, found {}", given.len()))),
    }
}

/// A tensor that an attribute holds.
pub(super) fn of_tensor(call: &Call, tensor: &TensorProto) -> Result<Constant, Problem> {
    Constant::from_proto(tensor, call.origin).map_err(|error| match error {
        Error::Tensor { problem, .. } => problem,
        other => Problem::Other(other.to_string()),
    })
}
