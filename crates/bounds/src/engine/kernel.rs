//! The inner loop of everything: a sparse matrix, by blocks of rows that read the same columns, times sixteen vectors.

use pulp::{Arch, Simd, WithSimd};

/// How many vectors are worked on side by side: subproblems, neurons or attacks.
pub const LANES: usize = 16;

/// One element of each of [`LANES`] vectors; a cache line.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub struct Lanes(pub [f32; LANES]);

impl Lanes {
    pub(crate) const ZERO: Self = Self([0.0; LANES]);

    /// The same number in every lane.
    pub fn splat(value: f32) -> Self {
        Self([value; LANES])
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a += b);
    }
}

/// Rows of a block: as many sums as fit into registers beside what they are made of.
pub(crate) const TILE: usize = 16;

/// A sparse matrix whose rows come in blocks; all rows of a block read the same columns (with zeros where one does not).
/// Convolutions fall into such blocks by themselves: the channels of one pixel.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blocks {
    /// The rows of each block; `u32::MAX` where a block has fewer.
    rows: Vec<[u32; TILE]>,
    /// Block `b` has the columns `columns[starts[b]..starts[b + 1]]`.
    starts: Vec<u32>,
    columns: Vec<u32>,
    /// One weight per column and row.
    weights: Vec<[f32; TILE]>,
}

impl Blocks {
    /// Builds blocks of the given groups of at most [`TILE`] rows; `entries` gives the columns and weights of a row.
    pub(crate) fn new<'a>(
        groups: impl Iterator<Item = &'a [u32]>,
        columns: usize,
        mut entries: impl FnMut(u32, &mut dyn FnMut(u32, f32)),
    ) -> Self {
        let mut blocks = Self { starts: vec![0], ..Self::default() };
        let mut place = vec![u32::MAX; columns];
        for group in groups {
            let mut rows = [u32::MAX; TILE];
            let start = blocks.columns.len();
            for (t, &row) in group.iter().enumerate() {
                rows[t] = row;
                entries(row, &mut |column, weight| {
                    let at = &mut place[column as usize];
                    if *at == u32::MAX {
                        *at = blocks.columns.len() as u32;
                        blocks.columns.push(column);
                        blocks.weights.push([0.0; TILE]);
                    }
                    blocks.weights[*at as usize][t] += weight;
                });
            }
            blocks.columns[start..].iter().for_each(|&c| place[c as usize] = u32::MAX);
            blocks.rows.push(rows);
            blocks.starts.push(blocks.columns.len() as u32);
        }
        blocks
    }

    /// `to += matrix * from`, in every lane.
    pub(crate) fn multiply_add(&self, from: &[Lanes], to: &mut [Lanes]) {
        Arch::new().dispatch(Product { blocks: self, from, to });
    }

    /// The same within code that is compiled for this processor already.
    #[inline(always)]
    pub(crate) fn multiply_add_in<S: Simd>(&self, simd: S, from: &[Lanes], to: &mut [Lanes]) {
        Product { blocks: self, from, to }.with_simd(simd);
    }

    /// Weights that are not zero.
    pub(crate) fn nonzeros(&self) -> usize {
        self.weights.iter().flatten().filter(|w| **w != 0.0).count()
    }

    /// Multiplications and additions of one [`Blocks::multiply_add`], zeros that fill up blocks included.
    pub(crate) fn operations(&self) -> usize {
        2 * LANES * TILE * self.columns.len()
    }
}

struct Product<'a> {
    blocks: &'a Blocks,
    from: &'a [Lanes],
    to: &'a mut [Lanes],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Sixteen lanes are one, two, four or sixteen registers; so many sums of each kind fit beside their factors.
        match S::F32_LANES {
            16 => self.run::<S, 16, 1>(simd),
            8 => self.run::<S, 4, 2>(simd),
            4 => self.run::<S, 2, 4>(simd),
            _ => self.run::<S, 1, LANES>(simd),
        }
    }
}

impl Product<'_> {
    /// `T` rows at a time, of `N` registers each.
    #[inline(always)]
    fn run<S: Simd, const T: usize, const N: usize>(self, simd: S) {
        let Self { blocks, from, to } = self;
        for (rows, ends) in blocks.rows.iter().zip(blocks.starts.windows(2)) {
            let range = ends[0] as usize..ends[1] as usize;
            let (columns, weights) = (&blocks.columns[range.clone()], &blocks.weights[range]);
            for first in (0..TILE).step_by(T) {
                let mut sums = [[simd.splat_f32s(0.0); N]; T];
                for (&column, weights) in columns.iter().zip(weights) {
                    let (vectors, _) = S::as_simd_f32s(&from[column as usize].0);
                    for t in 0..T {
                        let weight = simd.splat_f32s(weights[first + t]);
                        for n in 0..N {
                            sums[t][n] = simd.mul_add_e_f32s(weight, vectors[n], sums[t][n]);
                        }
                    }
                }
                for (sums, &row) in sums.iter().zip(&rows[first..first + T]) {
                    if row != u32::MAX {
                        let (vectors, _) = S::as_mut_simd_f32s(&mut to[row as usize].0);
                        for n in 0..N {
                            vectors[n] = simd.add_f32s(vectors[n], sums[n]);
                        }
                    }
                }
            }
        }
    }
}
