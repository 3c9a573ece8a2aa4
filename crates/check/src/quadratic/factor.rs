//! How far below zero `w^T M w` can be: a factor `G` in floats, and what `G^T G` differs from `M` by.
//!
//! Whatever `G` is, `w^T M w = |G w|^2 + w^T (M - G^T G) w`. In `f64` the theory of Cholesky's method bounds the difference; in exact
//! arithmetic it is computed.

use super::matrix::Matrix;
use crate::real::{Real, add_up, ceil, gamma, inflate, magnitude, mul_up, sane};
use std::ops::Range;

/// `G`, transposed. The inputs come first: their part is diagonal.
struct Factor {
    inputs: Vec<f64>,
    rows: Vec<Vec<f64>>,
}

impl<R: Real> Matrix<R> {
    /// At least how far `w^T M w` can be below zero, whatever `w` is within its reach; NaN where something overflowed. `None` if the
    /// factorisation does not come to its end: then `M` is not positive definite, or too close to matrices that are not.
    pub(crate) fn loss(&self) -> Option<f64> {
        let floats = |row: &Vec<R>| row.iter().map(Real::nearest).collect();
        let rows: Vec<Vec<f64>> = self.rows.iter().map(floats).collect();
        let diagonal = self.inputs.iter().map(Real::nearest);
        let diagonal: Vec<f64> = diagonal.chain(rows.iter().filter_map(|row| row.last().copied())).collect();
        if !diagonal.iter().chain(&self.reach).all(|entry| sane(*entry)) {
            return Some(f64::NAN);
        }
        let mut factor = Factor { inputs: diagonal[..self.inputs.len()].iter().map(|d| d.sqrt()).collect(), rows };
        pulp::Arch::new().dispatch(|| factor.complete())?;
        Some(add_up(self.error, if R::UNIT > 0.0 { charge(&diagonal, &self.reach) } else { self.distance(factor) }))
    }

    /// `r^T |M - G^T G| r` without rounding, for a `G` with coarser entries.
    fn distance(&self, mut factor: Factor) -> f64 {
        let bits = Grid::bits(self.reach.len());
        let grids: Vec<Grid> = factor.rows.iter_mut().map(|row| Grid::round(row, bits)).collect();
        let count = self.inputs.len();
        let reach: Vec<R> = self.reach.iter().map(|&r| R::from_f64(r)).collect();
        let off = |entry: &R, product: R| magnitude(entry.minus(&product));
        let mut total = R::zero();
        let pivots: Vec<R> = factor.inputs.iter().map(|&g| R::from_f64(g)).collect();
        for ((entry, pivot), r) in self.inputs.iter().zip(&pivots).zip(&reach) {
            total.add_product(&off(entry, pivot.times(pivot)), &r.times(r));
        }
        for (k, row) in self.rows.iter().enumerate() {
            let mut half = R::zero();
            for (i, pivot) in pivots.iter().enumerate() {
                half.add_product(&off(&row[i], pivot.times(&R::from_f64(factor.rows[k][i]))), &reach[i]);
            }
            for j in 0..k {
                half.add_product(&off(&row[count + j], grids[k].dot(&grids[j])), &reach[count + j]);
            }
            let whole = half.plus(&half).plus(&off(&row[count + k], grids[k].dot(&grids[k])).times(&reach[count + k]));
            total.add_product(&whole, &reach[count + k]);
        }
        ceil(&total)
    }
}

/// `r^T |M - G^T G| r` for any `G` that [`Factor::complete`] may give, entries of `M` being off by one rounding each: every difference is at most
/// `g / (1 - g)` times the square roots of both diagonal entries, but for underflow.
fn charge(diagonal: &[f64], reach: &[f64]) -> f64 {
    let order = diagonal.len();
    let g = gamma::<f64>(order + 4);
    let sum = |terms: &mut dyn Iterator<Item = f64>| inflate(terms.sum(), order + 4);
    let weighted = sum(&mut diagonal.iter().zip(reach).map(|(d, r)| d.sqrt() * r));
    let largest = diagonal.iter().fold(1.0f64, |most, d| most.max(*d));
    let widths = sum(&mut reach.iter().copied());
    let relative = mul_up(mul_up(g, 1.0 + 4.0 * g), mul_up(weighted, weighted));
    let absolute = mul_up(mul_up((order + 4) as f64, 2.0 * f64::MIN_POSITIVE), mul_up(largest, mul_up(widths, widths)));
    add_up(relative, absolute)
}

impl Factor {
    /// Turns the rows of `M` into those of `G^T`. `None` if that cannot be.
    #[inline(always)]
    fn complete(&mut self) -> Option<()> {
        let Self { inputs, rows } = self;
        let count = inputs.len();
        for row in rows.iter_mut() {
            for (entry, pivot) in row.iter_mut().zip(&*inputs) {
                *entry = quotient(*entry, *pivot)?;
            }
        }
        subtract_inputs(rows, count);
        for first in (0..rows.len()).step_by(ROWS) {
            let (done, own) = rows.split_at_mut(first);
            let own = own.chunks_mut(ROWS).next()?;
            for (j, other) in done.iter().enumerate() {
                let products = dots(block(own, count..count + j), &other[count..count + j]);
                for (row, product) in own.iter_mut().zip(products) {
                    row[count + j] = quotient(row[count + j] - product, other[count + j])?;
                }
            }
            for k in 0..own.len() {
                let (above, below) = own.split_at_mut(k);
                let (row, pivot) = below[0][count..].split_at_mut(first + k);
                for (j, other) in (first..).zip(above) {
                    let other = &other[count..];
                    row[j] = quotient(row[j] - dot(&row[..j], &other[..j]), other[j])?;
                }
                let square = pivot[0] - dot(row, row);
                // Not so for NaN, which comes of what overflowed.
                pivot[0] = (square >= 0.0).then(|| square.sqrt())?;
            }
        }
        Some(())
    }
}

/// An entry by its pivot. Where that is zero, so must be what it divides.
#[inline(always)]
fn quotient(entry: f64, pivot: f64) -> Option<f64> {
    if pivot > 0.0 { Some(entry / pivot) } else { (entry == 0.0).then_some(0.0) }
}

/// How many numbers are multiplied side by side.
const LANES: usize = 8;
/// How many rows: each number loaded is used as often.
const ROWS: usize = 4;

/// Parts of up to [`ROWS`] rows; where there are fewer, the last is taken several times.
#[inline(always)]
fn block(rows: &[Vec<f64>], part: Range<usize>) -> [&[f64]; ROWS] {
    std::array::from_fn(|t| &rows[t.min(rows.len() - 1)][part.clone()])
}

/// Subtracts from the entries of any two rows behind the first `count` the product of those before.
#[inline(always)]
fn subtract_inputs(rows: &mut [Vec<f64>], count: usize) {
    let reads: Vec<Vec<usize>> = rows.iter().map(|row| reads(&row[..count])).collect();
    for first in (0..rows.len()).step_by(ROWS) {
        let last = (first + ROWS).min(rows.len());
        for j in 0..last {
            let some = block(&rows[first..last], 0..count);
            let products = dots_of(some, &rows[j][..count], reads[j].iter().copied());
            for k in first.max(j)..last {
                rows[k][count + j] -= products[k - first];
            }
        }
    }
}

/// The blocks of [`LANES`] numbers that are not all zero: a row of a convolution has few.
#[inline(always)]
fn reads(row: &[f64]) -> Vec<usize> {
    let (chunks, _) = row.as_chunks::<LANES>();
    let blocks = chunks.iter().enumerate().filter(|(_, chunk)| chunk.iter().any(|entry| *entry != 0.0));
    blocks.map(|(c, _)| c).collect()
}

#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let [sum] = dots([a], b);
    sum
}

/// The products of several rows with one.
#[inline(always)]
fn dots<const N: usize>(rows: [&[f64]; N], other: &[f64]) -> [f64; N] {
    dots_of(rows, other, 0..other.len() / LANES)
}

/// The same of some blocks of [`LANES`], and of what there is behind the last.
#[inline(always)]
fn dots_of<const N: usize>(rows: [&[f64]; N], other: &[f64], blocks: impl Iterator<Item = usize>) -> [f64; N] {
    let mut sums = [[0.0; LANES]; N];
    let (chunks, rest) = other.as_chunks::<LANES>();
    let heads = rows.map(|row| row.as_chunks::<LANES>().0);
    for c in blocks {
        let b = &chunks[c];
        for t in 0..N {
            let a = &heads[t][c];
            for l in 0..LANES {
                sums[t][l] += a[l] * b[l];
            }
        }
    }
    let done = other.len() - rest.len();
    std::array::from_fn(|t| {
        let tail: f64 = rows[t][done..].iter().zip(rest).map(|(a, b)| a * b).sum();
        sums[t].iter().sum::<f64>() + tail
    })
}

/// A row as integers times a power of two, so that its products with others are sums of integers.
struct Grid {
    numbers: Vec<i64>,
    unit: f64,
}

impl Grid {
    /// How many bits the numbers may have: that many products of two stay below 2^127.
    fn bits(products: usize) -> i32 {
        (125 - products.ilog2() as i32) / 2
    }

    /// Rounds a row to multiples of what is small beside its largest number.
    fn round(row: &mut [f64], bits: i32) -> Self {
        let largest = row.iter().fold(0.0f64, |most, v| most.max(v.abs()));
        // Far from the ends of the range; of a row so small nothing is left.
        let exponent = (largest.to_bits() >> 52) as i32 - 1022;
        let unit = power_of_two(exponent.max(-900) - bits);
        let numbers: Vec<i64> = row.iter().map(|v| (v / unit).round() as i64).collect();
        row.iter_mut().zip(&numbers).for_each(|(v, n)| *v = *n as f64 * unit);
        Self { numbers, unit }
    }

    /// The product with a row that is at most as long.
    fn dot<R: Real>(&self, other: &Self) -> R {
        let pairs = self.numbers.iter().zip(&other.numbers);
        let sum: i128 = pairs.map(|(a, b)| i128::from(*a) * i128::from(*b)).sum();
        let limb = power_of_two(48);
        let digit = |shift: i32| R::from_f64((sum.unsigned_abs() >> shift & ((1 << 48) - 1)) as f64);
        let [low, middle, high] = [0, 48, 96].map(digit);
        let limb = R::from_f64(limb);
        let value = high.times(&limb).plus(&middle).times(&limb).plus(&low);
        let sign = if sum < 0 { -1.0 } else { 1.0 };
        value.times(&R::from_f64(sign * self.unit)).times(&R::from_f64(other.unit))
    }
}

/// `2^exponent`, of a normal float.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}
