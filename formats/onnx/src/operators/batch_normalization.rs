//! BatchNormalization: <https://onnx.ai/onnx/operators/onnx__BatchNormalization.html>, inference only. Opset 9 removed
//! `spatial`, opset 14 added `training_mode`; before, the number of outputs said so.
//!
//! A scale and shift whose rounding is bounded: [`unmoved_ir::rounding::batch_norm`].

use super::pieces;
use crate::Problem;
use crate::call::Call;
use crate::constant::Constant;
use crate::value::Value;
use unmoved_ir::rounding;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(5)?;
    let x = call.computed_in_any_order(0, "X")?;
    let epsilon = f64::from(call.attributes.float("epsilon", 1e-5)?);
    // How running statistics were gathered; inference does not use it.
    call.attributes.float("momentum", 0.9)?;
    if call.opset < 9 && call.attributes.int("spatial", 1)? != 1 {
        return Err(Problem::attribute("spatial", "statistics per element are not supported"));
    }
    if call.opset >= 14 && call.attributes.flag("training_mode", false)? {
        return Err(Problem::attribute("training_mode", "training is not supported"));
    }
    // Further outputs ask for the statistics of the batch, and these then take the place of the given ones.
    if call.opset < 14 && call.outputs > 1 {
        return Err(Problem::Other(format!("gives {} outputs, as in training, which is not supported", call.outputs)));
    }
    let &[_, channels, ..] = x.dims.as_slice() else {
        return Err(Problem::Shape(format!("reads shape {:?}; expected [1, channels, ...]", x.dims)));
    };
    let numbers = |index, name| -> Result<Vec<f64>, Problem> {
        let tensor = call.weights(index, name)?;
        if tensor.shape().dims() != [channels] {
            return Err(Problem::input(index, name, format!("has shape {}; expected [{channels}]", tensor.shape())));
        }
        Ok(tensor.to_f64())
    };
    let (gamma, beta) = (numbers(1, "scale")?, numbers(2, "B")?);
    let (mean, variance) = (numbers(3, "mean")?, numbers(4, "var")?);
    let (mut scale, shift) = rounding::batch_norm(&gamma, &beta, &mean, &variance, epsilon)
        .map_err(|k| Problem::input(4, "var", format!("{} + epsilon is not positive", variance[k])))?;
    // One number per channel, which is axis 1.
    let per_channel = [vec![channels], vec![1; x.dims.len() - 2]].concat();
    let mut spread = |values: Vec<f64>| pieces::spread(call, &Constant::f64(per_channel.clone(), values), &x);
    scale.values = spread(scale.values)?;
    let mut shift = rounding::shift(&shift);
    shift.values = spread(shift.values)?;
    if !shift.errors.is_empty() {
        shift.errors = spread(shift.errors)?;
    }
    Ok(pieces::scale_and_shift(call, &x, scale, shift)?.into())
}
