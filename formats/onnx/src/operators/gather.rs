//! Gather: <https://onnx.ai/onnx/operators/onnx__Gather.html>. Opset 11 allowed negative axes and indices.

use crate::Problem;
use crate::broadcast;
use crate::call::Call;
use crate::constant::Numbers;
use crate::value::Value;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(2)?;
    let x = call.required(0, "data")?;
    let indices = call.constant(1, "indices")?;
    let axis = call.attributes.int("axis", 0)?;
    let from = x.dims();
    let axis = broadcast::axis(axis, from.len())
        .ok_or_else(|| Problem::attribute("axis", format!("{axis} does not fit {from:?}")))?;
    let Numbers::Int(numbers) = &indices.numbers else {
        return Err(Problem::input(1, "indices", "must be integers"));
    };
    let chosen: Option<Vec<usize>> = numbers.iter().map(|&i| broadcast::axis(i, from[axis])).collect();
    let chosen =
        chosen.ok_or_else(|| Problem::input(1, "indices", format!("must lie below {} at axis {axis}", from[axis])))?;
    let map = broadcast::take(call.budget(), from, axis, &chosen, &indices.dims)?;
    call.rearrange(&x, map, "")
}
