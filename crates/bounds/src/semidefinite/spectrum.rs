//! How far a quadratic function is from convex: the least eigenvalue of its matrix.

use super::definite::Arrow;
use super::kernel::{Forward, Transposed};
use super::multipliers::Coefficients;
use super::program::Program;

/// The matrix `[kappa_0, q; q, A + diag(kappa)]` of a program, scaled so that its diagonal is 1.
pub(super) struct Matrix<'a> {
    program: &'a Program<'a>,
    with: &'a Coefficients,
    /// By column, and last of the constant.
    pub(super) diagonal: Vec<f32>,
    scale: Vec<f32>,
    /// Half the linear coefficients.
    linear: &'a [f32],
}

/// What is known of the least eigenvalue.
pub(super) struct Least {
    /// It is at most this,
    pub(super) value: f32,
    /// and some eigenvalue no farther from there than this.
    pub(super) error: f32,
    /// In the variables, the constant last, before they are scaled: what shows the matrix to be so far from positive.
    pub(super) vector: Vec<f32>,
    /// Multiplications that this took, about.
    pub(super) operations: f64,
}

/// Products with the matrix before the search for its least eigenvalue is given up, to stay with what was found.
const MOST: usize = 60;
/// Precise enough.
const PRECISION: f32 = 1e-5;
/// Of a diagonal, entries below this share of the largest count as so large.
const LEAST_DIAGONAL: f32 = 1e-7;

impl<'a> Matrix<'a> {
    pub(super) fn new(
        program: &'a Program<'a>,
        with: &'a Coefficients,
        linear: &'a [f32],
        kappa: &[f32],
        first: f32,
    ) -> Self {
        let mut diagonal: Vec<f32> = kappa.iter().zip(&with.square).map(|(k, s)| k + s).collect();
        diagonal.push(first);
        let largest = diagonal.iter().copied().fold(0.0, f32::max).max(1e-20);
        for (c, d) in diagonal.iter_mut().enumerate() {
            // A variable that may not move, or a filler, takes no part.
            let is_there = program.radius.get(c).is_none_or(|r| *r > 0.0);
            *d = if is_there { d.max(LEAST_DIAGONAL * largest) } else { 0.0 };
        }
        let scale = diagonal.iter().map(|d| if *d > 0.0 { 1.0 / d.sqrt() } else { 0.0 }).collect();
        Self { program, with, diagonal, scale, linear }
    }

    /// Whether the matrix is positive definite once its diagonal is multiplied by `1 + shift`; not known to be so once it is to `stop`.
    pub(super) fn is_definite(&self, shift: f32, stop: &dyn Fn() -> bool) -> bool {
        if stop() {
            return false;
        }
        let (inputs, lifted) = (self.program.inputs, self.program.lifted.len());
        let mut arrow = Arrow::new(inputs, lifted + 1);
        let diagonal = |c: usize| f64::from(self.diagonal[c] * (1.0 + shift));
        (0..inputs).for_each(|c| arrow.first[c] = diagonal(c));
        let mut row = vec![0.0; self.program.columns];
        for (k, &column) in self.program.column.iter().enumerate() {
            arrow.other[k] = diagonal(column);
            let half = -0.5 * f64::from(self.with.product[k]);
            row.fill(0.0);
            self.program.matrix.add(k, 1.0, &mut row);
            let (of_inputs, of_lifted) = arrow.row(k);
            of_inputs.iter_mut().zip(&row).for_each(|(entry, z)| *entry = half * f64::from(*z));
            for (entry, &other) in of_lifted.iter_mut().zip(&self.program.column) {
                *entry = half * f64::from(row[other]);
            }
        }
        arrow.other[lifted] = diagonal(self.program.columns);
        let (of_inputs, of_lifted) = arrow.row(lifted);
        of_inputs.iter_mut().zip(self.linear).for_each(|(entry, q)| *entry = f64::from(*q));
        of_lifted.iter_mut().zip(&self.program.column).for_each(|(entry, &c)| *entry = f64::from(self.linear[c]));
        arrow.factorises(stop)
    }

    /// Multiplications that [`Matrix::is_definite`] takes, about.
    pub(super) fn operations(&self) -> f64 {
        let rows = self.program.lifted.len() as f64;
        rows * (rows * rows / 6.0 + self.program.matrix.coefficients() as f64 / 2.0)
    }

    fn multiply(&self, x: &[f32], room: &mut Room) {
        let Room { scaled, z, down, pull, product } = room;
        let columns = self.program.columns;
        scaled[0].iter_mut().zip(x).zip(&self.scale).for_each(|((y, x), s)| *y = x * s);
        let constant = x[columns] * self.scale[columns];
        let rows = 0..self.program.lifted.len();
        let matrix = &self.program.matrix;
        Forward { matrix, rows: rows.clone(), from: scaled, to: z }.run();
        for k in rows.clone() {
            down[k] = [-0.5 * self.with.product[k] * scaled[0][self.program.column[k]]];
        }
        Transposed { matrix, rows: rows.clone(), columns: 0..columns, from: down, to: pull }.run();
        for k in rows {
            pull[0][self.program.column[k]] -= 0.5 * self.with.product[k] * z[k][0];
        }
        let mut along = 0.0;
        for c in 0..columns {
            along += self.linear[c] * scaled[0][c];
            product[c] = self.scale[c] * (pull[0][c] + constant * self.linear[c]) + x[c];
        }
        product[columns] = self.scale[columns] * along + x[columns];
    }

    /// The method of Lanczos, with every vector made orthogonal to all before.
    pub(super) fn least(&self, random: &mut fastrand::Rng) -> Least {
        let size = self.program.columns + 1;
        let mut room = Room::new(self.program);
        let mut basis: Vec<Vec<f32>> = Vec::with_capacity(MOST);
        let (mut alpha, mut beta): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        let mut next: Vec<f32> = self.scale.iter().map(|s| if *s > 0.0 { random.f32() - 0.5 } else { 0.0 }).collect();
        normalise(&mut next);
        let (mut value, mut error, mut weights) = (0.0, f64::INFINITY, Vec::new());
        while basis.len() < MOST.min(size) {
            self.multiply(&next, &mut room);
            basis.push(std::mem::replace(&mut next, room.product.clone()));
            alpha.push(dot(&next, &basis[basis.len() - 1]));
            // Twice is enough (Kahan; Parlett, The Symmetric Eigenvalue Problem, 6.9).
            for _ in 0..2 {
                for b in &basis {
                    let along = dot(&next, b) as f32;
                    next.iter_mut().zip(b).for_each(|(n, b)| *n -= along * b);
                }
            }
            let length = normalise(&mut next);
            if basis.len().is_multiple_of(10) || length < 1e-6 || basis.len() == MOST.min(size) {
                (value, weights) = least_of_tridiagonal(&alpha, &beta);
                error = length * weights[weights.len() - 1].abs();
                if error < f64::from(PRECISION) || length < 1e-6 {
                    break;
                }
            }
            beta.push(length);
        }
        let mut vector = vec![0.0; size];
        for (b, w) in basis.iter().zip(&weights) {
            vector.iter_mut().zip(b).for_each(|(v, b)| *v += *w as f32 * b);
        }
        vector.iter_mut().zip(&self.scale).for_each(|(v, s)| *v *= s);
        // Each product takes two with the program's matrix, and is made orthogonal to all before, twice.
        let each = 2 * self.program.matrix.coefficients() + 2 * size * basis.len();
        let operations = (basis.len() * each) as f64;
        Least { value: value as f32, error: error.min(1.0) as f32, vector, operations }
    }
}

/// What a product takes, reused.
struct Room {
    scaled: [Vec<f32>; 1],
    z: Vec<[f32; 1]>,
    down: Vec<[f32; 1]>,
    pull: [Vec<f32>; 1],
    product: Vec<f32>,
}

impl Room {
    fn new(program: &Program<'_>) -> Self {
        let rows = vec![[0.0]; program.matrix.rows()];
        let columns = || [vec![0.0; program.columns]];
        Self {
            scaled: columns(),
            z: rows.clone(),
            down: rows,
            pull: columns(),
            product: vec![0.0; program.columns + 1],
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0f32; 16];
    let (a, rest_a) = a.as_chunks::<16>();
    let (b, rest_b) = b.as_chunks::<16>();
    for (a, b) in a.iter().zip(b) {
        (0..16).for_each(|k| sums[k] += a[k] * b[k]);
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    sums.iter().map(|s| f64::from(*s)).sum::<f64>() + f64::from(rest)
}

fn normalise(x: &mut [f32]) -> f64 {
    let length = dot(x, x).sqrt();
    let factor = if length > 0.0 { 1.0 / length } else { 0.0 };
    x.iter_mut().for_each(|x| *x *= factor as f32);
    length
}

/// The least eigenvalue of a tridiagonal matrix, by bisection, and its eigenvector, by inverse iteration.
fn least_of_tridiagonal(diagonal: &[f64], beside: &[f64]) -> (f64, Vec<f64>) {
    let n = diagonal.len();
    let reach = |k: usize| if k > 0 { beside[k - 1].abs() } else { 0.0 } + beside.get(k).map_or(0.0, |b| b.abs());
    let below = (0..n).map(|k| diagonal[k] - reach(k)).fold(f64::INFINITY, f64::min);
    let above = diagonal.iter().copied().fold(f64::INFINITY, f64::min);
    // Whether all pivots of `T - x` are positive, and so all eigenvalues above x (Sylvester).
    let is_below = |x: f64| {
        let mut pivot = diagonal[0] - x;
        for k in 1..n {
            if pivot <= 0.0 {
                return false;
            }
            pivot = diagonal[k] - x - beside[k - 1] * beside[k - 1] / pivot;
        }
        pivot > 0.0
    };
    let (mut low, mut high) = (below - 1e-9 * (1.0 + below.abs()), above);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if is_below(middle) { low = middle } else { high = middle }
    }
    // Solved from just below the eigenvalue the matrix is positive definite, and elimination stable.
    let mut x = vec![1.0; n];
    let shift = low - 1e-12 * (1.0 + low.abs());
    for _ in 0..4 {
        let mut pivots = vec![diagonal[0] - shift];
        for k in 1..n {
            let factor = beside[k - 1] / pivots[k - 1];
            pivots.push(diagonal[k] - shift - beside[k - 1] * factor);
            x[k] -= factor * x[k - 1];
        }
        for k in (0..n).rev() {
            let after = if k + 1 < n { beside[k] * x[k + 1] } else { 0.0 };
            x[k] = (x[k] - after) / pivots[k];
        }
        let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        x.iter_mut().for_each(|x| *x /= length);
    }
    (low, x)
}
