//! The inner loop: the rows of a matrix, each times the adjoints of its element.

use super::layers::Matrix;
use pulp::{Arch, Simd, WithSimd};

/// How many forms are walked side by side.
pub(super) const LANES: usize = 8;
/// Columns whose sums stay in registers.
pub(super) const TILE: usize = 8;

/// One number of each form; a cache line.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(super) struct Lanes(pub(super) [f64; LANES]);

impl Lanes {
    pub(super) const ZERO: Self = Self([0.0; LANES]);

    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a += b);
    }
}

/// `to += W^T from`, of the rows that are named.
pub(super) fn add_transposed(matrix: &Matrix, rows: &[u32], from: &[Lanes], to: &mut [Lanes]) {
    Arch::new().dispatch(Product { matrix, rows, from, to });
}

struct Product<'a> {
    matrix: &'a Matrix,
    rows: &'a [u32],
    from: &'a [Lanes],
    to: &'a mut [Lanes],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F64_LANES {
            8 => self.run::<S, TILE, 1>(simd),
            4 => self.run::<S, 4, 2>(simd),
            2 => self.run::<S, 2, 4>(simd),
            _ => self.run::<S, 1, LANES>(simd),
        }
    }
}

impl Product<'_> {
    /// `T` columns at a time, of `N` registers each.
    #[inline(always)]
    fn run<S: Simd, const T: usize, const N: usize>(self, simd: S) {
        let Self { matrix, rows, from, to } = self;
        for first in (0..matrix.columns).step_by(T) {
            let mut sums = [[simd.splat_f64s(0.0); N]; T];
            for &row in rows {
                let (vectors, _) = S::as_simd_f64s(&from[row as usize].0);
                let weights = &matrix.weights[row as usize * matrix.stride + first..][..T];
                for t in 0..T {
                    let weight = simd.splat_f64s(weights[t]);
                    for n in 0..N {
                        sums[t][n] = simd.mul_add_e_f64s(weight, vectors[n], sums[t][n]);
                    }
                }
            }
            for (sums, to) in sums.iter().zip(&mut to[first..]) {
                let (vectors, _) = S::as_mut_simd_f64s(&mut to.0);
                for n in 0..N {
                    vectors[n] = simd.add_f64s(vectors[n], sums[n]);
                }
            }
        }
    }
}

/// `centre += W x` and `radius += |W| r`.
pub(super) fn add_interval(
    matrix: &Matrix,
    ends: impl Iterator<Item = (f64, f64)>,
    centre: &mut [f64],
    radius: &mut [f64],
) {
    let rows = matrix.bias.len();
    Arch::new().dispatch(|| {
        for (column, (l, u)) in matrix.transposed.chunks_exact(rows).zip(ends) {
            let (x, r) = (l + (u - l) / 2.0, (u - l) / 2.0);
            if x == 0.0 && r == 0.0 {
                continue;
            }
            for ((w, c), d) in column.iter().zip(centre.iter_mut()).zip(radius.iter_mut()) {
                *c += w * x;
                *d += w.abs() * r;
            }
        }
    });
}
