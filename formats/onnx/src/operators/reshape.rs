//! Reshape: <https://onnx.ai/onnx/operators/onnx__Reshape.html>. Opset 14 added `allowzero`.

use crate::Problem;
use crate::call::Call;
use crate::value::Value;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(2)?;
    let x = call.required(0, "data")?;
    let shape = call.ints(1, "shape")?;
    let allow_zero = call.opset >= 14 && call.attributes.flag("allowzero", false)?;
    let dims = resolve(x.dims(), &shape, allow_zero).map_err(|why| Problem::input(1, "shape", why))?;
    call.reshape(&x, dims)
}

/// The extents meant by `shape`: 0 copies that of the input, -1 is whatever is left.
fn resolve(from: &[usize], shape: &[i64], allow_zero: bool) -> Result<Vec<usize>, String> {
    let mut dims = Vec::with_capacity(shape.len());
    let mut open = None;
    for (axis, &extent) in shape.iter().enumerate() {
        dims.push(match extent {
            0 if !allow_zero => *from.get(axis).ok_or_else(|| format!("{shape:?} copies axis {axis} of {from:?}"))?,
            -1 if open.replace(axis).is_none() => 1,
            _ => usize::try_from(extent).map_err(|_| format!("{shape:?} is not a shape"))?,
        });
    }
    if let Some(axis) = open {
        let known = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n > 0);
        let total: usize = from.iter().product();
        match known {
            Some(known) if total.is_multiple_of(known) => dims[axis] = total / known,
            _ => return Err(format!("{shape:?} does not fit {from:?}")),
        }
    }
    Ok(dims)
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn resolves_zero_and_minus_one() {
        assert_eq!(resolve(&[1, 6, 2], &[0, -1], false), Ok(vec![1, 12]));
        assert_eq!(resolve(&[6], &[2, 3], false), Ok(vec![2, 3]));
        assert_eq!(resolve(&[6], &[], false), Ok(vec![]));
        assert!(resolve(&[6], &[0, 0], false).is_err());
        assert!(resolve(&[6], &[-1, -1], false).is_err());
        assert!(resolve(&[6], &[-1, 4], false).is_err());
        assert!(resolve(&[6], &[-1, i64::MAX, i64::MAX], false).is_err());
        assert!(resolve(&[6], &[-1, 0], true).is_err());
        assert!(resolve(&[6], &[-2, 3], false).is_err());
    }
}
