//! LeakyRelu: <https://onnx.ai/onnx/operators/onnx__LeakyRelu.html>, PRelu:
//! <https://onnx.ai/onnx/operators/onnx__PRelu.html>, with a constant slope, and ThresholdedRelu:
//! <https://onnx.ai/onnx/operators/onnx__ThresholdedRelu.html>, which is continuous only with `alpha` 0. Opset 7 let the
//! slope of PRelu broadcast, opset 10 introduced ThresholdedRelu; later ones only added types.
//!
//! `a x + (1 - a) relu(x)` is `x` where that is positive and `a x` elsewhere, whatever `a` is.

use super::pieces::{line, relu, same, spread, sum};
use crate::Problem;
use crate::broadcast::broadcast_dims;
use crate::call::Call;
use crate::value::{Computed, Value};
use unmoved_ir::rounding::{self, Rounded};
use unmoved_ir::{Scale, Shift};

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed_in_any_order(0, "X")?;
    let alpha = f64::from(call.attributes.float("alpha", 0.01)?);
    let slopes = same(call, alpha, &x)?;
    leaky(call, &x, slopes)
}

pub(super) fn import_parametric(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(2)?;
    let x = call.computed_in_any_order(0, "X")?;
    let slope = match call.required(1, "slope")? {
        Value::Constant(slope) => slope,
        Value::Computed(_) => return Err(Problem::NotPiecewiseLinear),
    };
    if broadcast_dims(&x.dims, &slope.dims)? != x.dims {
        let reason = format!("has shape {:?}, which does not broadcast to {:?}", slope.dims, x.dims);
        return Err(Problem::input(1, "slope", reason));
    }
    let slopes = spread(call, &slope, &x)?;
    leaky(call, &x, slopes)
}

pub(super) fn import_thresholded(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed_in_any_order(0, "X")?;
    if call.attributes.float("alpha", 1.0)? != 0.0 {
        return Err(Problem::NotContinuous);
    }
    let zeros = same(call, 0.0, &x)?;
    leaky(call, &x, zeros)
}

fn leaky(call: &mut Call, x: &Computed, slopes: Vec<f64>) -> Result<Value, Problem> {
    if slopes.iter().all(|&a| a == 0.0) {
        let y = relu(call, x, "")?;
        call.note("a ReLU", false);
        return Ok(y.into());
    }
    if slopes.iter().all(|&a| a == 1.0) {
        return Ok(Value::Computed(x.clone()));
    }
    let n = slopes.len();
    call.spend(n.saturating_mul(2))?;
    let rest: Vec<Rounded> = slopes.iter().map(|a| Rounded::exact(1.0).plus(-a)).collect();
    let rest = rounding::scale(&rest);
    let rounds = rest.error > 0.0;
    let positive = relu(call, x, ".relu")?;
    let positive = line(call, &positive, ".rest", rest, Shift::exact(vec![0.0; n]))?;
    let sloped = line(call, x, ".slope", Scale::exact(slopes), Shift::exact(vec![0.0; n]))?;
    let y = sum(call, &sloped, &positive, "")?;
    call.note("a ReLU, scaled, plus the value, scaled", rounds);
    Ok(y.into())
}
