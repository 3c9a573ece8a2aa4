//! What Gemm and MatMul share.

use crate::Problem;
use crate::call::Call;
use std::sync::Arc;
use unmoved_ir::{DType, Data, Dense, NodeId, Op, Tensor};

/// Zeros of the type of the weights beside them.
pub(super) fn zeros(dims: &[usize], dtype: DType) -> Result<Tensor, Problem> {
    let zeros = Tensor::zeros(dims)?;
    Ok(match dtype {
        DType::F32 => zeros,
        DType::F64 => Tensor::f64(dims, zeros.to_f64())?,
    })
}

/// The transpose of a matrix.
pub(super) fn transposed(matrix: &Tensor) -> Result<Tensor, Problem> {
    let &[rows, columns] = matrix.shape().dims() else {
        return Err(Problem::Shape(format!("{} is not a matrix", matrix.shape())));
    };
    let data = match matrix.data() {
        Data::F32(v) => Data::F32(Arc::new(transpose(v, rows, columns))),
        Data::F64(v) => Data::F64(Arc::new(transpose(v, rows, columns))),
    };
    Ok(Tensor::new(&[columns, rows], data)?)
}

/// Tile by tile: weights of a hundred megabytes would miss the cache at every element otherwise. A tile is first copied to
/// where it is alone, because rows a power of two apart would drive each other out of the cache.
fn transpose<T: Copy + Default>(from: &[T], rows: usize, columns: usize) -> Vec<T> {
    const TILE: usize = 32;
    let mut to = vec![T::default(); from.len()];
    let mut tile = [[T::default(); TILE]; TILE];
    for left in (0..columns).step_by(TILE) {
        let width = TILE.min(columns - left);
        for top in (0..rows).step_by(TILE) {
            let height = TILE.min(rows - top);
            for r in 0..height {
                let start = (top + r) * columns + left;
                tile[r][..width].copy_from_slice(&from[start..start + width]);
            }
            for c in 0..width {
                let start = (left + c) * rows + top;
                to[start..start + height].iter_mut().zip(&tile).for_each(|(to, row)| *to = row[c]);
            }
        }
    }
    to
}

/// Adds a dense layer over all elements of `x`.
pub(super) fn dense(call: &mut Call, x: NodeId, weight: Tensor, bias: Tensor) -> Result<NodeId, Problem> {
    Ok(call.push(Op::Dense(Dense::new(weight, bias)?), &[x])?)
}

#[cfg(test)]
mod tests {
    use super::transpose;

    #[test]
    fn transposes_across_tiles() {
        let (rows, columns) = (33, 70);
        let from: Vec<usize> = (0..rows * columns).collect();
        let to = transpose(&from, rows, columns);
        assert!((0..rows).all(|r| (0..columns).all(|c| to[c * rows + r] == from[r * columns + c])));
    }
}
