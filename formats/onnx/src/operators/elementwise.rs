//! Add, Sub, Mul, Div, Neg: <https://onnx.ai/onnx/operators/onnx__Add.html> and so on, with numpy broadcasting. Opset 7
//! introduced that; later ones only added types.

use super::fold;
use crate::Problem;
use crate::broadcast::{self, broadcast_dims};
use crate::call::{Call, without_batch};
use crate::constant::{Constant, Numbers};
use crate::rounding::Rounded;
use crate::value::{Computed, Value};
use unmoved_ir::{Op, Scale, Shift};

/// A constant beside a computed value: what becomes of `[factor, summand]`, from the constant's elements.
type Line = fn(Vec<f64>) -> Result<(Scale, Shift), Problem>;

pub(super) fn add(call: &mut Call) -> Result<Value, Problem> {
    match operands(call)? {
        (Value::Computed(x), Value::Computed(y)) => sum(call, &x, &y),
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
            sum(call, &x, &y)
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
        return Err(Problem::Discontinuous);
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
                Numbers::Float(_) => Constant::f64(vec![1], vec![0.0]),
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

/// The sum of two computed values under their common shape.
pub(super) fn sum(call: &mut Call, x: &Computed, y: &Computed) -> Result<Value, Problem> {
    let dims = broadcast_dims(&x.dims, &y.dims)?;
    let (mut x, mut y) = (call.expanded(x, &dims)?, call.expanded(y, &dims)?);
    if !x.same_order(&y) {
        (x, y) = (call.row_major(&x)?, call.row_major(&y)?);
    }
    let (mut left, mut right) = (x.id, y.id);
    if call.builder.shape(left) != call.builder.shape(right) {
        let held = x.held();
        (left, right) = (call.shaped(&x, without_batch(&held))?, call.shaped(&y, without_batch(&held))?);
    }
    let id = call.push(Op::Add, &[left, right])?;
    Ok(x.held_by(id).into())
}

fn negated(call: &mut Call, x: &Computed, suffix: &str) -> Result<Computed, Problem> {
    let held = x.held();
    let (id, n) = match held.as_slice() {
        &[1, channels, _, _] => (call.image(&x.in_memory())?, channels),
        _ => (x.id, held.iter().product()),
    };
    call.spend(n.saturating_mul(4))?;
    let name = call.builder.fresh(&format!("{}{suffix}", call.name));
    let id = call.builder.affine(&name, id, Scale::exact(vec![-1.0; n]), Shift::exact(vec![0.0; n]))?;
    call.note("an addition of the negated value", false);
    Ok(x.held_by(id))
}

/// A computed value and a constant: a scale and shift, per channel where the constant allows.
fn line(call: &mut Call, x: &Computed, c: &Constant, line: Line) -> Result<Value, Problem> {
    let dims = broadcast_dims(&x.dims, &c.dims)?;
    let x = call.expanded(x, &dims)?;
    let c = held_like(call, c, &x)?;
    let held = x.held();
    // What the constant must fill: the channels of an image, or everything.
    let filled = match channels(&held, call.builder.shape(x.id).image()) {
        Some(axes) if c.dims[axes..].iter().all(|&d| d == 1) => axes,
        _ => held.len(),
    };
    let (from, to) = (&c.dims[..filled], &held[..filled]);
    let numbers = if from == to {
        c.tensor()?.to_f64()
    } else {
        let map = broadcast::expand(call.budget(), from, to)?;
        call.spend(map.index.len().saturating_mul(2))?;
        c.select(&map.index, map.dims).tensor()?.to_f64()
    };
    let (scale, shift) = line(numbers)?;
    Ok(call.scale_and_shift(&x, scale, shift)?.into())
}

/// How many leading axes are the channels of the image that a node holds, or can hold: `[1, channels, height, width]`
/// of four, else as many as make up the channels of the node.
fn channels(held: &[usize], image: Option<[usize; 3]>) -> Option<usize> {
    if matches!(held, [1, _, _, _]) {
        return Some(2);
    }
    let [channels, ..] = image?;
    (1..=held.len()).rev().find(|&axes| held[..axes].iter().product::<usize>() == channels)
}

/// A constant that broadcasts to `x`, with its axes in the order in which the node holds those of `x`.
fn held_like(call: &mut Call, c: &Constant, x: &Computed) -> Result<Constant, Problem> {
    let c = c.reshaped([&vec![1; x.dims.len() - c.dims.len()], c.dims.as_slice()].concat());
    if x.is_row_major() || c.len() == 1 {
        return Ok(c);
    }
    let map = broadcast::transpose(call.budget(), &c.dims, &x.inverse())?;
    call.spend(map.index.len().saturating_mul(2))?;
    Ok(c.select(&map.index, map.dims))
}
