//! Gemm: <https://onnx.ai/onnx/operators/onnx__Gemm.html>, `alpha A' B' + beta C`. Opset 7 gave C numpy broadcasting,
//! opset 11 made it optional. B and C must be constants.

use super::contract::{Label, contract};
use super::{matrix, pieces};
use crate::Problem;
use crate::broadcast;
use crate::call::Call;
use crate::constant::{Constant, Numbers};
use crate::value::{Computed, Value};
use unmoved_ir::rounding::{self, Rounded};
use unmoved_ir::{Scale, Tensor};

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(3)?;
    let (alpha, beta) = (call.attributes.float("alpha", 1.0)?, call.attributes.float("beta", 1.0)?);
    let (trans_a, trans_b) = (call.attributes.flag("transA", false)?, call.attributes.flag("transB", false)?);
    let a = call.computed(0, "A")?;
    let b = call.weights(1, "B")?;
    call.spend(b.shape().len())?;
    let weight = match b.shape().rank() {
        2 if trans_b => b,
        2 => matrix::transposed(&b)?,
        _ => return Err(Problem::input(1, "B", format!("has shape {}; expected a matrix", b.shape()))),
    };
    let &[outputs, inputs] = weight.shape().dims() else { unreachable!("a matrix stays one") };
    match (a.dims.as_slice(), trans_a) {
        (&[1, n], false) | (&[n, 1], true) if n == inputs => {}
        (&[_, n], false) | (&[n, _], true) if n == inputs => {
            return many_rows(call, &a, trans_a, &weight, [alpha, beta]);
        }
        (dims, _) => {
            return Err(Problem::input(
                0,
                "A",
                format!("has shape {dims:?}, which does not fit {inputs} rows of weights"),
            ));
        }
    }
    let x = call.shaped(&a, &[inputs])?;
    let c = call.optional_constant(2, "C")?.map(|c| bias(call, c, outputs)).transpose()?;
    let zeros = matrix::zeros(&[outputs], weight.dtype())?;
    let dims = vec![1, outputs];
    if alpha == 1.0 && (beta == 1.0 || c.is_none()) {
        let bias = c.map(|c| c.tensor()).transpose()?.unwrap_or(zeros);
        let id = matrix::dense(call, x, weight, bias)?;
        return Ok(Computed::new(id, dims).into());
    }
    // The factors are a scale and shift behind a plain layer, which folds them into it with a bound of the rounding.
    let id = matrix::dense(call, x, weight, zeros)?;
    let c = c.map(|c| c.tensor()).transpose()?.map_or_else(|| vec![0.0; outputs], |c| c.to_f64());
    let shift: Vec<Rounded> = c.into_iter().map(|c| Rounded::exact(c).times(f64::from(beta))).collect();
    let scale = Scale::exact(vec![f64::from(alpha); outputs]);
    Ok(pieces::scale_and_shift(call, &Computed::new(id, dims), scale, rounding::shift(&shift))?.into())
}

/// C as one number per output.
fn bias(call: &mut Call, c: Constant, outputs: usize) -> Result<Constant, Problem> {
    let to = [1, outputs];
    if broadcast::broadcast_dims(&c.dims, &to)? != to {
        return Err(Problem::input(2, "C", format!("has shape {:?}, which does not broadcast to {to:?}", c.dims)));
    }
    if c.len() == outputs {
        return Ok(c.reshaped(vec![outputs]));
    }
    call.spend(outputs)?;
    Ok(c.select(&broadcast::expand(call.budget(), &c.dims, &to)?.index, vec![outputs]))
}

/// Several rows are a 1x1 convolution, with a scale and shift behind it.
fn many_rows(
    call: &mut Call,
    a: &Computed,
    trans_a: bool,
    weight: &Tensor,
    [alpha, beta]: [f32; 2],
) -> Result<Value, Problem> {
    const ROW: Label = 0;
    const SUMMED: Label = 1;
    const COLUMN: Label = 2;
    let of_a = if trans_a { [SUMMED, ROW] } else { [ROW, SUMMED] };
    let weight = Constant { dims: weight.shape().dims().to_vec(), numbers: Numbers::Float(weight.data().clone()) };
    let Value::Computed(y) = contract(call, (a, &of_a), (&weight, &[COLUMN, SUMMED]), &[ROW, COLUMN])? else {
        unreachable!("a product with a computed value is computed")
    };
    let c = call.optional_constant(2, "C")?.unwrap_or_else(|| Constant::f64(vec![], vec![0.0]));
    if broadcast::broadcast_dims(&c.dims, &y.dims)? != y.dims {
        return Err(Problem::input(
            2,
            "C",
            format!("has shape {:?}, which does not broadcast to {:?}", c.dims, y.dims),
        ));
    }
    let c = pieces::spread(call, &c, &y)?;
    let shift: Vec<Rounded> = c.into_iter().map(|c| Rounded::exact(c).times(f64::from(beta))).collect();
    let scale = Scale::exact(vec![f64::from(alpha); shift.len()]);
    Ok(pieces::scale_and_shift(call, &y, scale, rounding::shift(&shift))?.into())
}
