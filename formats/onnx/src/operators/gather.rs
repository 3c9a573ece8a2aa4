//! Gather: <https://onnx.ai/onnx/operators/onnx__Gather.html>. Opset 11 allowed negative axes and indices. GatherND:
//! <https://onnx.ai/onnx/operators/onnx__GatherND.html>; opset 12 added `batch_dims`.

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

pub(super) fn import_nd(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(2)?;
    let x = call.required(0, "data")?;
    let indices = call.constant(1, "indices")?;
    if call.opset >= 12 && call.attributes.int("batch_dims", 0)? != 0 {
        return Err(Problem::attribute("batch_dims", "only 0 is supported"));
    }
    let (Numbers::Int(numbers), [arranged @ .., depth]) = (&indices.numbers, indices.dims.as_slice()) else {
        return Err(Problem::input(1, "indices", "must be lists of integers"));
    };
    if *depth == 0 || *depth > x.dims().len() {
        return Err(Problem::input(1, "indices", format!("have {depth} axes each, which does not fit {:?}", x.dims())));
    }
    // The leading axes as one: an index becomes a position along it.
    let (leading, rest) = x.dims().split_at(*depth);
    let position = |index: &[i64]| {
        let mut along = index.iter().zip(leading);
        along.try_fold(0, |sum, (&i, &extent)| Some(sum * extent + broadcast::axis(i, extent)?))
    };
    let chosen: Option<Vec<usize>> = numbers.chunks_exact(*depth).map(position).collect();
    let chosen = chosen.ok_or_else(|| Problem::input(1, "indices", format!("do not lie in {leading:?}")))?;
    let from = [&[leading.iter().product()], rest].concat();
    let map = broadcast::take(call.budget(), &from, 0, &chosen, arranged)?;
    call.rearrange(&x, map, "")
}
