//! Of the domain `ai.onnx.ml`, as scikit-learn's pipelines are exported. Scaler:
//! <https://onnx.ai/onnx/operators/onnx_aionnxml_Scaler.html>, `(x - offset) scale`, and LinearRegressor:
//! <https://onnx.ai/onnx/operators/onnx_aionnxml_LinearRegressor.html>.

use super::{matrix, pieces};
use crate::Problem;
use crate::call::Call;
use crate::constant::Constant;
use crate::value::{Computed, Value};
use unmoved_ir::rounding::{self, Rounded};
use unmoved_ir::{Scale, Tensor};

fn floats(call: &Call, name: &'static str) -> Result<Option<Vec<f64>>, Problem> {
    let numbers = call.attributes.floats(name)?;
    if numbers.is_some_and(|numbers| numbers.iter().any(|v| !v.is_finite())) {
        return Err(Problem::attribute(name, "is not finite"));
    }
    Ok(numbers.map(|numbers| numbers.iter().map(|&v| f64::from(v)).collect()))
}

pub(super) fn scaler(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed(0, "X")?;
    let features = x.dims.last().copied().unwrap_or(1);
    let spread = |call: &mut Call, name, mut numbers: Vec<f64>| {
        // onnxruntime counts features along axis 1, other runtimes along the last.
        if numbers.len() > 1 && x.dims.len() > 2 {
            let reason = format!(
                "has {} numbers for {:?}; beyond [rows, features] only one is supported",
                numbers.len(),
                x.dims
            );
            return Err(Problem::attribute(name, reason));
        }
        if numbers.len() == 1 {
            call.spend(features)?;
            numbers = vec![numbers[0]; features];
        }
        match numbers.len() {
            n if n == features => pieces::spread(call, &Constant::f64(vec![n], numbers), &x),
            n => Err(Problem::attribute(name, format!("has {n} numbers for {features} features"))),
        }
    };
    let (offset, scale) = (floats(call, "offset")?, floats(call, "scale")?);
    let offset = spread(call, "offset", offset.unwrap_or_else(|| vec![0.0]))?;
    let scale = spread(call, "scale", scale.unwrap_or_else(|| vec![1.0]))?;
    let shift: Vec<Rounded> = offset.iter().zip(&scale).map(|(o, s)| Rounded::exact(-o).times(*s)).collect();
    Ok(pieces::scale_and_shift(call, &x, Scale::exact(scale), rounding::shift(&shift))?.into())
}

pub(super) fn regressor(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed(0, "X")?;
    if call.attributes.string("post_transform", "NONE")? != "NONE" {
        return Err(Problem::attribute("post_transform", "only NONE is supported"));
    }
    let targets = call.attributes.int("targets", 1)?;
    let outputs = usize::try_from(targets).ok().filter(|&n| n > 0);
    let outputs = outputs.ok_or_else(|| Problem::attribute("targets", format!("{targets} is not at least 1")))?;
    let narrow = |v: &[f32]| v.to_vec();
    let coefficients = call.attributes.floats("coefficients")?.map(narrow).unwrap_or_default();
    let intercepts = call.attributes.floats("intercepts")?.map(narrow).unwrap_or_default();
    let &[1, inputs] = x.dims.as_slice() else {
        return Err(Problem::Shape(format!("reads shape {:?}; expected [1, features]", x.dims)));
    };
    call.spend(coefficients.len())?;
    if inputs.checked_mul(outputs) != Some(coefficients.len()) {
        let reason = format!("has {} numbers for {inputs} features and {outputs} targets", coefficients.len());
        return Err(Problem::attribute("coefficients", reason));
    }
    let weight = Tensor::f32(&[outputs, inputs], coefficients)?;
    let bias = match intercepts.len() {
        0 => matrix::zeros(&[outputs], weight.dtype())?,
        _ => Tensor::f32(&[outputs], intercepts)?,
    };
    let input = call.shaped(&x, &[inputs])?;
    let id = matrix::dense(call, input, weight, bias)?;
    Ok(Computed::new(id, vec![1, outputs]).into())
}
