//! Add, Sub, Mul, Div, Neg: <https://onnx.ai/onnx/operators/onnx__Add.html> and so on, with numpy broadcasting. Opset 7
//! introduced that; later ones only added types.

use crate::Problem;
use crate::broadcast::{self, broadcast_dims};
use crate::constant::{Constant, Numbers};
use crate::import::{Call, Computed, Value, without_batch};
use crate::rounding::Rounded;
use std::sync::Arc;
use unmoved_ir::{Op, Scale, Shift, Tensor};

/// A constant beside a computed value: what becomes of `[factor, summand]`, from the constant's elements.
type Line = fn(Vec<f64>) -> Result<(Scale, Shift), Problem>;

pub(super) fn add(call: &mut Call) -> Result<Value, Problem> {
    match operands(call)? {
        (Value::Computed(x), Value::Computed(y)) => sum(call, &x, &y),
        (Value::Computed(x), Value::Constant(c)) | (Value::Constant(c), Value::Computed(x)) => {
            line(call, &x, &c, |c| Ok((ones(&c), Shift::exact(c))))
        }
        (Value::Constant(a), Value::Constant(b)) => fold(call, &a, &b, |a, b| a.plus(b), i64::checked_add),
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
        (Value::Constant(a), Value::Constant(b)) => fold(call, &a, &b, |a, b| a.plus(-b), i64::checked_sub),
    }
}

pub(super) fn mul(call: &mut Call) -> Result<Value, Problem> {
    match operands(call)? {
        (Value::Computed(_), Value::Computed(_)) => Err(Problem::NotPiecewiseLinear),
        (Value::Computed(x), Value::Constant(c)) | (Value::Constant(c), Value::Computed(x)) => {
            line(call, &x, &c, |c| Ok((Scale::exact(c.clone()), zeros(&c))))
        }
        (Value::Constant(a), Value::Constant(b)) => fold(call, &a, &b, |a, b| a.times(b), i64::checked_mul),
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
        // An integer quotient rounds towards zero and a float one mostly has no float: neither is worth its rules.
        (Value::Constant(_), Value::Constant(_)) => Err(Problem::Rounds),
    }
}

/// Neg: <https://onnx.ai/onnx/operators/onnx__Neg.html>.
pub(super) fn neg(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed(0, "X")?;
    Ok(Value::Computed(negated(call, &x, "")?))
}

fn operands(call: &Call) -> Result<(Value, Value), Problem> {
    call.at_most(2)?;
    Ok((call.required(0, "A")?, call.required(1, "B")?))
}

fn ones(like: &[f64]) -> Scale {
    Scale::exact(vec![1.0; like.len()])
}

fn zeros(like: &[f64]) -> Shift {
    Shift::exact(vec![0.0; like.len()])
}

/// The sum of two computed values under their common shape.
fn sum(call: &mut Call, x: &Computed, y: &Computed) -> Result<Value, Problem> {
    let dims = broadcast_dims(&x.dims, &y.dims)?;
    let (x, y) = (call.expanded(x, &dims)?, call.expanded(y, &dims)?);
    let (mut left, mut right) = (x.id, y.id);
    if call.builder.shape(left) != call.builder.shape(right) {
        (left, right) = (call.shaped(&x, without_batch(&dims))?, call.shaped(&y, without_batch(&dims))?);
    }
    let id = call.push(Op::Add, &[left, right])?;
    Ok(Value::Computed(Computed { id, dims }))
}

fn negated(call: &mut Call, x: &Computed, suffix: &str) -> Result<Computed, Problem> {
    let per_channel = x.dims.len() == 4 && x.dims[0] == 1;
    let n = if per_channel { x.dims[1] } else { x.dims.iter().product() };
    let id = if per_channel { call.image(x)? } else { x.id };
    call.spend(n.saturating_mul(4))?;
    let name = call.builder.fresh(&format!("{}{suffix}", call.name));
    let id = call.builder.affine(&name, id, Scale::exact(vec![-1.0; n]), Shift::exact(vec![0.0; n]))?;
    call.note("an addition of the negated value", false);
    Ok(Computed { id, dims: x.dims.clone() })
}

/// A computed value and a constant: a scale and shift, per channel where the constant allows.
fn line(call: &mut Call, x: &Computed, c: &Constant, line: Line) -> Result<Value, Problem> {
    let dims = broadcast_dims(&x.dims, &c.dims)?;
    let x = call.expanded(x, &dims)?;
    let numbers = match per_channel(&c.dims, &dims) {
        Some(channels) if c.len() == 1 => vec![c.tensor()?.get(0); channels],
        Some(_) => c.tensor()?.to_f64(),
        None => {
            // Checks the size of the product before anything of that size is built.
            call.spend(dims.iter().product())?;
            let map = broadcast::expand(&c.dims, &dims)?;
            c.tensor()?; // refuses integers and infinities before they are copied
            c.select(&map.index, map.dims).tensor()?.to_f64()
        }
    };
    let (scale, shift) = line(numbers)?;
    call.scale_and_shift(&x, scale, shift)
}

/// The number of channels of an image, if a constant of shape `c` is the same all over each of them.
fn per_channel(c: &[usize], dims: &[usize]) -> Option<usize> {
    let &[1, channels, _, _] = dims else { return None };
    let varies = (0..c.len()).filter(|&axis| c[axis] != 1).all(|axis| axis + dims.len() - c.len() == 1);
    varies.then_some(channels)
}

/// Two constants: computed now if that is exact.
fn fold(
    call: &mut Call,
    a: &Constant,
    b: &Constant,
    float: fn(Rounded, f64) -> Rounded,
    int: fn(i64, i64) -> Option<i64>,
) -> Result<Value, Problem> {
    let dims = broadcast_dims(&a.dims, &b.dims)?;
    call.spend(dims.iter().product::<usize>().saturating_mul(4))?;
    let (left, right) = (broadcast::expand(&a.dims, &dims)?, broadcast::expand(&b.dims, &dims)?);
    let (a, b) = (a.select(&left.index, dims.clone()), b.select(&right.index, dims.clone()));
    if let (Numbers::Int(a), Numbers::Int(b)) = (&a.numbers, &b.numbers) {
        let values: Option<Vec<i64>> = a.iter().zip(b.iter()).map(|(&a, &b)| int(a, b)).collect();
        let values = values.ok_or_else(|| Problem::Other("an integer overflows".into()))?;
        return Ok(Value::Constant(Constant { dims, numbers: Numbers::Int(Arc::new(values)) }));
    }
    let (a, b): (Tensor, Tensor) = (a.tensor()?, b.tensor()?);
    let results: Vec<Rounded> =
        a.to_f64().into_iter().zip(b.to_f64()).map(|(a, b)| float(Rounded::exact(a), b)).collect();
    if results.iter().any(|r| r.error != 0.0) {
        return Err(Problem::Rounds);
    }
    Ok(Value::Constant(Constant::f64(dims, results.into_iter().map(|r| r.value).collect())))
}
