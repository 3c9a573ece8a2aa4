//! Expand: <https://onnx.ai/onnx/operators/onnx__Expand.html>, and Tile:
//! <https://onnx.ai/onnx/operators/onnx__Tile.html>. Later opsets only added types.

use super::fold;
use crate::Problem;
use crate::broadcast::{self, broadcast_dims};
use crate::call::Call;
use crate::value::Value;

/// The shape that a list of extents means.
fn extents(given: &[i64]) -> Result<Vec<usize>, Problem> {
    let extents: Option<Vec<usize>> = given.iter().map(|&d| usize::try_from(d).ok()).collect();
    extents.ok_or_else(|| Problem::input(1, "shape", format!("{given:?} is not a shape")))
}

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(2)?;
    let shape = extents(&call.ints(1, "shape")?)?;
    let x = call.any_order(0, "input")?;
    let dims = broadcast_dims(x.dims(), &shape)?;
    Ok(match x {
        Value::Computed(x) => call.expanded(&x, &dims)?.into(),
        Value::Constant(c) => fold::expanded(call, &c, &dims)?.into(),
    })
}

pub(super) fn tile(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(2)?;
    let repeats = extents(&call.ints(1, "repeats")?)?;
    let x = call.required(0, "input")?;
    if repeats.len() != x.dims().len() {
        return Err(Problem::input(1, "repeats", format!("{repeats:?} does not fit {:?}", x.dims())));
    }
    let map = broadcast::tile(call.budget(), x.dims(), &repeats)?;
    call.rearrange(&x, map, "")
}
