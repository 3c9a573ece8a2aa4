//! Relu: <https://onnx.ai/onnx/operators/onnx__Relu.html>. Later opsets only added types.

use crate::Problem;
use crate::import::{Call, Computed, Value};
use unmoved_ir::Op;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed(0, "X")?;
    let id = call.push(Op::Relu, &[x.id])?;
    Ok(Value::Computed(Computed { id, dims: x.dims }))
}
