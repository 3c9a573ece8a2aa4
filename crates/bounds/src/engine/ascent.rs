//! The steps of an ascent: up the gradient of the bound, as a function of the multipliers.
//!
//! The bound is concave and piecewise linear in the multiplier `mu` of each unstable ReLU; a supergradient is how far the
//! pre-activation at the minimiser is from the line or the bound whose multiplier it is. Multipliers are scaled as if all
//! pre-activations had ranges of the same width: ranges differ a lot between layers, and steps that do not heed that hardly move some
//! of them.

use super::compact::Unstable;
use super::descent::{Ascent, Descent};
use super::kernel::{LANES, Lanes};

/// What the last step weighs in the averages.
const MEAN: f32 = 0.2;

/// What a slope is thought to move, beside the adjoint: this share of the mean adjoint.
const LEAST_ADJOINT: f32 = 1.0;

/// The least that the first step aims at beyond the bound: what is all but proved should get there.
const LEAST_AIM: f32 = 1e-3;

/// One by the width between the bounds, within what f32 can square.
#[inline(always)]
fn scale(relu: &Unstable) -> f32 {
    1.0 / (relu.upper - relu.lower).max(1e-12)
}

impl Descent<'_> {
    /// Keeps what is better, and aims higher where a step has reached half of its aim, lower where it has not helped.
    #[inline(always)]
    pub(super) fn judge(&mut self, first: bool, ascent: &Ascent) {
        let mut better = [false; LANES];
        for lane in 0..LANES {
            let gain = self.bound.0[lane] - self.best_bound.0[lane];
            let aim = &mut self.aim.0[lane];
            better[lane] = gain > 0.0;
            if first {
                // Enough, and something beyond; not everything, where nothing is enough.
                let bound = self.bound.0[lane];
                *aim = (1.2 * (ascent.enough - bound)).max(LEAST_AIM).min(2.0 * bound.abs() + 1.0);
            } else if gain > 0.5 * *aim {
                *aim *= 1.5;
            } else if gain <= 0.1 * *aim {
                *aim *= 0.6;
            }
            if better[lane] {
                self.best_bound.0[lane] = self.bound.0[lane];
            }
        }
        for (now, best) in [(&self.slope, &mut self.best_slope), (&self.shift, &mut self.best_shift)] {
            for (now, best) in now.iter().zip(best) {
                for lane in 0..LANES {
                    best.0[lane] = if better[lane] { now.0[lane] } else { best.0[lane] };
                }
            }
        }
    }

    /// One step, as long as would lead to the level aimed at were the bound linear (Polyak, 1969), in the direction of the gradient less
    /// what would undo the step before (Camerini, Fratta, Maffioli, 1975).
    #[inline(always)]
    pub(super) fn step(&mut self, first: bool) {
        let share = if first { 1.0 } else { MEAN };
        for (mean, value) in self.mean.iter_mut().zip(&self.value) {
            for lane in 0..LANES {
                mean.0[lane] += share * (value.0[lane] - mean.0[lane]);
            }
        }
        if first {
            self.way_slope.fill(Lanes::ZERO);
            self.way_shift.fill(Lanes::ZERO);
        }
        let least = self.least_adjoint();
        // The gradient along the last direction, and the squares of both.
        let (mut along, mut last) = (Lanes::ZERO, Lanes::ZERO);
        for j in 0..self.compact.unstable.len() {
            let (slope, shift) = self.gradient(j, &least);
            let (way_slope, way_shift) = (&self.way_slope[j].0, &self.way_shift[j].0);
            for lane in 0..LANES {
                along.0[lane] += slope.0[lane] * way_slope[lane] + shift.0[lane] * way_shift[lane];
                last.0[lane] += way_slope[lane] * way_slope[lane] + way_shift[lane] * way_shift[lane];
            }
        }
        let mut keep = Lanes::ZERO;
        for lane in 0..LANES {
            keep.0[lane] = (-along.0[lane] / last.0[lane].max(1e-20)).max(0.0);
        }
        let mut size = Lanes::ZERO;
        for j in 0..self.compact.unstable.len() {
            let (slope, shift) = self.gradient(j, &least);
            let (way_slope, way_shift) = (&mut self.way_slope[j].0, &mut self.way_shift[j].0);
            for lane in 0..LANES {
                way_slope[lane] = slope.0[lane] + keep.0[lane] * way_slope[lane];
                way_shift[lane] = shift.0[lane] + keep.0[lane] * way_shift[lane];
                size.0[lane] += way_slope[lane] * way_slope[lane] + way_shift[lane] * way_shift[lane];
            }
        }
        let mut length = Lanes::ZERO;
        for lane in 0..LANES {
            let way = self.best_bound.0[lane] + self.aim.0[lane] - self.bound.0[lane];
            length.0[lane] = way.max(0.0) / size.0[lane].max(1e-20);
        }
        self.advance(&length, &least);
    }

    /// Goes along the direction, as far as each multiplier may.
    #[inline(always)]
    fn advance(&mut self, length: &Lanes, least: &Lanes) {
        for (j, u) in self.compact.unstable.iter().enumerate() {
            let scale = scale(u);
            for lane in 0..LANES {
                let free = if self.fixed[j].0[lane] == 0.0 { length.0[lane] } else { 0.0 };
                let unit = scale / (self.adjoint[j].0[lane].abs() + least.0[lane]);
                let to = self.slope[j].0[lane] + free * unit * self.way_slope[j].0[lane];
                self.slope[j].0[lane] = to.clamp(0.0, 1.0);
                let stopped = to != self.slope[j].0[lane];
                self.way_slope[j].0[lane] = if stopped { 0.0 } else { self.way_slope[j].0[lane] };
            }
            for lane in 0..LANES {
                let now = self.shift[j].0[lane];
                let to = now + length.0[lane] * scale * self.way_shift[j].0[lane];
                // At zero another bound would take over.
                let stops = if now > 0.0 { to.max(0.0) } else { to.min(0.0) };
                let stopped = now != 0.0 && stops == 0.0;
                self.shift[j].0[lane] = if now == 0.0 { to } else { stops };
                self.way_shift[j].0[lane] = if stopped { 0.0 } else { self.way_shift[j].0[lane] };
            }
        }
    }

    /// The gradient by slope and shift of one ReLU in their units, zero where the way is barred.
    #[inline(always)]
    fn gradient(&self, j: usize, least: &Lanes) -> (Lanes, Lanes) {
        let (mut by_slope, mut by_shift) = (Lanes::ZERO, Lanes::ZERO);
        let (a, z, fixed) = (&self.adjoint[j], &self.value[j], &self.fixed[j]);
        let (slope, shift) = (&self.slope[j], &self.shift[j]);
        let (lower, upper) = (&self.lower[j], &self.upper[j]);
        let scale = scale(&self.compact.unstable[j]);
        for lane in 0..LANES {
            let (a, z, slope, shift) = (a.0[lane], z.0[lane], slope.0[lane], shift.0[lane]);
            let has_slope = a > 0.0 && fixed.0[lane] == 0.0;
            let (high, low) = (slope >= 1.0, slope <= 0.0);
            let g = a * z / (a + least.0[lane]);
            let barred = (high && g > 0.0) || (low && g < 0.0) || shift != 0.0;
            by_slope.0[lane] = if has_slope && !barred { g * scale } else { 0.0 };
            // A slope comes to its end before a bound can help.
            let (above, below) = (z - upper.0[lane], z - lower.0[lane]);
            let raised = shift > 0.0 || (shift == 0.0 && above > 0.0 && (high || !has_slope));
            let lowered = shift < 0.0 || (shift == 0.0 && below < 0.0 && (low || !has_slope));
            let g = if raised {
                above
            } else if lowered {
                below
            } else {
                0.0
            };
            by_shift.0[lane] = g * scale;
        }
        (by_slope, by_shift)
    }

    /// Where an adjoint is small its slope moves little: not much should be spent on it.
    #[inline(always)]
    fn least_adjoint(&self) -> Lanes {
        let mut sum = Lanes::ZERO;
        for a in &self.adjoint {
            for lane in 0..LANES {
                sum.0[lane] += a.0[lane].abs();
            }
        }
        let share = LEAST_ADJOINT / self.adjoint.len().max(1) as f32;
        Lanes(sum.0.map(|sum| share * sum + 1e-9))
    }
}
