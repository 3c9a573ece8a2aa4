//! The nearest counterexample that an attack finds: projected steps in a ball that shrinks where they succeed and grows where they
//! do not (the fast minimum-norm attack of Pintor, Roli, Brendel and Biggio, NeurIPS 2021), sixteen starts at a time. The slopes of ReLUs are
//! soft at first, over the whole range of what each reads, and become what they are in the end: a network that was trained to be robust
//! bends so often on the way that its own slope misleads.
//!
//! Nothing here is believed: what comes of it is replayed, and its distance is measured exactly.

use crate::attack::{Walk, move_l1, move_l2};
use crate::candidates::value;
use std::f64::consts::PI;
use unmoved_bounds::engine::{Compact, LANES, Lanes};
use unmoved_check::replay_point;
use unmoved_property::{Counterexample, InputRegion, Norm, Point, Query, RegionKind};

/// By how much a ball shrinks or grows in a step, at first and at last.
const GROWTH: [f64; 2] = [0.2, 0.0005];
/// The length of a step as a share of the radius, likewise.
const LENGTH: [f64; 2] = [1.0, 0.005];

/// Where a descent begins.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) disjunct: usize,
    pub(crate) x: Vec<f64>,
    /// The first ball, if it is known how large that should be.
    pub(crate) radius: Option<f64>,
}

/// An input that satisfies a disjunct, in float32 arithmetic at least.
#[derive(Debug, Clone)]
pub(crate) struct Near {
    pub(crate) distance: f64,
    pub(crate) disjunct: usize,
    pub(crate) x: Vec<f64>,
}

/// A ball in floats.
struct Ball<'q> {
    region: &'q InputRegion,
    centre: &'q [f64],
    norm: Norm,
    eps: f64,
}

impl Ball<'_> {
    fn distance(&self, x: &[f64]) -> f64 {
        let differences = x.iter().zip(self.centre).map(|(x, c)| (x - c).abs());
        match self.norm {
            Norm::Linf => differences.fold(0.0, f64::max),
            Norm::L1 => differences.sum(),
            Norm::L2 => differences.map(|d| d * d).sum::<f64>().sqrt(),
        }
    }

    /// How fast a function with this slope may fall.
    fn steepness(&self, slope: &[Lanes], lane: usize) -> f64 {
        let sizes = slope.iter().map(|s| f64::from(s.0[lane].abs()));
        match self.norm {
            Norm::Linf => sizes.sum(),
            Norm::L1 => sizes.fold(0.0, f64::max),
            Norm::L2 => sizes.map(|s| s * s).sum::<f64>().sqrt(),
        }
    }
}

/// The nearest inputs found from each start, as far as any were.
pub(crate) fn seek(
    query: &Query,
    compact: &Compact,
    starts: &[Start],
    steps: usize,
    stop: impl Fn() -> bool,
) -> Vec<Near> {
    let RegionKind::Ball { centre, norm, eps, .. } = query.region().kind() else { return Vec::new() };
    let ball = Ball { region: query.region(), centre, norm: *norm, eps: eps.to_f64() };
    let mut walk = Walk::new(query, compact);
    let mut found = Vec::new();
    for starts in starts.chunks(LANES) {
        for (lane, start) in starts.iter().enumerate() {
            walk.start(lane, &query.unsafe_set()[start.disjunct], &start.x);
        }
        found.extend(descend(&ball, &mut walk, starts, steps, &stop).into_iter().flatten());
    }
    found
}

fn descend(
    ball: &Ball<'_>,
    walk: &mut Walk<'_>,
    starts: &[Start],
    steps: usize,
    stop: &impl Fn() -> bool,
) -> Vec<Option<Near>> {
    let mut best: Vec<Option<Near>> = vec![None; starts.len()];
    let mut radii: Vec<f64> = starts.iter().map(|s| s.radius.unwrap_or(ball.eps).min(ball.eps)).collect();
    for step in 0..=steps {
        let share = 0.5 * (1.0 + (PI * step as f64 / steps as f64).cos());
        let [growth, length] = [GROWTH, LENGTH].map(|[first, last]| last + (first - last) * share);
        let leaders = walk.lead(starts.len());
        walk.soften(share as f32);
        walk.gradients(&leaders);
        for (lane, start) in starts.iter().enumerate() {
            // Where there is no constraint everything is unsafe, the centre too.
            let Some((_, value)) = leaders[lane] else { continue };
            let x = walk.lane(lane);
            let distance = ball.distance(&x);
            let before = best[lane].as_ref().map(|near| near.distance);
            if value <= 0.0 {
                if before.is_none_or(|before| distance < before) {
                    best[lane] = Some(Near { distance, disjunct: start.disjunct, x });
                }
                radii[lane] = radii[lane].min(distance) * (1.0 - growth);
            } else if let Some(before) = before {
                radii[lane] = (radii[lane] * (1.0 + growth)).min(before);
            } else if step > 0 || start.radius.is_none() {
                // As far as it would take if the slope stayed as it is, and a little more.
                let steepness = ball.steepness(&walk.slope, lane).max(f64::MIN_POSITIVE);
                radii[lane] = ((distance + f64::from(value) / steepness) * (1.0 + growth)).min(ball.eps);
            }
        }
        if step == steps || stop() {
            break;
        }
        advance(ball, walk, &radii, length);
    }
    best
}

/// One step of steepest descent in the ball's norm, and back into each lane's ball.
fn advance(ball: &Ball<'_>, walk: &mut Walk<'_>, radii: &[f64], length: f64) {
    let limits = ball.region.enclosing_box();
    if ball.norm == Norm::Linf {
        let mut radius = [0.0f32; LANES];
        radius.iter_mut().zip(radii).for_each(|(to, r)| *to = *r as f32);
        let ends = limits.lower.iter().zip(&limits.upper).zip(ball.centre);
        for ((x, slope), ((&l, &u), &c)) in walk.x.iter_mut().zip(&walk.slope).zip(ends) {
            let (l, u, c) = (l as f32, u as f32, c as f32);
            for lane in 0..LANES {
                let (s, r) = (slope.0[lane], radius[lane]);
                let step = if s == 0.0 { 0.0 } else { (length as f32 * r).copysign(s) };
                x.0[lane] = (x.0[lane] - step).max(l.max(c - r)).min(u.min(c + r));
            }
        }
        return;
    }
    for (lane, &radius) in radii.iter().enumerate() {
        let slope: Vec<f64> = walk.slope.iter().map(|s| f64::from(s.0[lane])).collect();
        let mut x = walk.lane(lane);
        match ball.norm {
            Norm::L1 => move_l1(&mut x, &slope, limits, length * radius),
            _ => move_l2(&mut x, &slope, length * radius),
        }
        let mut step: Vec<f64> =
            (0..x.len()).map(|i| x[i].max(limits.lower[i]).min(limits.upper[i]) - ball.centre[i]).collect();
        match ball.norm {
            Norm::L1 => shorten_l1(&mut step, radius),
            _ => shorten_l2(&mut step, radius),
        }
        walk.x.iter_mut().zip(ball.centre.iter().zip(&step)).for_each(|(to, (c, s))| to.0[lane] = (c + s) as f32);
    }
}

fn shorten_l2(step: &mut [f64], radius: f64) {
    let length = step.iter().map(|s| s * s).sum::<f64>().sqrt();
    if length > radius {
        step.iter_mut().for_each(|s| *s *= radius / length);
    }
}

/// All elements lose alike, until they are zero.
fn shorten_l1(step: &mut [f64], radius: f64) {
    let mut sizes: Vec<f64> = step.iter().map(|s| s.abs()).filter(|s| *s > 0.0).collect();
    if sizes.iter().sum::<f64>() <= radius {
        return;
    }
    sizes.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut sum, mut loss) = (0.0, 0.0);
    for (k, size) in sizes.into_iter().enumerate() {
        sum += size;
        let next = (sum - radius) / (k + 1) as f64;
        if next >= size {
            break;
        }
        loss = next;
    }
    step.iter_mut().for_each(|s| *s = s.signum() * (s.abs() - loss).max(0.0));
}

/// Halvings of the way from the centre.
const HALVINGS: usize = 14;
/// How much farther than where floats say so exact arithmetic may need to go, as shares of the way.
const FARTHER: [f64; 6] = [0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2];

/// The counterexample on the way from the centre to an input that is nearest to the centre, as far as halving finds it, replayed.
pub(crate) fn settle(query: &Query, near: &Near) -> Option<Counterexample> {
    let RegionKind::Ball { centre, .. } = query.region().kind() else { return None };
    let at = |share: f64| -> Option<Point> {
        let x: Vec<f64> = near.x.iter().zip(centre).map(|(x, c)| c + share * (x - c)).collect();
        query.region().nearest_inside(&x)
    };
    let is_unsafe = |share: f64| {
        let Some(point) = at(share) else { return false };
        value(query, near.disjunct, &point.nearest).is_ok_and(|v| v <= 0.0)
    };
    let (mut safe, mut found) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (safe + found);
        if is_unsafe(middle) { found = middle } else { safe = middle }
    }
    FARTHER.into_iter().find_map(|farther| replay_point(query, &at((found * (1.0 + farther)).min(1.0))?).ok())
}
