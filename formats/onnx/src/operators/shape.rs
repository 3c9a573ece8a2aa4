//! Shape: <https://onnx.ai/onnx/operators/onnx__Shape.html>, whose result is a constant because every shape is known.
//! Opset 15 added `start` and `end`. Size: <https://onnx.ai/onnx/operators/onnx__Size.html>.

use crate::Problem;
use crate::broadcast::checked_len;
use crate::call::Call;
use crate::constant::Constant;
use crate::value::Value;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.any_order(0, "data")?;
    let dims: Vec<i64> = x.dims().iter().map(|&d| d as i64).collect();
    let rank = dims.len() as i64;
    let bound = |v: i64| (if v < 0 { v.saturating_add(rank) } else { v }).clamp(0, rank) as usize;
    let (start, end) = match call.opset >= 15 {
        true => (bound(call.attributes.int("start", 0)?), bound(call.attributes.int("end", rank)?)),
        false => (0, dims.len()),
    };
    Ok(Constant::ints(dims[start..end.max(start)].to_vec()).into())
}

pub(super) fn import_size(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let len = checked_len(call.any_order(0, "data")?.dims())?;
    Ok(Constant::ints(vec![len as i64]).reshaped(vec![]).into())
}
