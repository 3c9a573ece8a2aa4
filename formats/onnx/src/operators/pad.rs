//! Pad: <https://onnx.ai/onnx/operators/onnx__Pad.html>. Opset 11 turned `pads` and `value` into inputs, opset 18 added
//! `axes`, opset 19 the mode `wrap`. Only zeros are supported.

use crate::Problem;
use crate::broadcast;
use crate::call::Call;
use crate::constant::Numbers;
use crate::value::Value;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    let x = call.required(0, "data")?;
    let rank = x.dims().len();
    let mode = call.attributes.string("mode", "constant")?;
    if mode != "constant" {
        return Err(Problem::attribute("mode", format!("\"{mode}\" is not supported, only \"constant\"")));
    }
    let (pads, value_is_zero) = if call.opset < 11 {
        call.at_most(1)?;
        let pads = call.attributes.ints("pads")?.ok_or_else(|| Problem::attribute("pads", "is missing"))?;
        (pads.to_vec(), call.attributes.float("value", 0.0)? == 0.0)
    } else {
        call.at_most(if call.opset < 18 { 3 } else { 4 })?;
        let zero = match call.optional_constant(2, "constant_value")? {
            None => true,
            Some(c) if matches!(c.numbers, Numbers::Int(_)) => c == c.select(&vec![None; c.len()], c.dims.clone()),
            Some(c) => c.tensor()?.to_f64().iter().all(|&v| v == 0.0),
        };
        (call.ints(1, "pads")?, zero)
    };
    if !value_is_zero {
        return Err(Problem::Other("padding with other numbers than zero is not supported".into()));
    }
    let axes: Vec<i64> = if call.has(3) { call.ints(3, "axes")? } else { (0..rank as i64).collect() };
    if pads.len() != 2 * axes.len() {
        return Err(Problem::Shape(format!("{} pads for {} axes", pads.len(), axes.len())));
    }
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    for (k, &axis) in axes.iter().enumerate() {
        let axis = broadcast::axis(axis, rank)
            .ok_or_else(|| Problem::input(3, "axes", format!("{axis} does not fit {rank} dimensions")))?;
        before[axis] = pads[k];
        after[axis] = pads[k + axes.len()];
    }
    let map = broadcast::pad(call.budget(), x.dims(), &before, &after)?;
    call.rearrange(&x, map, "")
}
