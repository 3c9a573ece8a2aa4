//! MatMul: <https://onnx.ai/onnx/operators/onnx__MatMul.html>, as numpy's. Later opsets only added types. One operand is
//! a constant matrix, the other a single row (or column, if the constant is on the left).

use super::matrix;
use crate::Problem;
use crate::call::Call;
use crate::constant::Constant;
use crate::value::{Computed, Value};

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(2)?;
    match (call.required(0, "A")?, call.required(1, "B")?) {
        (Value::Computed(x), Value::Constant(w)) => multiply(call, &x, &w, Side::Right),
        (Value::Constant(w), Value::Computed(x)) => multiply(call, &x, &w, Side::Left),
        (Value::Computed(_), Value::Computed(_)) => Err(Problem::NotPiecewiseLinear),
        (Value::Constant(_), Value::Constant(_)) => Err(Problem::Other("both operands are constants".into())),
    }
}

/// Which operand the weights are.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
}

fn multiply(call: &mut Call, x: &Computed, w: &Constant, side: Side) -> Result<Value, Problem> {
    let refuse = |why: &str| Err(Problem::Shape(format!("shapes {:?} and {:?}: {why}", x.dims, w.dims)));
    // Numpy gives a vector on the right a column, one on the left a row, and takes it away again.
    let (w_batch, w_matrix) = match (w.dims.as_slice(), side) {
        (&[n], Side::Right) => (&[][..], [n, 1]),
        (&[n], Side::Left) => (&[][..], [1, n]),
        (&[ref batch @ .., rows, columns], _) => (batch, [rows, columns]),
        ([], _) => return refuse("a scalar cannot be multiplied"),
    };
    let (x_batch, x_matrix) = match (x.dims.as_slice(), side) {
        (&[n], Side::Right) => (&[][..], [1, n]),
        (&[n], Side::Left) => (&[][..], [n, 1]),
        (&[ref batch @ .., rows, columns], _) => (batch, [rows, columns]),
        ([], _) => return refuse("a scalar cannot be multiplied"),
    };
    let (vectors, inputs, outputs, expected) = match side {
        Side::Right => (x_matrix[0], x_matrix[1], w_matrix[1], w_matrix[0]),
        Side::Left => (x_matrix[1], x_matrix[0], w_matrix[0], w_matrix[1]),
    };
    if inputs != expected {
        return refuse("they do not fit");
    }
    if vectors != 1 || x_batch.iter().chain(w_batch).any(|&d| d != 1) {
        return refuse("only a single row or column (a batch of one) can be multiplied by weights");
    }
    let matrix = w.reshaped(w_matrix.to_vec()).tensor()?;
    call.spend(matrix.shape().len())?;
    let weight = if side == Side::Right { matrix::transposed(&matrix)? } else { matrix };
    let bias = matrix::zeros(&[outputs], weight.dtype())?;
    let input = call.shaped(x, &[inputs])?;
    let id = matrix::dense(call, input, weight, bias)?;
    let mut dims = vec![1; x_batch.len().max(w_batch.len())];
    let (x_keeps, w_keeps) = (x.dims.len() > 1, w.dims.len() > 1);
    let (row, column) = match side {
        Side::Right => (x_keeps.then_some(1), w_keeps.then_some(outputs)),
        Side::Left => (w_keeps.then_some(outputs), x_keeps.then_some(1)),
    };
    dims.extend(row.into_iter().chain(column));
    Ok(Computed::new(id, dims).into())
}
