//! Relu: <https://onnx.ai/onnx/operators/onnx__Relu.html>. Later opsets only added types.

use super::pieces;
use crate::Problem;
use crate::call::Call;
use crate::value::Value;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed_in_any_order(0, "X")?;
    Ok(pieces::relu(call, &x, "")?.into())
}
