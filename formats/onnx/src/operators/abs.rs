//! Abs: <https://onnx.ai/onnx/operators/onnx__Abs.html>, as `2 relu(x) - x`. Later opsets only added types.

use super::pieces::{relu, sum, times};
use crate::Problem;
use crate::call::Call;
use crate::value::Value;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed_in_any_order(0, "X")?;
    let positive = relu(call, &x, ".relu")?;
    let positive = times(call, &positive, ".twice", 2.0)?;
    let negated = times(call, &x, ".negated", -1.0)?;
    let y = sum(call, &positive, &negated, "")?;
    call.note("a ReLU, doubled, minus the value", false);
    Ok(y.into())
}
