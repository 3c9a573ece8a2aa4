//! The two products that everything here is made of: the matrix of a program times a few vectors, and its transpose.

use super::blocks::{Blocks, WIDTH};
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;

/// `to[r] = matrix[r] . from`, for some rows.
pub(super) struct Forward<'a, const R: usize> {
    pub(super) matrix: &'a Blocks,
    pub(super) rows: Range<usize>,
    pub(super) from: &'a [Vec<f32>; R],
    pub(super) to: &'a mut [[f32; R]],
}

/// `to[c] = sum over rows of matrix[r][c] from[r]`, for some columns and rows. What stood there is overwritten.
pub(super) struct Transposed<'a, const R: usize> {
    pub(super) matrix: &'a Blocks,
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

// No closures in what follows: they would not be compiled for the wide registers.

impl<const R: usize> WithSimd for Forward<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { matrix, rows, from, to } = self;
        let mut vectors: [&[[f32; WIDTH]]; R] = [&[]; R];
        for j in 0..R {
            vectors[j] = from[j].as_chunks::<WIDTH>().0;
        }
        let mut r = rows.start;
        while r < rows.end {
            let (places, values) = matrix.row(r);
            // Two sums at a time hide the latency of each: of two rows with blocks in the same places, or of one row's.
            let mut sums = [[simd.splat_f32s(0.0); R]; 2];
            if r + 1 < rows.end && matrix.is_alike(r + 1) {
                let (_, next) = matrix.row(r + 1);
                for k in 0..places.len().min(next.len()) {
                    add_blocks(simd, [&values[k], &next[k]], &vectors, [places[k]; 2], &mut sums);
                }
                for j in 0..R {
                    to[r][j] = simd.reduce_sum_f32s(sums[0][j]);
                    to[r + 1][j] = simd.reduce_sum_f32s(sums[1][j]);
                }
                r += 2;
                continue;
            }
            let (pairs, last) = places.as_chunks::<2>();
            for k in 0..pairs.len() {
                add_blocks(simd, [&values[2 * k], &values[2 * k + 1]], &vectors, pairs[k], &mut sums);
            }
            if let [place] = last {
                add_blocks(simd, [&values[places.len() - 1]], &vectors, [*place], &mut sums);
            }
            for j in 0..R {
                to[r][j] = simd.reduce_sum_f32s(simd.add_f32s(sums[0][j], sums[1][j]));
            }
            r += 1;
        }
    }
}

/// Adds the products of each vector with some blocks to sums of their own.
#[inline(always)]
fn add_blocks<S: Simd, const R: usize, const N: usize>(
    simd: S,
    blocks: [&[f32; WIDTH]; N],
    vectors: &[&[[f32; WIDTH]]; R],
    places: [u32; N],
    sums: &mut [[S::f32s; R]; 2],
) {
    for j in 0..R {
        for n in 0..N {
            let (block, _) = S::as_simd_f32s(blocks[n]);
            let (vector, _) = S::as_simd_f32s(&vectors[j][places[n] as usize]);
            for i in 0..WIDTH / S::F32_LANES {
                sums[n][j] = simd.mul_add_e_f32s(block[i], vector[i], sums[n][j]);
            }
        }
    }
}

impl<const R: usize> WithSimd for Transposed<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { matrix, rows, columns, from, to } = self;
        let values = matrix.values();
        for place in columns.start / WIDTH..columns.end.div_ceil(WIDTH) {
            let readers = matrix.readers(place, &rows);
            for i in 0..WIDTH / S::F32_LANES {
                let mut sums = [simd.splat_f32s(0.0); R];
                for &(r, number) in readers {
                    let (block, _) = S::as_simd_f32s(&values[number as usize]);
                    let weights = &from[r as usize];
                    for j in 0..R {
                        sums[j] = simd.mul_add_e_f32s(block[i], simd.splat_f32s(weights[j]), sums[j]);
                    }
                }
                let at = place * WIDTH + i * S::F32_LANES;
                for j in 0..R {
                    S::as_mut_simd_f32s(&mut to[j][at..at + S::F32_LANES]).0[0] = sums[j];
                }
            }
        }
    }
}
