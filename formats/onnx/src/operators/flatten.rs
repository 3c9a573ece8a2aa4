//! Flatten: <https://onnx.ai/onnx/operators/onnx__Flatten.html>. Opset 11 allowed a negative axis.

use crate::Problem;
use crate::call::Call;
use crate::value::Value;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.required(0, "input")?;
    let axis = call.attributes.int("axis", 1)?;
    let rank = x.dims().len();
    let split = if axis < 0 && call.opset >= 11 { axis.checked_add(rank as i64) } else { Some(axis) };
    let split = split.and_then(|a| usize::try_from(a).ok()).filter(|&a| a <= rank);
    let split = split.ok_or_else(|| Problem::attribute("axis", format!("{axis} does not fit {rank} dimensions")))?;
    let (outer, inner) = x.dims().split_at(split);
    let dims = vec![outer.iter().product(), inner.iter().product()];
    call.reshape(&x, dims)
}
