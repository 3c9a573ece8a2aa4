//! Softmax: <https://onnx.ai/onnx/operators/onnx__Softmax.html>, and LogSoftmax:
//! <https://onnx.ai/onnx/operators/onnx__LogSoftmax.html>. Dropped at the end of the network, where it keeps the order of
//! the outputs; refused anywhere else. Before opset 13 the axis was 1 by default and everything behind it took part.

use crate::Problem;
use crate::broadcast;
use crate::call::Call;
use crate::value::Value;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed(0, "input")?;
    let axis = call.attributes.int("axis", if call.opset < 13 { 1 } else { -1 })?;
    if !call.is_output {
        return Err(Problem::NotPiecewiseLinear);
    }
    let at = broadcast::axis(axis, x.dims.len())
        .ok_or_else(|| Problem::attribute("axis", format!("{axis} does not fit {:?}", x.dims)))?;
    // The order of all outputs is kept only if all of them are normalised together. Old opsets take more axes together
    // than the newer form that `to_bytes` writes; with all extents but one being 1 they agree.
    if x.dims.iter().product::<usize>() != x.dims[at] {
        return Err(Problem::Shape(format!(
            "the normalisation of axis {axis} of {:?} does not span all outputs",
            x.dims
        )));
    }
    let (name, operator) = (call.name.clone(), call.operator);
    call.builder.drop_softmax(&name, operator);
    Ok(x.into())
}
