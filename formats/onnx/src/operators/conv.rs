//! Conv: <https://onnx.ai/onnx/operators/onnx__Conv.html>. Later opsets only added types. One or two dimensions.

use super::{matrix, window};
use crate::Problem;
use crate::call::Call;
use crate::value::Value;
use unmoved_ir::{Conv2d, Op, Tensor};

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(3)?;
    let x = call.computed(0, "X")?;
    let weight = call.weights(1, "W")?;
    call.spend(weight.shape().len())?;
    let image = window::Image::of(call, &x)?;
    let (weight, kernel) = kernels(&weight, image.rank)?;
    let outputs = weight.shape().dims()[0];
    let bias = match call.has(2) {
        true => call.weights(2, "B")?,
        false => matrix::zeros(&[outputs], weight.dtype())?,
    };
    let expected = window::Expected { kernel: Some(kernel), dilations: true, ceil_mode: false, image };
    let window = window::read(call, expected)?;
    let groups = groups(call)?;
    let mut conv = Conv2d::new(weight, bias)?;
    (conv.stride, conv.padding, conv.dilation, conv.groups) = (window.stride, window.padding, window.dilation, groups);
    let id = call.push(Op::Conv2d(conv), &[image.id])?;
    Ok(image.value(call, id))
}

/// Weights with two dimensions at their end, and the extents of these; those of a sequence get a height of 1.
pub(super) fn kernels(weight: &Tensor, rank: usize) -> Result<(Tensor, [usize; 2]), Problem> {
    match (weight.shape().dims(), rank) {
        (&[_, _, height, width], 2) => Ok((weight.clone(), [height, width])),
        (&[a, b, width], 1) => Ok((weight.reshaped(&[a, b, 1, width])?, [1, width])),
        _ => Err(Problem::input(1, "W", format!("has shape {}; expected {} dimensions", weight.shape(), rank + 2))),
    }
}

pub(super) fn groups(call: &Call) -> Result<usize, Problem> {
    let group = call.attributes.int("group", 1)?;
    let groups = usize::try_from(group).ok().filter(|&g| g > 0);
    groups.ok_or_else(|| Problem::attribute("group", format!("{group} is not at least 1")))
}
