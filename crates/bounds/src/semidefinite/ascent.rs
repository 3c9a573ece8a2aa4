//! The ascent: better multipliers for the vectors as they are, better vectors for the multipliers as they are, in turns.

use super::leaf::{Adjoints, Leaf};
use super::multipliers::{Coefficients, Found, Mean, Multipliers, Steps};
use super::program::Program;
use super::spectrum::Matrix;
use super::vectors::{RANK, Vectors};

/// The ascent of one program; goes on where it was.
pub struct Ascent<'p> {
    pub(super) program: &'p Program<'p>,
    pub(super) multipliers: Multipliers,
    pub(super) vectors: Vectors,
    gradient: Multipliers,
    scale: Multipliers,
    random: fastrand::Rng,
    value: f64,
    operations: f64,
}

/// The first length of a step, as a share of its scale; the last is none.
const LENGTH: f32 = 0.2;
/// How much vectors are shaken before each sweep at first, and before all.
const SHAKE: f32 = 0.02;
const FIRST_SHAKE: f32 = 0.2;
/// Sweeps before the first step, and before the tries of a proof.
const FIRST_SWEEPS: usize = 20;
const LAST_SWEEPS: [usize; 4] = [12, 40, 80, 160];
/// What the least eigenvalue of the scaled matrix must at least be, for the rounding of f32 in all that it is made of.
const MARGIN: f32 = 2e-5;
/// The share of what a bound has to spare that goes into the diagonal: where multipliers nearly cancel, their rounding is large beside it.
const SPARE: f64 = 0.1;
/// The share of the largest shift that leaves enough which is tried last; how often a shift is doubled at most.
const LAST_SHIFT: f32 = 0.8;
const MOST_SHIFTS: i32 = 12;
/// Products with the matrix or its transpose in a sweep.
const PRODUCTS: usize = 3;
/// How long a turn is at most.
const TURN: f32 = 0.3;

impl<'p> Ascent<'p> {
    /// From the linear relaxation's default multipliers.
    pub fn new(program: &'p Program<'p>) -> Self {
        let (multipliers, scale) = Multipliers::start(program);
        Self::from(program, multipliers, scale)
    }

    fn from(program: &'p Program<'p>, multipliers: Multipliers, scale: Multipliers) -> Self {
        let mut random = fastrand::Rng::with_seed(program.lifted.len() as u64);
        let mut vectors = Vectors::new(program);
        vectors.shake(program, &mut random, FIRST_SHAKE);
        let mut ascent = Self {
            program,
            gradient: multipliers.clone(),
            multipliers,
            vectors,
            scale,
            random,
            value: f64::NEG_INFINITY,
            operations: 0.0,
        };
        ascent.settle(FIRST_SWEEPS);
        ascent
    }

    /// From where the ascent of a program about the same rows has come, of a region that has this one within it.
    pub fn below(program: &'p Program<'p>, found: &Found) -> Self {
        let (mut multipliers, scale) = Multipliers::start(program);
        multipliers.inherit(program, found);
        Self::from(program, multipliers, scale)
    }

    /// Where this one has come.
    pub fn found(&self) -> Found {
        Found::new(self.program, &self.multipliers)
    }

    fn settle(&mut self, sweeps: usize) -> Coefficients {
        let with = self.multipliers.coefficients(self.program);
        (0..sweeps).for_each(|_| self.vectors.sweep(self.program, &with));
        self.operations += (PRODUCTS * RANK * sweeps * self.program.matrix.coefficients()) as f64;
        self.value = self.multipliers.gradient(self.program, &self.vectors, &mut self.gradient);
        with
    }

    /// Takes so many steps, each shorter than the one before; `stop` ends it early. `length` is 1 for an ascent that has all before it.
    /// What the second half of the steps came by is averaged: where the best multipliers lie between kinks, steps go to and fro.
    pub fn climb(&mut self, steps: usize, length: f32, stop: impl Fn() -> bool) {
        let mut ascent = Steps::new(self.program);
        let mut mean = Mean::default();
        for step in 0..steps {
            if step.is_multiple_of(16) && stop() {
                break;
            }
            let left = 1.0 - step as f32 / steps as f32;
            ascent.take(&mut self.multipliers, &self.gradient, &self.scale, LENGTH * length * left);
            self.vectors.shake(self.program, &mut self.random, SHAKE * left);
            self.settle(1);
            if step >= steps / 2 {
                mean.add(&self.multipliers);
            }
        }
        if let Some(mean) = mean.take() {
            self.multipliers = mean;
            self.settle(LAST_SWEEPS[0]);
        }
    }

    /// What the bound would be if the vectors were the best: about what [`Ascent::prove`] can show.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Multiplications since this was last asked, about.
    pub fn take_operations(&mut self) -> f64 {
        std::mem::take(&mut self.operations)
    }

    /// A bound above `enough`, up to the rounding of f32, and what shows it: tries again with better vectors where these multipliers could give
    /// one and the vectors do not yet show it. None once it is to `stop`.
    pub fn prove(&mut self, enough: f64, stop: impl Fn() -> bool) -> Option<(f64, Leaf)> {
        for sweeps in LAST_SWEEPS {
            if self.value <= enough || stop() {
                return None;
            }
            let shown = self.show(sweeps, enough, &stop);
            if shown.is_some() {
                return shown;
            }
        }
        None
    }

    /// The bound that these multipliers give, whatever it is.
    pub fn bound(&mut self, stop: impl Fn() -> bool) -> f64 {
        self.show(LAST_SWEEPS[0], f64::NEG_INFINITY, &stop).map_or(f64::NEG_INFINITY, |(bound, _)| bound)
    }

    /// Makes the vectors better for the multipliers as they are, and takes from the bound what the matrix still lacks: if enough is left.
    pub(super) fn show(&mut self, sweeps: usize, enough: f64, stop: &dyn Fn() -> bool) -> Option<(f64, Leaf)> {
        let with = self.settle(sweeps);
        let program = self.program;
        let linear = with.linear(program);
        let first = -linear.iter().zip(&self.vectors.v[0]).map(|(a, v)| a * v).sum::<f32>();
        let matrix = Matrix::new(program, &with, &linear, &self.vectors.kappa, first.max(1e-6));
        let least = matrix.least(&mut self.random);
        self.operations += least.operations;
        if least.value < -MARGIN {
            self.turn(&least.vector);
        }
        let shifted = |shift: f32| -> Vec<f32> {
            let kappa = matrix.diagonal.iter().zip(&with.square).map(|(d, s)| (d * (1.0 + shift) - s).max(0.0));
            kappa.chain([matrix.diagonal[program.columns] * (1.0 + shift)]).collect()
        };
        let bound = |kappa: &[f32]| with.constant - kappa.iter().map(|k| f64::from(*k)).sum::<f64>();
        let trace = matrix.diagonal.iter().map(|d| f64::from(*d)).sum::<f64>();
        let most = ((bound(&shifted(0.0)) - enough) / trace) as f32;
        let last = LAST_SHIFT * most;
        let below = MARGIN - least.value.min(0.0);
        if last.is_nan() || last < below {
            return None;
        }
        // Only the factorisation says whether a shift is enough. The least eigenvalue is much closer to what was found than the error allows.
        let shift = (0..MOST_SHIFTS)
            .map(|k| (below + least.error) * 2f32.powi(k))
            .take_while(|shift| *shift < last)
            .chain(Some(last).filter(|last| last.is_finite()))
            .find(|shift| {
                self.operations += matrix.operations();
                matrix.is_definite(shift - 0.5 * MARGIN, stop)
            })?;
        let mut kappa = shifted(shift);
        let spare = (SPARE * (bound(&kappa) - enough) / (1 + program.columns) as f64).max(0.0) as f32;
        if enough.is_finite() {
            let there = program.radius.iter().map(|r| f32::from(u8::from(*r > 0.0))).chain([1.0]);
            kappa.iter_mut().zip(there).for_each(|(k, there)| *k += spare * there);
        }
        let bound = bound(&kappa);
        let first = kappa.pop().expect("that of the constant");
        (bound.is_finite() && bound > enough).then(|| (bound, Leaf::new(program, &self.multipliers, &kappa, first)))
    }

    /// The ReLU to split: that whose variable's mean differs most, times its adjoint, from what the mean of its pre-activation would make it.
    pub fn branch(&self) -> Option<u32> {
        let Adjoints { adjoint, .. } = Adjoints::new(self.program, &self.multipliers);
        let gap = |k: usize| {
            let y = 0.5 * self.program.upper[k] * (1.0 + self.vectors.v[0][self.program.column[k]]);
            let z = self.program.centre[k] + self.vectors.z[k][0];
            adjoint[self.program.lifted[k] as usize] * (z.max(0.0) - y)
        };
        let worst = (0..self.program.lifted.len()).max_by(|&a, &b| gap(a).total_cmp(&gap(b)))?;
        Some(self.program.lifted[worst])
    }

    /// An input that the relaxation takes for bad, by position: its mean, moved by `random` numbers along what else there is of it (Goemans
    /// and Williamson, 1995).
    pub fn rounded(&self, mut random: impl FnMut() -> f32) -> impl Iterator<Item = (u32, f32)> {
        let compact = self.program.rows.compact;
        let weights: [f32; RANK] = std::array::from_fn(|j| if j == 0 { 1.0 } else { random() });
        let ends = compact.lower.iter().zip(&compact.upper).zip(&compact.nodes[0].elements);
        ends.enumerate().map(move |(i, ((l, u), &position))| {
            let s: f32 = (0..RANK).map(|j| weights[j] * self.vectors.v[j][i]).sum();
            (position, 0.5 * (l + u) + self.program.radius[i] * s.clamp(-1.0, 1.0))
        })
    }

    /// Gives the component that vectors use least a part of the direction in which the function falls.
    fn turn(&mut self, direction: &[f32]) {
        let size = |v: &Vec<f32>| v[self.program.inputs..].iter().map(|v| v * v).sum::<f32>();
        let least = (1..RANK).min_by(|&a, &b| size(&self.vectors.v[a]).total_cmp(&size(&self.vectors.v[b])));
        let largest = direction[self.program.inputs..self.program.columns].iter().fold(1e-20f32, |m, v| m.max(v.abs()));
        let v = &mut self.vectors.v[least.expect("more than one component")];
        for c in self.program.inputs..self.program.columns {
            v[c] += TURN / largest * direction[c];
        }
    }
}
