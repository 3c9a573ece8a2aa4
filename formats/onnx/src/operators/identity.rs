//! Identity: <https://onnx.ai/onnx/operators/onnx__Identity.html>. Later opsets only added types.

use crate::Problem;
use crate::call::Call;
use crate::value::Value;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    call.any_order(0, "input")
}
