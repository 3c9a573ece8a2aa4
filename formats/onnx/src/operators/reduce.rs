//! ReduceSum: <https://onnx.ai/onnx/operators/onnx__ReduceSum.html>, ReduceMean, ReduceMax, ReduceMin likewise, and
//! GlobalAveragePool: <https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html> and GlobalMaxPool over any number of
//! dimensions. Opset 11 allowed negative axes; opset 13 turned the axes of ReduceSum into an input and added
//! `noop_with_empty_axes`, opset 18 those of the others.
//!
//! The axes become those of an image under one window that spans them.

use super::pieces::times;
use super::{matrix, squeeze};
use crate::Problem;
use crate::broadcast::{self, IndexMap};
use crate::call::Call;
use crate::value::{Computed, Value};
use unmoved_ir::{Conv2d, MaxPool, NodeId, Op, Tensor};

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Sum,
    Mean,
    Max,
    Min,
}

pub(super) fn sum(call: &mut Call) -> Result<Value, Problem> {
    import(call, Kind::Sum, 13)
}

pub(super) fn mean(call: &mut Call) -> Result<Value, Problem> {
    import(call, Kind::Mean, 18)
}

pub(super) fn max(call: &mut Call) -> Result<Value, Problem> {
    import(call, Kind::Max, 18)
}

pub(super) fn min(call: &mut Call) -> Result<Value, Problem> {
    import(call, Kind::Min, 18)
}

pub(super) fn global_average(call: &mut Call) -> Result<Value, Problem> {
    global(call, Kind::Mean)
}

pub(super) fn global_max(call: &mut Call) -> Result<Value, Problem> {
    global(call, Kind::Max)
}

fn global(call: &mut Call, kind: Kind) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.computed(0, "X")?;
    if x.dims.len() < 3 {
        return Err(Problem::Shape(format!("reads shape {:?}; expected [1, channels, ...]", x.dims)));
    }
    let chosen: Vec<bool> = (0..x.dims.len()).map(|axis| axis >= 2).collect();
    over(call, &x, &chosen, true, kind)
}

/// `input_since` is the opset that turned the axes into an input.
fn import(call: &mut Call, kind: Kind, input_since: i64) -> Result<Value, Problem> {
    let x = call.computed(0, "data")?;
    let keep = call.attributes.flag("keepdims", true)?;
    let (axes, none_is_all) = if call.opset < input_since {
        call.at_most(1)?;
        (call.attributes.ints("axes")?.map(<[i64]>::to_vec), true)
    } else {
        call.at_most(2)?;
        let axes = call.has(1).then(|| call.ints(1, "axes")).transpose()?;
        (axes, !call.attributes.flag("noop_with_empty_axes", false)?)
    };
    let chosen = match axes {
        Some(axes) if !axes.is_empty() => squeeze::resolve(&axes, x.dims.len())?,
        _ => vec![none_is_all; x.dims.len()],
    };
    over(call, &x, &chosen, keep, kind)
}

fn over(call: &mut Call, x: &Computed, chosen: &[bool], keep: bool, kind: Kind) -> Result<Value, Problem> {
    let kept = |(axis, &extent): (usize, &usize)| match (chosen[axis], keep) {
        (false, _) => Some(extent),
        (true, true) => Some(1),
        (true, false) => None,
    };
    let dims: Vec<usize> = x.dims.iter().enumerate().filter_map(kept).collect();
    let n: usize = (0..x.dims.len()).filter(|&axis| chosen[axis]).map(|axis| x.dims[axis]).product();
    if n == 1 {
        return call.reshape(&Value::Computed(x.clone()), dims);
    }
    let x = if kind == Kind::Min { &times(call, x, ".negated", -1.0)? } else { x };
    let (image, kernel) = window(call, x, chosen)?;
    let id = match kind {
        Kind::Sum | Kind::Mean => {
            let channels = call.builder.shape(image).dims()[0];
            call.spend(n.saturating_mul(channels))?;
            let name = call.builder.fresh(&call.name);
            call.note("a depthwise convolution", kind == Kind::Mean && !n.is_power_of_two());
            if kind == Kind::Mean {
                call.builder.average_pool(&name, image, kernel, [1; 2], [0; 4], true)?
            } else {
                let dims = [channels, 1, kernel[0], kernel[1]];
                let dtype = call.builder.dtype();
                let ones = Tensor::in_type(dtype, &dims, vec![1.0; n * channels])?;
                let mut conv = Conv2d::new(ones, matrix::zeros(&[channels], dtype)?)?;
                conv.groups = channels;
                call.builder.push(&name, Op::Conv2d(conv), &[image])?
            }
        }
        Kind::Max | Kind::Min => {
            let suffix = if kind == Kind::Min { ".max" } else { "" };
            let name = call.builder.fresh(&format!("{}{suffix}", call.name));
            let pool = MaxPool { kernel, stride: [1; 2], padding: [0; 4], dilation: [1; 2] };
            call.note("a max-pool", false);
            call.builder.push(&name, Op::MaxPool(pool), &[image])?
        }
    };
    let y = Computed::new(id, dims);
    Ok(Value::Computed(if kind == Kind::Min { times(call, &y, "", -1.0)? } else { y }))
}

/// An image of the elements of `x`, and the window that spans the chosen axes: one position for each result, in order.
fn window(call: &mut Call, x: &Computed, chosen: &[bool]) -> Result<(NodeId, [usize; 2]), Problem> {
    // Axes of extent 1 are as good as chosen, or not, as suits.
    let wide: Vec<usize> = (0..x.dims.len()).filter(|&axis| x.dims[axis] > 1).collect();
    if let [1, _, height, width] = *x.dims.as_slice()
        && wide.iter().all(|&axis| axis >= 2 || !chosen[axis])
    {
        let extent = |axis: usize, extent| if chosen[axis] { extent } else { 1 };
        return Ok((call.image(x)?, [extent(2, height), extent(3, width)]));
    }
    let across: Vec<usize> = wide.iter().copied().filter(|&axis| chosen[axis]).collect();
    let (Some(&first), Some(&last)) = (across.first(), across.last()) else {
        return Err(Problem::Shape(format!("nothing of {:?} is reduced", x.dims)));
    };
    let n: usize = across.iter().map(|&axis| x.dims[axis]).product();
    if wide.iter().any(|axis| (first..last).contains(axis) && !chosen[*axis]) {
        // The chosen axes are apart: they go to the end.
        let mut perm: Vec<usize> = (0..x.dims.len()).collect();
        perm.sort_by_key(|&axis| chosen[axis]);
        let map = broadcast::transpose(call.budget(), &x.dims, &perm)?;
        let moved = IndexMap { dims: vec![1, 1, map.index.len() / n, n], index: map.index };
        return match call.rearrange(&Value::Computed(x.clone()), moved, ".moved")? {
            Value::Computed(moved) => Ok((moved.id, [1, n])),
            Value::Constant(_) => Err(Problem::Other("a computed value became a constant".into())),
        };
    }
    let outer: usize = x.dims[..first].iter().product();
    let inner: usize = x.dims[last + 1..].iter().product();
    match inner {
        1 => Ok((call.shaped(x, &[1, outer, n])?, [1, n])),
        _ => Ok((call.shaped(x, &[outer, n, inner])?, [n, 1])),
    }
}
