//! MaxPool: <https://onnx.ai/onnx/operators/onnx__MaxPool.html>. Opset 8 added the indices (refused where they are read)
//! and `storage_order`, which only they depend on; opset 10 `dilations` and `ceil_mode`. One or two dimensions.

use super::window;
use crate::Problem;
use crate::call::Call;
use crate::value::Value;
use unmoved_ir::{MaxPool, Op};

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed(0, "X")?;
    let image = window::Image::of(call, &x)?;
    if call.opset >= 8 {
        call.attributes.flag("storage_order", false)?;
    }
    let newer = call.opset >= 10;
    let expected = window::Expected { kernel: None, dilations: newer, ceil_mode: newer, image };
    let window::Window { kernel, stride, padding, dilation } = window::read(call, expected)?;
    let id = call.push(Op::MaxPool(MaxPool { kernel, stride, padding, dilation }), &[image.id])?;
    Ok(image.value(call, id))
}
