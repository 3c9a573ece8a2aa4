//! DepthToSpace: <https://onnx.ai/onnx/operators/onnx__DepthToSpace.html>, opset 11 added `mode`; and SpaceToDepth:
//! <https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html>.

use crate::Problem;
use crate::call::Call;
use crate::value::{Computed, Value};

/// Batch, channels, height, width and the size of a block.
fn blocks(call: &mut Call) -> Result<(Computed, [usize; 4], usize), Problem> {
    call.at_most(1)?;
    let x = call.computed(0, "input")?;
    let size =
        call.attributes.optional_int("blocksize")?.ok_or_else(|| Problem::attribute("blocksize", "is missing"))?;
    let block = usize::try_from(size).ok().filter(|b| (1..=1 << 16).contains(b));
    let block = block.ok_or_else(|| Problem::attribute("blocksize", format!("{size} is not supported")))?;
    let dims = <[usize; 4]>::try_from(x.dims.as_slice());
    let dims = dims.map_err(|_| Problem::Shape(format!("reads shape {:?}; expected four dimensions", x.dims)))?;
    Ok((x, dims, block))
}

fn refuse(dims: [usize; 4], block: usize) -> Problem {
    Problem::Shape(format!("{dims:?} does not fall into blocks of {block}"))
}

/// Reshaped, transposed, reshaped: one index map in the end.
fn shuffled(
    call: &mut Call,
    x: &Computed,
    split: Vec<usize>,
    perm: &[usize],
    dims: Vec<usize>,
) -> Result<Value, Problem> {
    match call.reshape(&x.clone().into(), split)? {
        Value::Computed(x) => call.reshape(&x.transposed(perm).into(), dims),
        Value::Constant(_) => unreachable!("a computed value stays one"),
    }
}

pub(super) fn depth_to_space(call: &mut Call) -> Result<Value, Problem> {
    let (x, dims @ [n, c, h, w], b) = blocks(call)?;
    let mode = if call.opset >= 11 { call.attributes.string("mode", "DCR")? } else { "DCR" };
    if !c.is_multiple_of(b * b) {
        return Err(refuse(dims, b));
    }
    let rest = c / b / b;
    let (split, perm) = match mode {
        "DCR" => (vec![n, b, b, rest, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD" => (vec![n, rest, b, b, h, w], [0, 1, 4, 2, 5, 3]),
        other => return Err(Problem::attribute("mode", format!("\"{other}\" is not supported"))),
    };
    shuffled(call, &x, split, &perm, vec![n, rest, h * b, w * b])
}

pub(super) fn space_to_depth(call: &mut Call) -> Result<Value, Problem> {
    let (x, dims @ [n, c, h, w], b) = blocks(call)?;
    if !h.is_multiple_of(b) || !w.is_multiple_of(b) {
        return Err(refuse(dims, b));
    }
    let split = vec![n, c, h / b, b, w / b, b];
    shuffled(call, &x, split, &[0, 3, 5, 1, 2, 4], vec![n, c * b * b, h / b, w / b])
}
