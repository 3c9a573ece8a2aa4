//! Constants made of a few numbers. ConstantOfShape: <https://onnx.ai/onnx/operators/onnx__ConstantOfShape.html>, and
//! Range: <https://onnx.ai/onnx/operators/onnx__Range.html>. Later opsets only added types.

use super::constant::of_tensor;
use super::fold;
use crate::Problem;
use crate::broadcast::checked_len;
use crate::call::Call;
use crate::constant::{Constant, Numbers};
use crate::value::Value;
use std::sync::Arc;
use unmoved_ir::Data;
use unmoved_ir::rounding::Rounded;

pub(super) fn constant_of_shape(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let shape = call.ints(0, "input")?;
    let dims: Option<Vec<usize>> = shape.iter().map(|&d| usize::try_from(d).ok()).collect();
    let dims = dims.ok_or_else(|| Problem::input(0, "input", format!("{shape:?} is not a shape")))?;
    let value = match call.attributes.tensor("value")? {
        Some(tensor) => of_tensor(call, tensor)?,
        None => Constant { dims: vec![1], numbers: Numbers::Float(Data::F32(Arc::new(vec![0.0]))) },
    };
    if value.len() != 1 {
        return Err(Problem::attribute("value", format!("holds {} elements, not one", value.len())));
    }
    let len = checked_len(&dims)?;
    call.spend(len.saturating_mul(4))?;
    Ok(value.select(&vec![Some(0); len], dims).into())
}

pub(super) fn range(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(3)?;
    let bounds = [call.constant(0, "start")?, call.constant(1, "limit")?, call.constant(2, "delta")?];
    if bounds.iter().any(|c| c.len() != 1) {
        return Err(Problem::Other("start, limit and delta must be single numbers".into()));
    }
    let ints = |c: &Constant| match &c.numbers {
        Numbers::Int(v) => Some(v[0]),
        Numbers::Float(_) => None,
    };
    if let [Some(start), Some(limit), Some(delta)] = bounds.each_ref().map(ints) {
        let (span, delta) = (i128::from(limit) - i128::from(start), i128::from(delta));
        let len = match delta {
            0 => return Err(Problem::input(2, "delta", "is zero")),
            _ => (span / delta + i128::from(span % delta != 0 && (span < 0) == (delta < 0))).max(0),
        };
        let len = checked_len(&[usize::try_from(len).unwrap_or(usize::MAX)])?;
        call.spend(len.saturating_mul(2))?;
        let values = (0..len as i128).map(|k| (i128::from(start) + k * delta) as i64).collect();
        return Ok(Constant::ints(values).into());
    }
    let float = |c: &Constant| fold::steady(c.tensor()?.get(0), f64::to_bits).map(f64::from_bits);
    let (start, limit, delta) = (float(&bounds[0])?, float(&bounds[1])?, float(&bounds[2])?);
    let len = ((limit - start) / delta).ceil().max(0.0);
    if !len.is_finite() {
        return Err(Problem::input(2, "delta", "does not lead from start to limit"));
    }
    let len = checked_len(&[len as usize])?;
    call.spend(len.saturating_mul(8))?;
    let values: Vec<Rounded> = (0..len).map(|k| Rounded::exact(delta).times(k as f64).plus(start)).collect();
    if values.iter().any(|v| v.error != 0.0) {
        return Err(Problem::Rounds);
    }
    Ok(Constant::f64(vec![len], values.into_iter().map(|v| v.value).collect()).into())
}
