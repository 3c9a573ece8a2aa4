//! Clip: <https://onnx.ai/onnx/operators/onnx__Clip.html>, with constant bounds, and HardSigmoid:
//! <https://onnx.ai/onnx/operators/onnx__HardSigmoid.html>, `max(0, min(1, alpha x + beta))`. Opset 11 turned the bounds of
//! Clip from attributes into inputs, opset 13 says that the upper one wins where they contradict each other.

use super::pieces::{at_least, at_most, between, is_far, line, same};
use crate::Problem;
use crate::call::Call;
use crate::constant::Numbers;
use crate::value::Value;
use unmoved_ir::{Data, Scale, Shift};

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    let (lower, upper) = if call.opset < 11 {
        call.at_most(1)?;
        let bound = |name, side| -> Result<Option<f64>, Problem> {
            let Some(v) = call.attributes.optional_float(name)? else { return Ok(None) };
            limit(v.into(), f32::MAX.into(), side).map_err(|why| Problem::attribute(name, why))
        };
        (bound("min", Side::Lower)?, bound("max", Side::Upper)?)
    } else {
        call.at_most(3)?;
        (bound(call, 1, "min", Side::Lower)?, bound(call, 2, "max", Side::Upper)?)
    };
    let x = call.computed_in_any_order(0, "input")?;
    let y = match (lower, upper) {
        (None, None) => x,
        (Some(lower), None) => {
            let lower = same(call, lower, &x)?;
            at_least(call, &x, lower)?
        }
        (None, Some(upper)) => {
            let upper = same(call, upper, &x)?;
            at_most(call, &x, upper)?
        }
        (Some(lower), Some(upper)) if lower < upper && (is_far(lower) || is_far(upper)) => {
            let upper = same(call, upper, &x)?;
            let capped = at_most(call, &x, upper)?;
            let lower = same(call, lower, &capped)?;
            at_least(call, &capped, lower)?
        }
        (Some(lower), Some(upper)) if lower < upper => between(call, &x, (1.0, 0.0), (lower, upper))?,
        (Some(_), Some(upper)) => {
            let upper = same(call, upper, &x)?;
            let y = line(call, &x, "", Scale::exact(vec![0.0; upper.len()]), Shift::exact(upper))?;
            call.note("the upper bound: it is not above the lower one", false);
            y
        }
    };
    Ok(y.into())
}

pub(super) fn import_hard_sigmoid(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed_in_any_order(0, "X")?;
    let (alpha, beta) = (call.attributes.float("alpha", 0.2)?, call.attributes.float("beta", 0.5)?);
    let y = between(call, &x, (alpha.into(), beta.into()), (0.0, 1.0))?;
    Ok(y.into())
}

/// Which of the two a bound is.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Lower,
    Upper,
}

fn bound(call: &Call, index: usize, name: &'static str, side: Side) -> Result<Option<f64>, Problem> {
    let Some(c) = call.optional_constant(index, name)? else { return Ok(None) };
    let limit = match &c.numbers {
        Numbers::Float(_) if c.len() != 1 => Err("must be a single number".into()),
        Numbers::Float(Data::F32(v)) => limit(v[0].into(), f32::MAX.into(), side),
        Numbers::Float(Data::F64(v)) => limit(v[0], f64::MAX, side),
        Numbers::Int(_) => Err("integers are not supported".into()),
    };
    limit.map_err(|why| Problem::input(index, name, why))
}

/// The bound `v`; none if no number of its type lies beyond it. Exporters write the largest number where they mean that
/// there is no bound, and it is the default of old opsets.
fn limit(v: f64, largest: f64, side: Side) -> Result<Option<f64>, String> {
    let outward = if side == Side::Upper { v } else { -v };
    match v {
        _ if outward >= largest => Ok(None),
        _ if v.is_finite() => Ok(Some(v)),
        _ => Err(format!("{v} is not finite")),
    }
}
