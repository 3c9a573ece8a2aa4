//! The last step of a bound: the minimum of a linear form over the region.

use crate::adjoint::Adjoint;
use crate::lane::Lane;
use crate::layers::Image;
use crate::real::{Real, Sums, inflate, mul_up, sum_up, tiny};
use crate::table::Bounds;
use unmoved_property::{InputRegion, Norm, RegionKind};

/// What the region is besides its box: nothing, or an l1 or l2 ball.
#[derive(Clone)]
pub(crate) struct Region {
    ball: Option<Ball>,
}

#[derive(Clone)]
struct Ball {
    centre: Vec<f64>,
    norm: Round,
    /// Rounded up.
    eps: f64,
}

/// A norm whose ball is not a box.
#[derive(Clone, Copy)]
enum Round {
    L1,
    L2,
}

impl Region {
    pub(crate) fn new(region: &InputRegion) -> Self {
        let ball = |centre: &[f64], norm, eps: f64| Self { ball: Some(Ball { centre: centre.to_vec(), norm, eps }) };
        match region.kind() {
            RegionKind::Ball { centre, norm: Norm::L1, eps, .. } => ball(centre, Round::L1, eps.round_up()),
            RegionKind::Ball { centre, norm: Norm::L2, eps, .. } => ball(centre, Round::L2, eps.round_up()),
            // An l-inf ball is in the box.
            RegionKind::Ball { norm: Norm::Linf, .. } | RegionKind::Box { .. } => Self { ball: None },
        }
    }

    /// Centre and eps of an l2 ball.
    pub(crate) fn l2_ball(&self) -> Option<(&[f64], f64)> {
        let ball = self.ball.as_ref().filter(|ball| matches!(ball.norm, Round::L2))?;
        Some((&ball.centre, ball.eps))
    }

    /// Adds the minimum of the forms `rho . x` over the region within `bounds` and each form's own cases: for any `q` and `p = rho - q`
    /// it is at least `q . centre - eps |q|* + sum min(p_i l_i, p_i u_i)`; for a box `q = 0`.
    pub(crate) fn minimum<R: Real, const B: usize>(
        &self,
        rho: &Adjoint<R, B>,
        image: Image,
        bounds: &Bounds,
        lanes: &[Lane<'_>; B],
        sums: &mut Sums<R, B>,
    ) {
        if rho.window.is_empty() {
            return;
        }
        let own: [Option<Bounds>; B] = std::array::from_fn(|b| own_box(bounds, &lanes[b]));
        let boxes: [&Bounds; B] = std::array::from_fn(|b| own[b].as_ref().unwrap_or(bounds));
        let Some(ball) = &self.ball else {
            if own.iter().all(Option::is_none) {
                return box_minimum(rho, image, bounds, sums);
            }
            return each_minimum(rho, image, bounds, &boxes, sums);
        };
        let q: [Vec<f64>; B] = std::array::from_fn(|b| {
            let rho: Vec<f64> = rho.values.iter().map(|v| v[b].nearest()).collect();
            ball.share(&rho, boxes[b])
        });
        for i in 0..ball.centre.len() {
            let centre = R::from_f64(ball.centre[i]);
            sums.add(|b| R::from_f64(q[b][i]).times(&centre));
            sums.add(|b| {
                let p = rho.values[i][b].minus(&R::from_f64(q[b][i]));
                least(&p, boxes[b].lower[i], boxes[b].upper[i])
            });
        }
        sums.lose(&std::array::from_fn(|b| mul_up(ball.eps, ball.dual_norm::<R>(&q[b]))));
        let total = sum_up((0..bounds.lower.len()).map(|i| bounds.magnitude(i)));
        sums.lose(&rho.error.map(|e| mul_up(e, total)));
    }
}

/// The box of a form that has input cases of its own; it lies within that of the table.
fn own_box(bounds: &Bounds, lane: &Lane<'_>) -> Option<Bounds> {
    let cases = lane.cases(0);
    let mut own = (!cases.is_empty()).then(|| bounds.clone())?;
    for case in cases {
        (own.lower[case.index as usize], own.upper[case.index as usize]) = (case.lower, case.upper);
    }
    Some(own)
}

/// Adds the minima over the box alone.
#[inline(always)]
pub(crate) fn box_minimum<R: Real, const B: usize>(
    rho: &Adjoint<R, B>,
    image: Image,
    bounds: &Bounds,
    sums: &mut Sums<R, B>,
) {
    each_minimum(rho, image, bounds, &[bounds; B], sums);
}

/// Adds the minima over boxes within `bounds`, one per form.
#[inline(always)]
fn each_minimum<R: Real, const B: usize>(
    rho: &Adjoint<R, B>,
    image: Image,
    bounds: &Bounds,
    boxes: &[&Bounds; B],
    sums: &mut Sums<R, B>,
) {
    let mut total = 0.0;
    let mut count = 0;
    for span in rho.spans(image) {
        count += span.len();
        for i in span {
            sums.add(|b| least(&rho.values[i][b], boxes[b].lower[i], boxes[b].upper[i]));
            total += bounds.magnitude(i);
        }
    }
    let total = inflate(total, count);
    sums.lose(&rho.error.map(|e| mul_up(e, total)));
}

/// The least that `p x` is for `l <= x <= u`.
#[inline(always)]
fn least<R: Real>(p: &R, l: f64, u: f64) -> R {
    smaller(p.times(&R::from_f64(l)), p.times(&R::from_f64(u)))
}

#[inline(always)]
fn smaller<R: Real>(a: R, b: R) -> R {
    if b < a { b } else { a }
}

impl Ball {
    /// The part `q` of a form that is bounded by the ball; the rest is bounded by the box. Any is sound; this one is the
    /// best but for rounding.
    fn share(&self, rho: &[f64], bounds: &Bounds) -> Vec<f64> {
        // How far the minimiser can go from the centre before it meets the box.
        let room = |i: usize| {
            let way = if rho[i] > 0.0 { self.centre[i] - bounds.lower[i] } else { bounds.upper[i] - self.centre[i] };
            way.max(0.0)
        };
        let q: Vec<f64> = match self.norm {
            Round::L1 => {
                // A fractional knapsack: the elements that gain most per step go first, until eps is used up.
                let mut order: Vec<usize> = (0..rho.len()).collect();
                order.sort_by(|&i, &j| rho[j].abs().total_cmp(&rho[i].abs()));
                let mut rest = self.eps;
                let last = order.into_iter().find(|&i| {
                    rest -= room(i);
                    rest <= 0.0
                });
                let lambda = last.map_or(0.0, |i| rho[i].abs());
                rho.iter().map(|r| r.max(-lambda).min(lambda)).collect()
            }
            Round::L2 => {
                // The step is rho / lambda, cut at the box; each round cuts more elements and lengthens the others.
                let mut free: Vec<usize> = (0..rho.len()).collect();
                let mut rest = self.eps * self.eps;
                let mut lambda = 0.0;
                for _ in 0..ROUNDS {
                    lambda = (free.iter().map(|&i| rho[i] * rho[i]).sum::<f64>() / rest).sqrt();
                    let before = free.len();
                    free.retain(|&i| {
                        let stays = rho[i].abs() <= room(i) * lambda;
                        rest -= if stays { 0.0 } else { room(i) * room(i) };
                        stays
                    });
                    if free.len() == before {
                        break;
                    }
                }
                (0..rho.len()).map(|i| rho[i].signum() * rho[i].abs().min(lambda * room(i))).collect()
            }
        };
        q.into_iter().map(|q| if q.is_finite() { q } else { 0.0 }).collect()
    }

    /// The norm dual to the ball's, rounded up.
    fn dual_norm<R: Real>(&self, q: &[f64]) -> f64 {
        let largest = q.iter().fold(0.0f64, |m, q| m.max(q.abs()));
        match self.norm {
            Round::L1 => largest,
            Round::L2 if largest == 0.0 => 0.0,
            Round::L2 => {
                // Scaled, so that squares neither overflow nor vanish: the sum is at least 1.
                let sum: f64 = q.iter().map(|q| (q / largest) * (q / largest)).sum();
                let roundings = crate::real::gamma::<f64>(2 * q.len() + 16) + tiny::<f64>(q.len());
                (largest * sum.sqrt() * (1.0 + roundings)).next_up()
            }
        }
    }
}

/// The most rounds of cutting; they stop by themselves long before, and stopping early is sound.
const ROUNDS: usize = 64;
