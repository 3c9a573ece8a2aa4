//! Pad: <https://onnx.ai/onnx/operators/onnx__Pad.html>. Opset 11 turned `pads` and `value` into inputs, opset 18 added
//! `axes`, opset 19 the mode `wrap`. Negative pads cut, whatever the mode.

use super::pieces::line;
use crate::Problem;
use crate::broadcast::{self, Outside};
use crate::call::Call;
use crate::constant::{Constant, Numbers};
use crate::value::Value;
use unmoved_ir::{Scale, Shift};

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    let x = call.required(0, "data")?;
    let rank = x.dims().len();
    let outside = match call.attributes.string("mode", "constant")? {
        "constant" => Outside::Zero,
        "reflect" => Outside::Reflect,
        "edge" => Outside::Edge,
        "wrap" if call.opset >= 19 => Outside::Wrap,
        mode => return Err(Problem::attribute("mode", format!("\"{mode}\" is not supported"))),
    };
    let (pads, value) = if call.opset < 11 {
        call.at_most(1)?;
        let pads = call.attributes.ints("pads")?.ok_or_else(|| Problem::attribute("pads", "is missing"))?;
        (pads.to_vec(), f64::from(call.attributes.float("value", 0.0)?))
    } else {
        call.at_most(if call.opset < 18 { 3 } else { 4 })?;
        let value = call.optional_constant(2, "constant_value")?.map(|c| single(&c)).transpose()?;
        (call.ints(1, "pads")?, value.unwrap_or(0.0))
    };
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
    let map = broadcast::pad(call.budget(), x.dims(), &before, &after, outside)?;
    if outside != Outside::Zero || value == 0.0 || map.index.iter().all(Option::is_some) {
        return call.rearrange(&x, map, "");
    }
    // Zeros first, and the number on top of them.
    call.spend(map.index.len())?;
    let shift: Vec<f64> = map.index.iter().map(|i| if i.is_none() { value } else { 0.0 }).collect();
    match call.rearrange(&x, map, ".padded")? {
        Value::Computed(padded) => {
            let ones = Scale::exact(vec![1.0; shift.len()]);
            let y = line(call, &padded, "", ones, Shift::exact(shift))?;
            call.note("an index map and a shift", false);
            Ok(y.into())
        }
        Value::Constant(_) => Err(Problem::Other("padding a constant with another number than zero".into())),
    }
}

/// The number that is put around; integers have none but zero.
fn single(c: &Constant) -> Result<f64, Problem> {
    match &c.numbers {
        Numbers::Float(_) if c.len() == 1 => Ok(c.tensor()?.get(0)),
        Numbers::Int(v) if v.iter().all(|&v| v == 0) => Ok(0.0),
        _ => Err(Problem::input(2, "constant_value", "must be a single float, or zero")),
    }
}
