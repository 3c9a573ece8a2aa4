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
    Ok(Tensor::new(&[columns, rows], transposed_numbers(matrix.data(), rows, columns))?)
}

/// The numbers of the transpose of a matrix.
pub(super) fn transposed_numbers(matrix: &Data, rows: usize, columns: usize) -> Data {
    match matrix {
        Data::F32(v) => Data::F32(Arc::new(transpose(v, rows, columns))),
        Data::F64(v) => Data::F64(Arc::new(transpose(v, rows, columns))),
    }
}

/// Fewer elements are done before a thread has started.
const WORTH_A_THREAD: usize = 1 << 20;

fn transpose<T: Copy + Default + Send + Sync>(from: &[T], rows: usize, columns: usize) -> Vec<T> {
    let mut to = vec![T::default(); from.len()];
    let most = std::thread::available_parallelism().map_or(1, usize::from);
    let share = columns.div_ceil((from.len() / WORTH_A_THREAD).clamp(1, most));
    std::thread::scope(|scope| {
        let mut parts = to.chunks_mut(share * rows).enumerate();
        let first = parts.next();
        for (k, part) in parts {
            scope.spawn(move || transpose_columns(from, columns, k * share, part, rows));
        }
        if let Some((_, part)) = first {
            transpose_columns(from, columns, 0, part, rows);
        }
    });
    to
}

/// The columns from `first` on as rows of `to`. Tile by tile: weights of a hundred megabytes would miss the cache at every
/// element otherwise. A tile is first copied to where it is alone, because rows a power of two apart would drive each
/// other out of the cache.
fn transpose_columns<T: Copy + Default>(from: &[T], columns: usize, first: usize, to: &mut [T], rows: usize) {
    const TILE: usize = 32;
    let mut tile = [[T::default(); TILE]; TILE];
    let count = to.len() / rows;
    for left in (0..count).step_by(TILE) {
        let width = TILE.min(count - left);
        for top in (0..rows).step_by(TILE) {
            let height = TILE.min(rows - top);
            for r in 0..height {
                let start = (top + r) * columns + first + left;
                tile[r][..width].copy_from_slice(&from[start..start + width]);
            }
            for c in 0..width {
                let start = (left + c) * rows + top;
                to[start..start + height].iter_mut().zip(&tile).for_each(|(to, row)| *to = row[c]);
            }
        }
    }
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
        // The last is shared among threads.
        for (rows, columns) in [(33, 70), (1, 1), (2, 5000), (1500, 1501)] {
            let from: Vec<usize> = (0..rows * columns).collect();
            let to = transpose(&from, rows, columns);
            assert!((0..rows).all(|r| (0..columns).all(|c| to[c * rows + r] == from[r * columns + c])));
        }
    }
}
