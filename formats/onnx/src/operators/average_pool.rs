//! AveragePool: <https://onnx.ai/onnx/operators/onnx__AveragePool.html>. Opset 10 added `ceil_mode`, opset 19 `dilations`.
//! One or two dimensions.
//!
//! The divisor of a window is the number of its elements in the image and, with `count_include_pad`, in the padding that
//! the node asks for; what `ceil_mode` adds never counts.

use super::window::{self, Image, Window};
use crate::Problem;
use crate::call::Call;
use crate::value::Value;
use unmoved_ir::MaxPool;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed(0, "X")?;
    let image = Image::of(call, &x)?;
    let count_padding = call.attributes.flag("count_include_pad", false)?;
    let expected = |ceil_mode| window::Expected { kernel: None, dilations: call.opset >= 19, ceil_mode, image };
    let asked = window::read(call, expected(false))?;
    let Window { kernel, stride, padding, dilation } = window::read(call, expected(call.opset >= 10))?;
    let counted = if count_padding { asked.padding } else { [0; 4] };
    let taps = kernel[0] * kernel[1];
    call.spend(taps.saturating_mul(image.channels))?;
    if counted != padding {
        // One divisor per element of the output.
        let [height, width] = image.extents;
        let padded = (height + padding[0] + padding[2]).saturating_mul(width + padding[1] + padding[3]);
        call.spend((padded / stride[0] / stride[1]).saturating_mul(image.channels).saturating_mul(4))?;
    }
    let name = call.builder.fresh(&call.name);
    let windows = MaxPool { kernel, stride, padding, dilation };
    let id = call.builder.average_windows(&name, image.id, &windows, counted)?;
    call.note("a depthwise convolution", !taps.is_power_of_two() || counted != padding);
    Ok(image.value(call, id))
}
