//! Relu: <https://onnx.ai/onnx/operators/onnx__Relu.html>. Later opsets only added types.

use crate::Problem;
use crate::call::Call;
use crate::value::Value;
use unmoved_ir::Op;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed_in_any_order(0, "X")?;
    let id = call.push(Op::Relu, &[x.id])?;
    Ok(x.held_by(id).into())
}
