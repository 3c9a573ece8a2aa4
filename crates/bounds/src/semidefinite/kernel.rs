//! The two products that everything here is made of: the matrix of a program times a few vectors, and its transpose.

use super::program::Program;
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;

/// Columns come in multiples of this: of the floats in the widest register.
pub(super) const WIDTH: usize = 16;

/// `to[r] = matrix[r] . from`, for some rows.
pub(super) struct Forward<'a, const R: usize> {
    pub(super) program: &'a Program<'a>,
    pub(super) rows: Range<usize>,
    pub(super) from: &'a [Vec<f32>; R],
    pub(super) to: &'a mut [[f32; R]],
}

/// `to[c] = sum over rows of matrix[r][c] from[r]`, for some columns and rows. What stood there is overwritten.
pub(super) struct Transposed<'a, const R: usize> {
    pub(super) program: &'a Program<'a>,
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    pub(super) from: &'a [[f32; R]],
    pub(super) to: &'a mut [Vec<f32>; R],
}

impl<const R: usize> Forward<'_, R> {
    pub(super) fn run(self) {
        Arch::new().dispatch(self);
    }
}

impl<const R: usize> Transposed<'_, R> {
    pub(super) fn run(self) {
        Arch::new().dispatch(self);
    }
}

impl<const R: usize> WithSimd for Forward<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { program, rows, from, to } = self;
        let from: [&[S::f32s]; R] = std::array::from_fn(|j| S::as_simd_f32s(&from[j]).0);
        let mut r = rows.start;
        while r < rows.end {
            // Two rows at a time hide the latency of their sums; the last may be alone.
            let next = (r + 1).min(rows.end - 1);
            let (one, _) = S::as_simd_f32s(program.row(r));
            let (two, _) = S::as_simd_f32s(program.row(next));
            let mut sums = [[simd.splat_f32s(0.0); R]; 2];
            for c in 0..one.len().min(two.len()) {
                for j in 0..R {
                    sums[0][j] = simd.mul_add_e_f32s(one[c], from[j][c], sums[0][j]);
                    sums[1][j] = simd.mul_add_e_f32s(two[c], from[j][c], sums[1][j]);
                }
            }
            // Rows of different groups differ in width.
            for c in one.len()..two.len() {
                for j in 0..R {
                    sums[1][j] = simd.mul_add_e_f32s(two[c], from[j][c], sums[1][j]);
                }
            }
            // No closures: they would not be compiled for the wide registers.
            for j in 0..R {
                to[next][j] = simd.reduce_sum_f32s(sums[1][j]);
                to[r][j] = simd.reduce_sum_f32s(sums[0][j]);
            }
            r += 2;
        }
    }
}

impl<const R: usize> WithSimd for Transposed<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { program, rows, columns, from, to } = self;
        let lanes = S::F32_LANES;
        let step = 2 * lanes;
        let mut c = columns.start;
        while c < columns.end {
            let wide = c + step <= columns.end;
            let mut sums = [[simd.splat_f32s(0.0); R]; 2];
            let first = rows.start + program.widths[rows.clone()].partition_point(|w| *w <= c);
            for r in first..rows.end {
                let row = &program.matrix[r * program.columns + c..];
                let (one, _) = S::as_simd_f32s(&row[..lanes]);
                for j in 0..R {
                    sums[0][j] = simd.mul_add_e_f32s(one[0], simd.splat_f32s(from[r][j]), sums[0][j]);
                }
                if wide {
                    let (two, _) = S::as_simd_f32s(&row[lanes..step]);
                    for j in 0..R {
                        sums[1][j] = simd.mul_add_e_f32s(two[0], simd.splat_f32s(from[r][j]), sums[1][j]);
                    }
                }
            }
            for j in 0..R {
                S::as_mut_simd_f32s(&mut to[j][c..c + lanes]).0[0] = sums[0][j];
                if wide {
                    S::as_mut_simd_f32s(&mut to[j][c + lanes..c + step]).0[0] = sums[1][j];
                }
            }
            c += step;
        }
    }
}
