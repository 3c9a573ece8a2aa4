//! MatMul: <https://onnx.ai/onnx/operators/onnx__MatMul.html>, as numpy's. Later opsets only added types. One operand is a
//! constant.

use super::contract::{Label, contract};
use crate::Problem;
use crate::call::Call;
use crate::value::Value;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(2)?;
    let (a, b) = (call.any_order(0, "A")?, call.any_order(1, "B")?);
    let axes = axes(a.dims(), b.dims())?;
    match (a, b) {
        (Value::Computed(x), Value::Constant(w)) => contract(call, (&x, &axes.a), (&w, &axes.b), &axes.result),
        (Value::Constant(w), Value::Computed(x)) => contract(call, (&x, &axes.b), (&w, &axes.a), &axes.result),
        (Value::Computed(_), Value::Computed(_)) => Err(Problem::NotPiecewiseLinear),
        (Value::Constant(_), Value::Constant(_)) => Err(Problem::Other("both operands are constants".into())),
    }
}

/// The labels of the axes of both operands and of their product.
#[derive(Debug, PartialEq)]
struct Axes {
    a: Vec<Label>,
    b: Vec<Label>,
    result: Vec<Label>,
}

/// The axes that are summed over, and the rows and columns of the product.
const SUMMED: Label = 0;
const ROW: Label = 1;
const COLUMN: Label = 2;

/// A vector on the left is a row and one on the right a column, which the product does not have then. The axes in front of
/// the matrices broadcast: one of extent 1 beside a wider one has a label of its own, and is dropped from the product.
fn axes(a: &[usize], b: &[usize]) -> Result<Axes, Problem> {
    let refuse = |why: &str| Err(Problem::Shape(format!("shapes {a:?} and {b:?}: {why}")));
    let (Some(&inner), Some(_)) = (a.last(), b.last()) else { return refuse("a scalar cannot be multiplied") };
    if b[b.len().saturating_sub(2)] != inner {
        return refuse("they do not fit");
    }
    let (batch_a, batch_b) = (&a[..a.len().saturating_sub(2)], &b[..b.len().saturating_sub(2)]);
    let (mut of_a, mut of_b, mut result) = (Vec::new(), Vec::new(), Vec::new());
    let rank = batch_a.len().max(batch_b.len());
    for axis in 0..rank {
        let extent = |batch: &[usize]| (axis + batch.len()).checked_sub(rank).map(|k| batch[k]);
        let (both, alone) = (3 + 2 * axis, 4 + 2 * axis);
        let (label_a, label_b) = match (extent(batch_a), extent(batch_b)) {
            (Some(x), Some(y)) if x == y => (Some(both), Some(both)),
            (Some(1), Some(_)) => (Some(alone), Some(both)),
            (Some(_), Some(1)) => (Some(both), Some(alone)),
            (Some(_), Some(_)) => return refuse("they do not broadcast"),
            (x, y) => (x.map(|_| both), y.map(|_| both)),
        };
        of_a.extend(label_a);
        of_b.extend(label_b);
        result.push(both);
    }
    if a.len() > 1 {
        of_a.push(ROW);
        result.push(ROW);
    }
    of_a.push(SUMMED);
    of_b.push(SUMMED);
    if b.len() > 1 {
        of_b.push(COLUMN);
        result.push(COLUMN);
    }
    Ok(Axes { a: of_a, b: of_b, result })
}

#[cfg(test)]
mod tests {
    use super::axes;

    #[test]
    fn labels_as_numpy_multiplies() {
        let labels = |a: &[usize], b: &[usize]| axes(a, b).map(|axes| (axes.a, axes.b, axes.result));
        assert_eq!(labels(&[1, 4], &[4, 3]), Ok((vec![1, 0], vec![0, 2], vec![1, 2])));
        assert_eq!(labels(&[4], &[4]), Ok((vec![0], vec![0], vec![])));
        assert!(labels(&[5, 1, 4], &[2, 4, 3]).is_err());
        assert_eq!(labels(&[1, 5, 4], &[2, 4, 3]), Ok((vec![4, 1, 0], vec![3, 0, 2], vec![3, 1, 2])));
        assert!(labels(&[6, 2, 5, 4], &[2, 3]).is_err());
        assert_eq!(labels(&[6, 2, 5, 4], &[2, 4, 3]), Ok((vec![3, 5, 1, 0], vec![5, 0, 2], vec![3, 5, 1, 2])));
        assert!(axes(&[], &[4]).is_err() && axes(&[3], &[4, 3]).is_err());
    }
}
