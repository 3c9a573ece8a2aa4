//! Slice: <https://onnx.ai/onnx/operators/onnx__Slice.html>; opset 10 turned its attributes into inputs and added `steps`.
//! Split: <https://onnx.ai/onnx/operators/onnx__Split.html>; opset 13 turned `split` into an input, opset 18 added
//! `num_outputs`.

use crate::Problem;
use crate::broadcast;
use crate::call::Call;
use crate::value::Value;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    let x = call.required(0, "data")?;
    let from = x.dims().to_vec();
    let (starts, ends, axes, steps);
    if call.opset < 10 {
        call.at_most(1)?;
        let given = |name| Ok::<_, Problem>(call.attributes.ints(name)?.map(<[i64]>::to_vec));
        let missing = |name| move || Problem::attribute(name, "is missing");
        (starts, ends) = (given("starts")?.ok_or_else(missing("starts"))?, given("ends")?.ok_or_else(missing("ends"))?);
        (axes, steps) = (given("axes")?, None);
    } else {
        call.at_most(5)?;
        (starts, ends) = (call.ints(1, "starts")?, call.ints(2, "ends")?);
        axes = call.has(3).then(|| call.ints(3, "axes")).transpose()?;
        steps = call.has(4).then(|| call.ints(4, "steps")).transpose()?;
    }
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()].iter().any(|&n| n != starts.len()) {
        return Err(Problem::Other("starts, ends, axes and steps differ in length".into()));
    }
    let (mut start, mut step, mut dims) = (vec![0; from.len()], vec![1; from.len()], from.clone());
    let mut seen = vec![false; from.len()];
    for (k, &axis) in axes.iter().enumerate() {
        let at = broadcast::axis(axis, from.len()).filter(|&at| !std::mem::replace(&mut seen[at], true));
        let at = at.ok_or_else(|| Problem::Other(format!("axis {axis} does not fit {from:?}, or stands twice")))?;
        (start[at], dims[at]) = along(from[at], starts[k], ends[k], steps[k])
            .ok_or_else(|| Problem::Other("a step is zero, or too large".into()))?;
        step[at] = steps[k];
    }
    if start.iter().all(|&s| s == 0) && step.iter().all(|&s| s == 1) && dims == from {
        return Ok(x);
    }
    let map = broadcast::slice(call.budget(), &from, &start, &step, dims)?;
    call.rearrange(&x, map, "")
}

/// The first element and the number of elements of `[start:end:step]` along an axis of `extent`. A start in front of the
/// first element is the first, also on the way back: there numpy has nothing, but the specification and onnxruntime do.
fn along(extent: usize, start: i64, end: i64, step: i64) -> Option<(usize, usize)> {
    let n = i64::try_from(extent).ok()?;
    let from_front = |v: i64| if v < 0 { v.saturating_add(n) } else { v };
    let (start, end) = match step {
        0 => return None,
        1.. => (from_front(start).clamp(0, n), from_front(end).clamp(0, n)),
        _ if n == 0 => return Some((0, 0)),
        _ => (from_front(start).clamp(0, n - 1), from_front(end).clamp(-1, n - 1)),
    };
    let (span, stride) = if step > 0 { (end - start, step) } else { (start - end, step.checked_neg()?) };
    let count = if span > 0 { (span - 1) / stride + 1 } else { 0 };
    Some((if count == 0 { 0 } else { start as usize }, count as usize))
}

pub(super) fn split(call: &mut Call) -> Result<Value, Problem> {
    let x = call.required(0, "input")?;
    let from = x.dims().to_vec();
    let axis = call.attributes.int("axis", 0)?;
    let axis = broadcast::axis(axis, from.len())
        .ok_or_else(|| Problem::attribute("axis", format!("{axis} does not fit {from:?}")))?;
    let given = if call.opset < 13 {
        call.at_most(1)?;
        call.attributes.ints("split")?.map(<[i64]>::to_vec)
    } else {
        call.at_most(2)?;
        call.has(1).then(|| call.ints(1, "split")).transpose()?
    };
    let declared = if call.opset >= 18 { call.attributes.optional_int("num_outputs")? } else { None };
    let outputs = call.outputs;
    if declared.is_some_and(|n| n != outputs as i64) {
        return Err(Problem::attribute("num_outputs", format!("is not the number of outputs, {outputs}")));
    }
    let parts = match given {
        Some(parts) => parts.iter().map(|&n| usize::try_from(n).unwrap_or(usize::MAX)).collect(),
        None => equal_parts(from[axis], outputs, declared.is_some()),
    };
    let total = parts.iter().try_fold(0usize, |sum, &n| sum.checked_add(n));
    if parts.len() != outputs || total != Some(from[axis]) {
        return Err(Problem::Other(format!("{parts:?} is no division of {} into {outputs}", from[axis])));
    }
    let mut values = Vec::with_capacity(parts.len());
    let mut start = vec![0; from.len()];
    for (k, &part) in parts.iter().enumerate() {
        let mut dims = from.clone();
        dims[axis] = part;
        let steps = vec![1; from.len()];
        let map = broadcast::slice(call.budget(), &from, &start, &steps, dims)?;
        values.push(call.rearrange(&x, map, &format!(".{k}"))?);
        start[axis] += part;
    }
    call.further = values.split_off(1);
    Ok(values.remove(0))
}

/// As large as possible and equal; only where the file counts the outputs may the last be smaller.
fn equal_parts(extent: usize, outputs: usize, may_differ: bool) -> Vec<usize> {
    if !may_differ && !extent.is_multiple_of(outputs) {
        return Vec::new();
    }
    let part = extent.div_ceil(outputs);
    (0..outputs).map(|k| extent.saturating_sub(k * part).min(part)).collect()
}

#[cfg(test)]
mod tests {
    use super::{along, equal_parts};

    #[test]
    fn slices_from_start_to_end() {
        assert_eq!(along(5, 1, 3, 1), Some((1, 2)));
        assert_eq!(along(5, -2, i64::MAX, 1), Some((3, 2)));
        assert_eq!(along(5, 0, -1, 2), Some((0, 2)));
        assert_eq!(along(5, -1, i64::MIN, -1), Some((4, 5)));
        assert_eq!(along(5, 10, -10, -2), Some((4, 3)));
        assert_eq!(along(5, 3, 3, 1), Some((0, 0)));
        assert_eq!(along(5, i64::MIN, 2, 1), Some((0, 2)));
        assert_eq!((along(5, -9, i64::MIN, -1), along(5, -9, 0, -1)), (Some((0, 1)), Some((0, 0))));
        assert_eq!((along(5, 0, 5, 0), along(5, 0, 5, i64::MIN)), (None, None));
        assert_eq!(along(0, 0, 5, -1), Some((0, 0)));
    }

    #[test]
    fn parts_are_equal_but_the_last() {
        assert_eq!(equal_parts(6, 3, false), [2, 2, 2]);
        assert_eq!(equal_parts(7, 3, true), [3, 3, 1]);
        assert!(equal_parts(7, 3, false).is_empty());
    }
}
