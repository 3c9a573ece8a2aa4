//! Two constants element by element, computed at import: with numpy broadcasting, and only where that is exact.

use crate::Problem;
use crate::broadcast::{self, broadcast_dims};
use crate::call::Call;
use crate::constant::{Constant, Numbers};
use crate::value::Value;
use std::sync::Arc;
use unmoved_ir::Data;
use unmoved_ir::rounding::Rounded;

/// Both constants under their common shape.
pub(super) fn together(call: &mut Call, a: &Constant, b: &Constant) -> Result<(Constant, Constant), Problem> {
    let dims = broadcast_dims(&a.dims, &b.dims)?;
    Ok((expanded(call, a, &dims)?, expanded(call, b, &dims)?))
}

/// A constant repeated until it has the shape `dims`.
pub(super) fn expanded(call: &mut Call, c: &Constant, dims: &[usize]) -> Result<Constant, Problem> {
    if c.dims == dims {
        return Ok(c.clone());
    }
    call.spend(broadcast::checked_len(dims)?.saturating_mul(2))?;
    let map = broadcast::expand(call.budget(), &c.dims, dims)?;
    Ok(c.select(&map.index, map.dims))
}

/// An operation of two numbers: of integers if both constants are, `None` where it has no result; else of floats. Whether
/// the file's integers have 32 bits or 64 is not known any more, so a result that has more than 32 is refused.
pub(super) fn numbers(
    call: &mut Call,
    a: &Constant,
    b: &Constant,
    float: fn(Rounded, f64) -> Rounded,
    int: fn(i64, i64) -> Option<i64>,
) -> Result<Value, Problem> {
    let (a, b) = together(call, a, b)?;
    if let (Numbers::Int(x), Numbers::Int(y)) = (&a.numbers, &b.numbers) {
        let fits = |v: &i64| i32::try_from(*v).is_ok();
        let values: Option<Vec<i64>> = x.iter().zip(y.iter()).map(|(&x, &y)| int(x, y).filter(fits)).collect();
        let values =
            values.ok_or_else(|| Problem::Other("an integer overflows 32 bits, or is divided by zero".into()))?;
        return Ok(Constant::ints(values).reshaped(a.dims).into());
    }
    call.spend(a.len().saturating_mul(8))?;
    let (x, y) = (floats(&a)?, floats(&b)?);
    let results: Vec<Rounded> = x.into_iter().zip(y).map(|(x, y)| float(Rounded::exact(x), y)).collect();
    if results.iter().any(|r| r.error != 0.0) {
        return Err(Problem::Rounds);
    }
    let results: Vec<f64> = results.into_iter().map(|r| r.value).collect();
    let single = [&a, &b].iter().all(|c| matches!(c.numbers, Numbers::Float(Data::F32(_))));
    if single && results.iter().all(|&v| f64::from(v as f32) == v) {
        let numbers = Numbers::Float(Data::F32(Arc::new(results.iter().map(|&v| v as f32).collect())));
        return Ok(Constant { dims: a.dims, numbers }.into());
    }
    Ok(Constant::f64(a.dims, results).into())
}

/// Both inputs under their common shape. Truth jumps, so nothing computed is among them.
fn operands(call: &mut Call) -> Result<(Constant, Constant), Problem> {
    call.at_most(2)?;
    match (call.any_order(0, "A")?, call.any_order(1, "B")?) {
        (Value::Constant(a), Value::Constant(b)) => together(call, &a, &b),
        _ => Err(Problem::NotContinuous),
    }
}

/// A comparison: 1 where it holds, 0 elsewhere.
pub(super) fn compare(call: &mut Call, holds: fn(&std::cmp::Ordering) -> bool) -> Result<Value, Problem> {
    let (a, b) = operands(call)?;
    call.spend(a.len().saturating_mul(8))?;
    let orders: Vec<_> = match (&a.numbers, &b.numbers) {
        (Numbers::Int(x), Numbers::Int(y)) => x.iter().zip(y.iter()).map(|(x, y)| x.cmp(y)).collect(),
        // Finite, so they can be compared.
        _ => {
            let pairs = floats(&a)?.into_iter().zip(floats(&b)?);
            let order = |(x, y): (f64, f64)| {
                let order = steady(x, |x| x.total_cmp(&y))?;
                steady(y, |y| x.total_cmp(&y)).map(|_| order)
            };
            pairs.map(order).collect::<Result<_, _>>()?
        }
    };
    let truth = orders.iter().map(|order| i64::from(holds(order))).collect();
    Ok(Constant::ints(truth).reshaped(a.dims).into())
}

/// A logical operation.
pub(super) fn logical(call: &mut Call, result: fn(bool, bool) -> bool) -> Result<Value, Problem> {
    let (a, b) = operands(call)?;
    let (Numbers::Int(x), Numbers::Int(y)) = (&a.numbers, &b.numbers) else {
        return Err(Problem::input(0, "A", "must be truth values"));
    };
    let truth = x.iter().zip(y.iter()).map(|(&x, &y)| i64::from(result(x != 0, y != 0))).collect();
    Ok(Constant::ints(truth).reshaped(a.dims).into())
}

/// Not: <https://onnx.ai/onnx/operators/onnx__Not.html>.
pub(super) fn not(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let c = call.constant(0, "X")?;
    match &c.numbers {
        Numbers::Int(v) => {
            let truth = v.iter().map(|&v| i64::from(v == 0)).collect();
            Ok(Value::Constant(Constant { numbers: Numbers::Int(Arc::new(truth)), ..c }))
        }
        Numbers::Float(_) => Err(Problem::input(0, "X", "must be truth values")),
    }
}

/// Whether a jump at `v` falls the same way wherever the file is run. What constants in single precision come to is exact
/// here and rounded there, with a relative error of at most [`ROUNDED`] after a few operations.
pub(super) fn steady<T: PartialEq>(v: f64, jump: impl Fn(f64) -> T) -> Result<T, Problem> {
    let here = jump(v);
    if f64::from(v as f32) == v || [1.0 - ROUNDED, 1.0 + ROUNDED].iter().all(|around| jump(v * around) == here) {
        return Ok(here);
    }
    Err(Problem::Other("jumps where a constant may be rounded to single precision".into()))
}

/// Eight units in the last place of single precision.
const ROUNDED: f64 = 8.0 * f32::EPSILON as f64;

/// Finite floats of a constant that may be empty, `-0.0` as `0.0` so that comparing them is comparing numbers.
fn floats(c: &Constant) -> Result<Vec<f64>, Problem> {
    if c.len() == 0 {
        return Ok(Vec::new());
    }
    Ok(c.tensor()?.to_f64().into_iter().map(|v| v + 0.0).collect())
}
