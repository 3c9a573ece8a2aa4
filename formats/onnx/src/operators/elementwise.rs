//! Add, Sub, Mul, Div, Neg: <https://onnx.ai/onnx/operators/onnx__Add.html> and so on, with numpy broadcasting. Opset 7
//! introduced that; later ones only added types.

use super::fold;
use super::pieces::{scale_and_shift, spread, sum, times};
use crate::Problem;
use crate::broadcast::broadcast_dims;
use crate::call::Call;
use crate::constant::{Constant, Numbers};
use crate::value::{Computed, Value};
use std::sync::Arc;
use unmoved_ir::rounding::Rounded;
use unmoved_ir::{Data, Scale, Shift};

/// A constant beside a computed value: what becomes of `[factor, summand]`, from the constant's elements.
type Line = fn(Vec<f64>) -> Result<(Scale, Shift), Problem>;

pub(super) fn add(call: &mut Call) -> Result<Value, Problem> {
    match operands(call)? {
        (Value::Computed(x), Value::Computed(y)) => Ok(sum(call, &x, &y, "")?.into()),
        (Value::Computed(x), Value::Constant(c)) | (Value::Constant(c), Value::Computed(x)) => {
            line(call, &x, &c, |c| Ok((ones(&c), Shift::exact(c))))
        }
        (Value::Constant(a), Value::Constant(b)) => fold::numbers(call, &a, &b, |a, b| a.plus(b), i64::checked_add),
    }
}

pub(super) fn sub(call: &mut Call) -> Result<Value, Problem> {
    match operands(call)? {
        (Value::Computed(x), Value::Computed(y)) => {
            let y = negated(call, &y, ".negated")?;
            Ok(sum(call, &x, &y, "")?.into())
        }
        (Value::Computed(x), Value::Constant(c)) => {
            line(call, &x, &c, |c| Ok((ones(&c), Shift::exact(c.iter().map(|v| -v).collect()))))
        }
        (Value::Constant(c), Value::Computed(x)) => {
            line(call, &x, &c, |c| Ok((Scale::exact(vec![-1.0; c.len()]), Shift::exact(c))))
        }
        (Value::Constant(a), Value::Constant(b)) => fold::numbers(call, &a, &b, |a, b| a.plus(-b), i64::checked_sub),
    }
}

pub(super) fn mul(call: &mut Call) -> Result<Value, Problem> {
    match operands(call)? {
        (Value::Computed(_), Value::Computed(_)) => Err(Problem::NotPiecewiseLinear),
        (Value::Computed(x), Value::Constant(c)) | (Value::Constant(c), Value::Computed(x)) => {
            line(call, &x, &c, |c| Ok((Scale::exact(c.clone()), zeros(&c))))
        }
        (Value::Constant(a), Value::Constant(b)) => fold::numbers(call, &a, &b, |a, b| a.times(b), i64::checked_mul),
    }
}

pub(super) fn div(call: &mut Call) -> Result<Value, Problem> {
    match operands(call)? {
        (_, Value::Computed(_)) => Err(Problem::NotPiecewiseLinear),
        (Value::Computed(x), Value::Constant(c)) => line(call, &x, &c, |c| {
            if c.contains(&0.0) {
                return Err(Problem::input(1, "B", "has a zero; division by it is not supported"));
            }
            Ok((Scale::reciprocal(&c), zeros(&c)))
        }),
        // Integers are divided towards zero.
        (Value::Constant(a), Value::Constant(b)) => fold::numbers(call, &a, &b, Rounded::over, i64::checked_div),
    }
}

/// Mod of constants: <https://onnx.ai/onnx/operators/onnx__Mod.html>. The result has the sign of the divisor, with `fmod`
/// that of the dividend.
pub(super) fn modulo(call: &mut Call) -> Result<Value, Problem> {
    let fmod = call.attributes.flag("fmod", false)?;
    let (Value::Constant(a), Value::Constant(b)) = operands(call)? else {
        return Err(Problem::NotContinuous);
    };
    if [&a, &b].iter().any(|c| matches!(c.numbers, Numbers::Float(_))) {
        return Err(Problem::Other("only remainders of integers are supported".into()));
    }
    let floored: fn(i64, i64) -> Option<i64> = |a, b| {
        let rest = a.checked_rem(b)?;
        Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
    };
    fold::numbers(call, &a, &b, |a, _| a, if fmod { i64::checked_rem } else { floored })
}

/// Neg: <https://onnx.ai/onnx/operators/onnx__Neg.html>.
pub(super) fn neg(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    match call.any_order(0, "X")? {
        Value::Computed(x) => Ok(negated(call, &x, "")?.into()),
        Value::Constant(c) => {
            let zero = match &c.numbers {
                Numbers::Int(_) => Constant::ints(vec![0]),
                Numbers::Float(Data::F32(_)) => {
                    Constant { dims: vec![1], numbers: Numbers::Float(Data::F32(Arc::new(vec![0.0]))) }
                }
                Numbers::Float(Data::F64(_)) => Constant::f64(vec![1], vec![0.0]),
            };
            fold::numbers(call, &zero.reshaped(vec![]), &c, |a, b| a.plus(-b), i64::checked_sub)
        }
    }
}

fn operands(call: &Call) -> Result<(Value, Value), Problem> {
    call.at_most(2)?;
    Ok((call.any_order(0, "A")?, call.any_order(1, "B")?))
}

fn ones(like: &[f64]) -> Scale {
    Scale::exact(vec![1.0; like.len()])
}

fn zeros(like: &[f64]) -> Shift {
    Shift::exact(vec![0.0; like.len()])
}

fn negated(call: &mut Call, x: &Computed, suffix: &str) -> Result<Computed, Problem> {
    let y = times(call, x, suffix, -1.0)?;
    call.note("an addition of the negated value", false);
    Ok(y)
}

/// A computed value and a constant: a scale and shift, per channel where the constant allows.
fn line(call: &mut Call, x: &Computed, c: &Constant, line: Line) -> Result<Value, Problem> {
    let dims = broadcast_dims(&x.dims, &c.dims)?;
    let x = call.expanded(x, &dims)?;
    let numbers = spread(call, c, &x)?;
    let (scale, shift) = line(numbers)?;
    Ok(scale_and_shift(call, &x, scale, shift)?.into())
}
