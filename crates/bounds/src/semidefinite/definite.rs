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
        // Nothing is added to rows in the columns of the first part: where they are zero there they stay so.
        let mut reads = Reads::new();
        // Of a finished row only what is left of its diagonal is not zero: products with it go so far.
        let finished = |j: usize| (start + j).next_multiple_of(WIDTH);
        for block in (0..diagonal.len()).step_by(ROWS) {
            if block.is_multiple_of(LOOK) && stop() {
                return false;
            }
            let (done, own) = rows.split_at_mut(block * stride);
            for (j, other) in done.chunks_exact(stride).enumerate() {
                let sums = products::<S, ROWS>(simd, own, stride, &other[..finished(j)], reads.of(j), start);
                for t in 0..ROWS {
                    let entry = &mut own[t * stride + start + j];
                    *entry = (*entry - sums[t]) / diagonal[j];
                }
            }
            for k in block..(block + ROWS).min(diagonal.len()) {
                let (above, row) = own.split_at_mut((k - block) * stride);
                reads.push(&row[..start]);
                for j in block..k {
                    let other = &above[(j - block) * stride..][..finished(j)];
                    let [sum] = products::<S, 1>(simd, row, stride, other, reads.of(j), start);
                    row[start + j] = (row[start + j] - sum) / diagonal[j];
                }
                let [square] = products::<S, 1>(simd, row, stride, &row[..finished(k)], reads.of(k), start);
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

/// Which columns of the first part the rows read, in blocks of [`WIDTH`].
struct Reads {
    starts: Vec<usize>,
    blocks: Vec<u32>,
}

impl Reads {
    fn new() -> Self {
        Self { starts: vec![0], blocks: Vec::new() }
    }

    fn push(&mut self, row: &[f64]) {
        let blocks = (0..).zip(row.chunks(WIDTH)).filter(|(_, block)| block.iter().any(|a| *a != 0.0));
        self.blocks.extend(blocks.map(|(k, _)| k));
        self.starts.push(self.blocks.len());
    }

    #[inline(always)]
    fn of(&self, row: usize) -> &[u32] {
        &self.blocks[self.starts[row]..self.starts[row + 1]]
    }
}

/// The products of the first rows with one other, as far as that goes: of the columns up to `start` in the blocks that it reads.
#[inline(always)]
fn products<S: Simd, const N: usize>(
    simd: S,
    rows: &[f64],
    stride: usize,
    other: &[f64],
    reads: &[u32],
    start: usize,
) -> [f64; N] {
    let (first, other) = other.split_at(start);
    let mut sums = [simd.splat_f64s(0.0); N];
    for &block in reads {
        let at = block as usize * WIDTH;
        let (other, _) = S::as_simd_f64s(&first[at..at + WIDTH]);
        for t in 0..N {
            let row = S::as_simd_f64s(&rows[t * stride + at..t * stride + at + WIDTH]).0;
            for i in 0..WIDTH / S::F64_LANES {
                sums[t] = simd.mul_add_e_f64s(row[i], other[i], sums[t]);
            }
        }
    }
    let (other, _) = S::as_simd_f64s(other);
    for c in 0..other.len() {
        for t in 0..N {
            let row = S::as_simd_f64s(&rows[t * stride + start..(t + 1) * stride]).0;
            sums[t] = simd.mul_add_e_f64s(row[c], other[c], sums[t]);
        }
    }
    let mut results = [0.0; N];
    for t in 0..N {
        results[t] = simd.reduce_sum_f64s(sums[t]);
    }
    results
}
