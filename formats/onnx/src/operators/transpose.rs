//! Transpose: <https://onnx.ai/onnx/operators/onnx__Transpose.html>. Later opsets only added types. Of a computed value
//! nothing is moved yet: see [`crate::value::Computed`].

use crate::Problem;
use crate::broadcast;
use crate::call::Call;
use crate::value::Value;

pub(super) fn import(call: &mut Call) -> Result<Value, Problem> {
    call.at_most(1)?;
    let x = call.any_order(0, "data")?;
    let rank = x.dims().len();
    let perm: Vec<usize> = match call.attributes.ints("perm")? {
        None => (0..rank).rev().collect(),
        Some(given) => {
            let refuse = || Problem::attribute("perm", format!("{given:?} is no permutation of {rank} axes"));
            let perm: Vec<usize> = given.iter().filter_map(|&p| usize::try_from(p).ok()).collect();
            let mut seen = perm.clone();
            seen.sort_unstable();
            if given.len() != rank || !seen.into_iter().eq(0..rank) {
                return Err(refuse());
            }
            perm
        }
    };
    match &x {
        Value::Computed(x) => Ok(x.transposed(&perm).into()),
        Value::Constant(c) => {
            let map = broadcast::transpose(call.budget(), &c.dims, &perm)?;
            call.rearrange(&x, map, "")
        }
    }
}
