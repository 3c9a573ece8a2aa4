//! Squeeze: <https://onnx.ai/onnx/operators/onnx__Squeeze.html>, and Unsqueeze:
//! <https://onnx.ai/onnx/operators/onnx__Unsqueeze.html>. Opset 11 allowed negative axes, opset 13 made them an input.

use crate::Problem;
use crate::broadcast;
use crate::call::Call;
use crate::value::Value;

/// The axes that the node names, if any.
fn axes(call: &Call) -> Result<Option<Vec<i64>>, Problem> {
    if call.opset < 13 {
        call.at_most(1)?;
        return Ok(call.attributes.ints("axes")?.map(<[i64]>::to_vec));
    }
    call.at_most(2)?;
    call.has(1).then(|| call.ints(1, "axes")).transpose()
}

/// The axes of a shape of `rank` dimensions, each at most once.
pub(super) fn resolve(axes: &[i64], rank: usize) -> Result<Vec<bool>, Problem> {
    let mut chosen = vec![false; rank];
    for &axis in axes {
        match broadcast::axis(axis, rank) {
            Some(k) if !std::mem::replace(&mut chosen[k], true) => {}
            _ => return Err(Problem::Shape(format!("axes {axes:?} do not fit {rank} dimensions"))),
        }
    }
    Ok(chosen)
}

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    let x = call.required(0, "data")?;
    let from = x.dims();
    let chosen = match axes(call)? {
        // To some runtimes an empty list means every axis of extent 1, to others none.
        Some(axes) if axes.is_empty() => {
            return Err(Problem::Other("axes is an empty list: runtimes differ in what it means".into()));
        }
        Some(axes) => resolve(&axes, from.len())?,
        None => from.iter().map(|&d| d == 1).collect(),
    };
    if let Some(axis) = (0..from.len()).find(|&k| chosen[k] && from[k] != 1) {
        return Err(Problem::Shape(format!("axis {axis} of {from:?} is not 1")));
    }
    let dims = (0..from.len()).filter(|&k| !chosen[k]).map(|k| from[k]).collect();
    call.reshape(&x, dims)
}

pub(super) fn import_un(call: &mut Call) -> Result<Value, Problem> {
    let x = call.required(0, "data")?;
    let axes = axes(call)?.ok_or_else(|| Problem::Other("axes are missing".into()))?;
    let chosen = resolve(&axes, x.dims().len() + axes.len())?;
    let mut rest = x.dims().iter();
    let dims = chosen.iter().map(|&new| if new { 1 } else { *rest.next().expect("as many as not chosen") }).collect();
    call.reshape(&x, dims)
}
