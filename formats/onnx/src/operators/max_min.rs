//! Max: <https://onnx.ai/onnx/operators/onnx__Max.html>, and Min: <https://onnx.ai/onnx/operators/onnx__Min.html>, of any
//! number of values and constants. Opset 8 introduced broadcasting; later ones only added types.
//!
//! `max(x, y) = x + relu(y - x)` and `min(x, y) = y - relu(y - x)`.

use super::pieces::{self, relu, spread, sum, times};
use crate::Problem;
use crate::broadcast::broadcast_dims;
use crate::call::Call;
use crate::value::{Computed, Value};
use unmoved_ir::rounding::Rounded;

pub(super) fn max(call: &mut Call) -> Result<Value, Problem> {
    extreme(call, Extreme::Max)
}

pub(super) fn min(call: &mut Call) -> Result<Value, Problem> {
    extreme(call, Extreme::Min)
}

#[derive(Clone, Copy)]
enum Extreme {
    Max,
    Min,
}

fn extreme(call: &mut Call, which: Extreme) -> Result<Value, Problem> {
    let (computed, constants) = pieces::sorted(call.all("data_0")?);
    let constant = pieces::combined(call, &constants, |a, b| match which {
        Extreme::Max => Rounded::exact(a.value.max(b)),
        Extreme::Min => Rounded::exact(a.value.min(b)),
    })?;
    let mut rest = computed.into_iter();
    let Some(mut y) = rest.next() else {
        return pieces::constant(constant);
    };
    let mut rest = rest.peekable();
    while let Some(next) = rest.next() {
        let suffix = if rest.peek().is_some() || constant.is_some() { ".partial" } else { "" };
        y = of_two(call, which, &y, &next, suffix)?;
        call.note("a ReLU of the difference, plus one of the two", false);
    }
    if let Some(constant) = constant {
        let dims = broadcast_dims(&y.dims, &constant.values.dims)?;
        y = call.expanded(&y, &dims)?;
        let c = spread(call, &constant.values, &y)?;
        y = match which {
            Extreme::Max => pieces::at_least(call, &y, c)?,
            Extreme::Min => pieces::at_most(call, &y, c)?,
        };
    }
    Ok(y.into())
}

fn of_two(call: &mut Call, which: Extreme, x: &Computed, y: &Computed, suffix: &str) -> Result<Computed, Problem> {
    let negated = times(call, x, ".negated", -1.0)?;
    let difference = sum(call, y, &negated, ".difference")?;
    let gain = relu(call, &difference, ".relu")?;
    match which {
        Extreme::Max => sum(call, x, &gain, suffix),
        Extreme::Min => {
            let loss = times(call, &gain, ".loss", -1.0)?;
            sum(call, y, &loss, suffix)
        }
    }
}
