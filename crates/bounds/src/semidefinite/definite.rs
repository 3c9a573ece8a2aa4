//! Whether a quadratic function is convex, in f64: the method of Cholesky, as the checker will apply it.

use pulp::{Arch, Simd, WithSimd};

/// A symmetric matrix whose first part is diagonal.
pub(super) struct Arrow {
    /// The diagonal of the first part.
    pub(super) first: Vec<f64>,
    /// The diagonal of the other.
    pub(super) other: Vec<f64>,
    /// Numbers in a row: those of the first part, then those of the other, filled up with zeros.
    stride: usize,
    /// What is left of the other part's diagonal; zero from there on.
    rows: Vec<f64>,
}

/// Rows are multiplied side by side: each number loaded is used so often.
const ROWS: usize = 4;
/// Rows are filled up to multiples of this.
const WIDTH: usize = 8;
/// So many rows are finished between looks at the clock.
const LOOK: usize = 16 * ROWS;

impl Arrow {
    /// All zero, with so many diagonal entries and so many rows.
    pub(super) fn new(first: usize, count: usize) -> Self {
        let stride = (first.next_multiple_of(WIDTH) + count).next_multiple_of(WIDTH);
        let rows = vec![0.0; stride * count.next_multiple_of(ROWS)];
        Self { first: vec![0.0; first], other: vec![0.0; count], stride, rows }
    }

    /// Row `k`: its entries in the columns of the first part, and in those of the other before its diagonal.
    pub(super) fn row(&mut self, k: usize) -> (&mut [f64], &mut [f64]) {
        let row = &mut self.rows[k * self.stride..(k + 1) * self.stride];
        let (first, rest) = row.split_at_mut(self.first.len().next_multiple_of(WIDTH));
        (&mut first[..self.first.len()], &mut rest[..k])
    }

    /// Whether the factorisation comes to its end: then the matrix is positive definite, but for rounding. A row of the first part that is zero is passed over.
    pub(super) fn factorises(mut self, stop: &dyn Fn() -> bool) -> bool {
        // Not so for NaN.
        if !self.first.iter().all(|d| *d >= 0.0) {
            return false;
        }
        let scale: Vec<f64> = self.first.iter().map(|d| if *d > 0.0 { 1.0 / d.sqrt() } else { 0.0 }).collect();
        for k in 0..self.other.len() {
            self.row(k).0.iter_mut().zip(&scale).for_each(|(entry, s)| *entry *= s);
        }
        Arch::new().dispatch(Complete(&mut self, stop))
    }
}

struct Complete<'a>(&'a mut Arrow, &'a dyn Fn() -> bool);

impl WithSimd for Complete<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let Self(Arrow { first, other: diagonal, stride, rows }, stop) = self;
        let (start, stride) = (first.len().next_multiple_of(WIDTH), *stride);
        // Of a finished row only what is left of its diagonal is not zero: products with it go so far.
        let finished = |j: usize| (start + j).next_multiple_of(WIDTH);
        for block in (0..diagonal.len()).step_by(ROWS) {
            if block.is_multiple_of(LOOK) && stop() {
                return false;
            }
            let (done, own) = rows.split_at_mut(block * stride);
            for (j, other) in done.chunks_exact(stride).enumerate() {
                let sums = products::<S, ROWS>(simd, own, stride, &other[..finished(j)]);
                for t in 0..ROWS {
                    let entry = &mut own[t * stride + start + j];
                    *entry = (*entry - sums[t]) / diagonal[j];
                }
            }
            for k in block..(block + ROWS).min(diagonal.len()) {
                let (above, row) = own.split_at_mut((k - block) * stride);
                for j in block..k {
                    let other = &above[(j - block) * stride..][..finished(j)];
                    let [sum] = products::<S, 1>(simd, row, stride, other);
                    row[start + j] = (row[start + j] - sum) / diagonal[j];
                }
                let [square] = products::<S, 1>(simd, row, stride, &row[..finished(k)]);
                let pivot = diagonal[k] - square;
                if pivot.is_nan() || pivot <= 0.0 {
                    return false;
                }
                diagonal[k] = pivot.sqrt();
            }
        }
        true
    }
}

/// The products of the first rows with one other, as far as that goes.
#[inline(always)]
fn products<S: Simd, const N: usize>(simd: S, rows: &[f64], stride: usize, other: &[f64]) -> [f64; N] {
    let (other, _) = S::as_simd_f64s(other);
    let mut sums = [simd.splat_f64s(0.0); N];
    for c in 0..other.len() {
        for t in 0..N {
            let row = S::as_simd_f64s(&rows[t * stride..(t + 1) * stride]).0;
            sums[t] = simd.mul_add_e_f64s(row[c], other[c], sums[t]);
        }
    }
    let mut results = [0.0; N];
    for t in 0..N {
        results[t] = simd.reduce_sum_f64s(sums[t]);
    }
    results
}
