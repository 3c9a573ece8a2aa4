//! Sum: <https://onnx.ai/onnx/operators/onnx__Sum.html>, and Mean: <https://onnx.ai/onnx/operators/onnx__Mean.html>, of any
//! number of values and constants. Opset 8 introduced broadcasting; later ones only added types.

use super::pieces::{self, line, same, spread_rounded, sum};
use crate::Problem;
use crate::broadcast::broadcast_dims;
use crate::call::Call;
use crate::value::Value;
use unmoved_ir::rounding::Rounded;
use unmoved_ir::{Scale, Shift};

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    add_all(call, None)
}

pub(super) fn import_mean(call: &mut Call) -> Result<Value, Problem> {
    let n = call.all("data_0")?.len();
    add_all(call, (n > 1).then_some(n))
}

fn add_all(call: &mut Call, divisor: Option<usize>) -> Result<Value, Problem> {
    let (computed, constants) = pieces::sorted(call.all("data_0")?);
    let constant = pieces::combined(call, &constants, Rounded::plus)?;
    let mut rest = computed.into_iter();
    let Some(mut y) = rest.next() else {
        return match divisor {
            None => pieces::constant(constant),
            Some(_) => Err(Problem::Rounds),
        };
    };
    let mut rest = rest.peekable();
    while let Some(next) = rest.next() {
        let last = rest.peek().is_none() && constant.is_none() && divisor.is_none();
        y = sum(call, &y, &next, if last { "" } else { ".partial" })?;
    }
    let mut rounds = false;
    if let Some(constant) = constant {
        let dims = broadcast_dims(&y.dims, &constant.values.dims)?;
        y = call.expanded(&y, &dims)?;
        let shift = spread_rounded(call, &constant, &y)?;
        rounds |= !shift.errors.is_empty();
        let ones = Scale::exact(vec![1.0; shift.values.len()]);
        y = line(call, &y, if divisor.is_none() { "" } else { ".partial" }, ones, shift)?;
    }
    if let Some(divisor) = divisor {
        let divisors = same(call, divisor as f64, &y)?;
        let scale = Scale::reciprocal(&divisors);
        rounds |= scale.error > 0.0;
        y = line(call, &y, "", scale, Shift::exact(vec![0.0; divisors.len()]))?;
    }
    call.note("additions, a scale and shift", rounds);
    Ok(y.into())
}
