//! A vector for each variable in place of their products: for fixed multipliers the best ones, one group after another.
//!
//! The relaxation replaces products `w_i w_j` by the entries of a positive semidefinite matrix with at most 1 on its diagonal. Any such matrix
//! of low rank is `<v_i, v_j>` with vectors of few components in the unit ball, `v_0 = (1, 0, ...)` standing for 1 (Burer and Monteiro, 2003). No variable of a group is
//! multiplied with another of the same group, so that the best vectors of a group, all others fixed, have a closed form, as in the mixing method of Wang, Chang
//! and Kolter (2017); what a vector gives way by at the border of the ball is the multiplier `kappa` of `w_i^2 <= 1`.

use super::kernel::{Forward, Transposed};
use super::multipliers::Coefficients;
use super::program::Program;

/// Components of each vector. The best were seen to have three; with four in all they came to rest too soon now and then.
pub(super) const RANK: usize = 8;

/// The vectors, by columns of the program, and what comes of them.
#[derive(Debug, Clone)]
pub(super) struct Vectors {
    pub(super) v: [Vec<f32>; RANK],
    pub(super) kappa: Vec<f32>,
    /// Of every row of the program, its product with the vectors.
    pub(super) z: Vec<[f32; RANK]>,
    /// What each row hands down to the columns it reads.
    down: Vec<[f32; RANK]>,
    pull: [Vec<f32>; RANK],
}

impl Vectors {
    pub(super) fn new(program: &Program<'_>) -> Self {
        let columns = || std::array::from_fn(|_| vec![0.0; program.columns]);
        let rows = vec![[0.0; RANK]; program.matrix.rows()];
        Self { v: columns(), kappa: vec![0.0; program.columns], z: rows.clone(), down: rows, pull: columns() }
    }

    /// Moves the vectors of ReLUs a little, at random: a start from which every direction can be found, a way on where vectors of too low a rank
    /// are the best of their kind.
    pub(super) fn shake(&mut self, program: &Program<'_>, random: &mut fastrand::Rng, size: f32) {
        for (group, &start) in program.groups.iter().zip(&program.starts) {
            for v in &mut self.v {
                v[start..start + group.len()].iter_mut().for_each(|v| *v += size * (2.0 * random.f32() - 1.0));
            }
        }
    }

    /// Makes the vectors of each group the best, inputs first.
    pub(super) fn sweep(&mut self, program: &Program<'_>, with: &Coefficients) {
        let lifted = program.lifted.len();
        for r in 0..program.matrix.rows() {
            self.hand_down(program, with, r);
        }
        let (matrix, all) = (&program.matrix, 0..program.matrix.rows());
        let (inputs, pull) = (0..program.inputs, &mut self.pull);
        Transposed { matrix, rows: all.clone(), columns: inputs.clone(), from: &self.down, to: pull }.run();
        for c in inputs {
            let pull = std::array::from_fn(|j| self.pull[j][c]);
            self.settle(program, with, c, pull);
        }
        for (group, &start) in program.groups.iter().zip(&program.starts) {
            Forward { matrix, rows: group.clone(), from: &self.v, to: &mut self.z }.run();
            let columns = start..start + group.len().next_multiple_of(super::blocks::WIDTH);
            if group.end < all.end {
                let pull = &mut self.pull;
                Transposed { matrix, rows: group.end..all.end, columns, from: &self.down, to: pull }.run();
            } else {
                self.pull.iter_mut().for_each(|p| p[columns.clone()].fill(0.0));
            }
            for k in group.clone() {
                let c = start + k - group.start;
                let pull = std::array::from_fn(|j| self.pull[j][c] - with.product[k] * self.z[k][j]);
                self.settle(program, with, c, pull);
                self.hand_down(program, with, k);
            }
        }
        Forward { matrix, rows: lifted..all.end, from: &self.v, to: &mut self.z }.run();
    }

    /// What row `r` hands down: the linear terms of its pre-activation, and its product with its own ReLU.
    #[inline(always)]
    fn hand_down(&mut self, program: &Program<'_>, with: &Coefficients, r: usize) {
        let mut down = [0.0; RANK];
        down[0] = with.row[r];
        if r < program.lifted.len() {
            let c = program.column[r];
            (0..RANK).for_each(|j| down[j] -= with.product[r] * self.v[j][c]);
        }
        self.down[r] = down;
    }

    /// The best vector of a variable: against the pull, as far as its square lets it.
    #[inline(always)]
    fn settle(&mut self, program: &Program<'_>, with: &Coefficients, c: usize, mut pull: [f32; RANK]) {
        pull[0] += program.linear[c] + with.own[c];
        let size = 0.5 * pull.iter().map(|p| p * p).sum::<f32>().sqrt();
        let kappa = (size - with.square[c]).max(0.0);
        let stiffness = 2.0 * (kappa + with.square[c]);
        let factor = if stiffness > 1e-20 { -1.0 / stiffness } else { 0.0 };
        self.kappa[c] = kappa;
        (0..RANK).for_each(|j| self.v[j][c] = factor * pull[j]);
    }

    /// The squared length of a vector, and its product with its row's.
    pub(super) fn products(&self, c: usize, r: usize) -> (f32, f32) {
        let square = (0..RANK).map(|j| self.v[j][c] * self.v[j][c]).sum();
        (square, (0..RANK).map(|j| self.v[j][c] * self.z[r][j]).sum())
    }
}
