//! AveragePool: <https://onnx.ai/onnx/operators/onnx__AveragePool.html>, and GlobalAveragePool:
//! <https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html>. Opset 10 added `ceil_mode`, opset 19 `dilations`; both
//! are refused where they change the result.

use super::window::{self, Window};
use crate::Problem;
use crate::call::Call;
use crate::value::{Computed, Value};

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed(0, "X")?;
    call.image(&x)?;
    let image = [x.dims[2], x.dims[3]];
    let count_padding = call.attributes.flag("count_include_pad", false)?;
    let expected = window::Expected { kernel: None, dilations: call.opset >= 19, ceil_mode: false, image };
    let window = window::read(call, expected)?;
    if call.opset >= 10 && call.attributes.flag("ceil_mode", false)? {
        let with_ceil = window::Expected { kernel: None, dilations: call.opset >= 19, ceil_mode: true, image };
        if window::read(call, with_ceil)? != window {
            return Err(Problem::attribute("ceil_mode", "partial windows are not supported"));
        }
    }
    average(call, &x, window, count_padding)
}

pub(super) fn import_global(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed(0, "X")?;
    call.image(&x)?;
    let window = Window { kernel: [x.dims[2], x.dims[3]], stride: [1; 2], padding: [0; 4], dilation: [1; 2] };
    average(call, &x, window, false)
}

fn average(call: &mut Call, x: &Computed, window: Window, count_padding: bool) -> Result<Value, Problem> {
    let Window { kernel, stride, padding, dilation } = window;
    if dilation != [1; 2] {
        return Err(Problem::attribute("dilations", format!("{dilation:?} is not supported")));
    }
    let image = call.image(x)?;
    let taps = kernel[0] * kernel[1];
    call.spend(taps.saturating_mul(x.dims[1]))?;
    if !count_padding && padding != [0; 4] {
        // One divisor per element of the output, each counted tap by tap.
        let padded = (x.dims[2] + padding[0] + padding[2]).saturating_mul(x.dims[3] + padding[1] + padding[3]);
        let windows = (padded / stride[0] / stride[1]).saturating_mul(x.dims[1]);
        call.spend(windows.saturating_mul(taps.max(4)))?;
    }
    let name = call.builder.fresh(&call.name);
    let id = call.builder.average_pool(&name, image, kernel, stride, padding, count_padding)?;
    call.note("a depthwise convolution", !taps.is_power_of_two() || !(count_padding || padding == [0; 4]));
    let dims = [&[1], call.builder.shape(id).dims()].concat();
    Ok(Computed::new(id, dims).into())
}
