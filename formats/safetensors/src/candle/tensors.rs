//! From candle's tensors to the network's, bit by bit.

use super::CandleError;
use crate::Error;
use candle_core::{DType, Shape, Tensor};
use candle_nn::VarBuilder;
use unmoved_ir::NodeProblem;

/// The tensor that candle's layers would get under this key.
pub(super) fn fetch(vb: &VarBuilder<'_>, key: &str) -> Result<unmoved_ir::Tensor, CandleError> {
    let prefix = vb.prefix();
    let full = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
    // Asked for a variable that it lacks, a `VarMap` would invent one.
    if !vb.contains_tensor(key) {
        return Err(Error::MissingTensor(full).into());
    }
    let tensor = match vb.get_unchecked_dtype(key, vb.dtype()) {
        Ok(tensor) => tensor,
        Err(error) => match shape_in_var_map(vb, key) {
            Some(shape) => vb.get(shape, key)?,
            None => return Err(error.into()),
        },
    };
    convert(&full, &tensor)
}

/// A `VarMap` gives a variable only to who knows its shape, and says the shape only in the message of its refusal. What is
/// read there is a guess, which the `VarMap` will check.
fn shape_in_var_map(vb: &VarBuilder<'_>, key: &str) -> Option<Shape> {
    let refusal = match vb.get((), key) {
        Ok(scalar) => return Some(scalar.shape().clone()),
        Err(error) => error.to_string(),
    };
    let (_, after) = refusal.lines().next()?.rsplit_once("<> [")?;
    let dims = after.trim_end().strip_suffix(']')?.split(',').map(|dim| dim.trim().parse());
    Some(Shape::from_dims(&dims.collect::<Result<Vec<usize>, _>>().ok()?))
}

/// The same numbers in the same type; `key` is what errors call them.
pub(super) fn convert(key: &str, tensor: &Tensor) -> Result<unmoved_ir::Tensor, CandleError> {
    let dims = tensor.dims();
    let problem = |problem: NodeProblem| Error::Tensor { key: key.to_owned(), problem };
    unmoved_ir::Shape::new(dims).map_err(problem)?;
    let converted = match tensor.dtype() {
        DType::F32 => unmoved_ir::Tensor::f32(dims, tensor.flatten_all()?.to_vec1()?),
        DType::F64 => unmoved_ir::Tensor::f64(dims, tensor.flatten_all()?.to_vec1()?),
        other => {
            let dtype = other.as_str().to_uppercase();
            return Err(Error::DType { key: key.to_owned(), dtype }.into());
        }
    };
    Ok(converted.map_err(problem)?)
}
