//! Values put together from parts. Concat: <https://onnx.ai/onnx/operators/onnx__Concat.html>; Where, of a constant
//! condition: <https://onnx.ai/onnx/operators/onnx__Where.html>. Later opsets only added types.
//!
//! Each part is spread over the shape of the whole with zeros elsewhere; the whole is their sum, which is exact.

use super::fold;
use super::pieces::{scale_and_shift, sum};
use crate::Problem;
use crate::broadcast::{self, IndexMap, broadcast_dims};
use crate::call::Call;
use crate::constant::{Constant, Numbers};
use crate::value::{Computed, Value};
use std::sync::Arc;
use unmoved_ir::{Data, Scale, Shift};

pub(super) fn concat(call: &mut Call) -> Result<Value, Problem> {
    let count = call.inputs.len();
    let mut parts = (0..count).map(|k| call.any_order(k, "inputs")).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = parts.first() else { return Err(Problem::Other("nothing to concatenate".into())) };
    let dims = first.dims().to_vec();
    let axis = call.attributes.optional_int("axis")?.ok_or_else(|| Problem::attribute("axis", "is missing"))?;
    let mut axis = broadcast::axis(axis, dims.len())
        .ok_or_else(|| Problem::attribute("axis", format!("{axis} does not fit {dims:?}")))?;
    let fits = |d: &[usize]| d.len() == dims.len() && (0..d.len()).all(|k| k == axis || d[k] == dims[k]);
    if let Some(other) = parts.iter().find(|p| !fits(p.dims())) {
        return Err(Problem::Shape(format!("{dims:?} and {:?} cannot be joined at axis {axis}", other.dims())));
    }
    // Empty lists are legitimate among constants, and add nothing.
    parts.retain(|p| !matches!(p, Value::Constant(c) if c.dims[axis] == 0) || count == 1);
    let same_order = common_order(&parts);
    if let Some(like) = &same_order {
        axis = like.axis(axis);
    }
    for part in &mut parts {
        if let Value::Computed(x) = part {
            *x = if same_order.is_some() { x.in_memory() } else { call.row_major(x)? };
        }
    }
    let extent = parts.iter().try_fold(0usize, |sum, p| sum.checked_add(p.dims()[axis]));
    let extent = extent.ok_or_else(|| Problem::Shape("the whole is too large".into()))?;
    let mut whole = parts.first().map_or(dims, |p| p.dims().to_vec());
    whole[axis] = extent;
    let mut placed = Vec::with_capacity(parts.len());
    let mut start = 0;
    for part in parts {
        let map = broadcast::place(call.budget(), part.dims(), axis, start, extent)?;
        start += part.dims()[axis];
        placed.push((part, map));
    }
    let value = assembled(call, placed, whole)?;
    Ok(match (same_order, value) {
        (Some(like), Value::Computed(y)) => y.in_order_of(&like).into(),
        (_, value) => value,
    })
}

/// A part whose order of axes all others share, if all are computed.
fn common_order(parts: &[Value]) -> Option<Computed> {
    let Some(Value::Computed(first)) = parts.first() else { return None };
    let same = |p: &Value| matches!(p, Value::Computed(x) if x.same_order(first));
    (!first.is_row_major() && parts.iter().all(same)).then(|| first.clone())
}

pub(super) fn where_(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(3)?;
    let condition = call.constant(0, "condition")?;
    let (x, y) = (call.required(1, "X")?, call.required(2, "Y")?);
    let dims = broadcast_dims(&broadcast_dims(x.dims(), y.dims())?, &condition.dims)?;
    let condition = fold::expanded(call, &condition, &dims)?;
    let Numbers::Int(chosen) = &condition.numbers else {
        return Err(Problem::input(0, "condition", "must be truth values"));
    };
    let mut parts = Vec::with_capacity(2);
    for (value, wanted) in [(x, true), (y, false)] {
        let mut map = broadcast::expand(call.budget(), value.dims(), &dims)?;
        for (index, &chosen) in map.index.iter_mut().zip(chosen.iter()) {
            *index = index.filter(|_| (chosen != 0) == wanted);
        }
        if map.index.iter().any(Option::is_some) || map.index.is_empty() {
            parts.push((value, map));
        }
    }
    assembled(call, parts, dims)
}

/// The sum of parts whose maps have an element at different places; constants among them need no layer but one shift.
fn assembled(call: &mut Call, parts: Vec<(Value, IndexMap)>, dims: Vec<usize>) -> Result<Value, Problem> {
    if parts.iter().all(|(value, _)| matches!(value, Value::Constant(_))) {
        return constants(call, &parts, dims);
    }
    let len = broadcast::checked_len(&dims)?;
    let mut whole: Option<Computed> = None;
    let mut shift = Vec::new();
    for (k, (value, map)) in parts.into_iter().enumerate() {
        match value {
            Value::Computed(x) => {
                let part = call.gathered(&x, map, &format!(".part{k}"))?;
                whole = Some(match whole {
                    None => part,
                    Some(whole) => sum(call, &whole, &part, "")?,
                });
            }
            Value::Constant(c) => {
                call.spend(len.saturating_mul(2))?;
                shift.resize(len, 0.0);
                let numbers = c.tensor()?;
                let placed = map.index.iter().enumerate().filter_map(|(k, i)| i.map(|i| (k, i)));
                placed.for_each(|(k, i)| shift[k] = numbers.get(i as usize));
            }
        }
    }
    let whole = whole.ok_or_else(|| Problem::Other("nothing computed".into()))?;
    if shift.iter().all(|&v| v == 0.0) {
        return Ok(whole.into());
    }
    Ok(scale_and_shift(call, &whole, Scale::exact(vec![1.0; len]), Shift::exact(shift))?.into())
}

/// Constants put together; of one type, as the specification demands, but for floats of two widths.
fn constants(call: &mut Call, parts: &[(Value, IndexMap)], dims: Vec<usize>) -> Result<Value, Problem> {
    let len = broadcast::checked_len(&dims)?;
    call.spend(len.saturating_mul(2))?;
    let constants: Vec<(&Constant, &IndexMap)> = parts
        .iter()
        .filter_map(|(value, map)| match value {
            Value::Constant(c) => Some((c, map)),
            Value::Computed(_) => None,
        })
        .collect();
    fn put<T: Copy>(whole: &mut [T], from: &[T], map: &IndexMap) {
        let pairs = whole.iter_mut().zip(&map.index);
        pairs.filter_map(|(w, i)| i.map(|i| (w, i))).for_each(|(w, i)| *w = from[i as usize]);
    }
    let all = |kind: fn(&Numbers) -> bool| constants.iter().all(|(c, _)| kind(&c.numbers));
    let numbers = if all(|n| matches!(n, Numbers::Int(_))) {
        let mut whole = vec![0i64; len];
        for (c, map) in &constants {
            if let Numbers::Int(v) = &c.numbers {
                put(&mut whole, v, map);
            }
        }
        Numbers::Int(Arc::new(whole))
    } else if all(|n| matches!(n, Numbers::Float(Data::F32(_)))) {
        let mut whole = vec![0f32; len];
        for (c, map) in &constants {
            if let Numbers::Float(Data::F32(v)) = &c.numbers {
                put(&mut whole, v, map);
            }
        }
        Numbers::Float(Data::F32(Arc::new(whole)))
    } else if all(|n| matches!(n, Numbers::Float(_))) {
        let mut whole = vec![0f64; len];
        for (c, map) in &constants {
            put(&mut whole, &c.tensor()?.to_f64(), map);
        }
        Numbers::Float(Data::F64(Arc::new(whole)))
    } else {
        return Err(Problem::Other("integers and floats cannot be put together".into()));
    };
    Ok(Constant { dims, numbers }.into())
}
