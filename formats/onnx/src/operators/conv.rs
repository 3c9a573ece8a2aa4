//! Conv: <https://onnx.ai/onnx/operators/onnx__Conv.html>. Later opsets only added types. Two dimensions only.

use super::{matrix, window};
use crate::Problem;
use crate::call::Call;
use crate::value::{Computed, Value};
use unmoved_ir::{Conv2d, Op};

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(3)?;
    let x = call.computed(0, "X")?;
    let weight = call.weights(1, "W")?;
    call.spend(weight.shape().len())?;
    let image = call.image(&x)?;
    let &[outputs, _, height, width] = weight.shape().dims() else {
        let reason = format!("has shape {}; expected [outputs channels height width]", weight.shape());
        return Err(Problem::input(1, "W", reason));
    };
    let bias = match call.has(2) {
        true => call.weights(2, "B")?,
        false => matrix::zeros(&[outputs], weight.dtype())?,
    };
    let expected = window::Expected {
        kernel: Some([height, width]),
        dilations: true,
        ceil_mode: false,
        image: [x.dims[2], x.dims[3]],
    };
    let window = window::read(call, expected)?;
    let group = call.attributes.int("group", 1)?;
    let groups = usize::try_from(group).ok().filter(|&g| g > 0);
    let groups = groups.ok_or_else(|| Problem::attribute("group", format!("{group} is not at least 1")))?;
    let mut conv = Conv2d::new(weight, bias)?;
    (conv.stride, conv.padding, conv.dilation, conv.groups) = (window.stride, window.padding, window.dilation, groups);
    let id = call.push(Op::Conv2d(conv), &[image])?;
    let dims = [&[1], call.builder.shape(id).dims()].concat();
    Ok(Computed::new(id, dims).into())
}
