//! Points of a region: projection, rounding to float32, sampling. What attacks need; nothing here is taken as proof.

use crate::{FloatBox, InputRegion, Norm, Point, RegionKind};

impl InputRegion {
    /// The nearest point of the region in the Euclidean sense, but for rounding; what attacks step back with.
    pub fn project(&self, x: &mut [f64]) {
        let FloatBox { lower, upper } = self.enclosing_box();
        let within = |i: usize, v: f64| v.max(lower[i]).min(upper[i]);
        let RegionKind::Ball { centre, norm: norm @ (Norm::L1 | Norm::L2), eps, .. } = self.kind() else {
            (0..x.len()).for_each(|i| x[i] = within(i, x[i]));
            return;
        };
        // The nearest point is the step from the centre, shortened alike in all elements and then cut off by the box:
        // for l2 by a factor, for l1 by a difference. At 1 nothing is shortened, at 0 all of the step.
        let step: Vec<f64> = x.iter().zip(centre).map(|(x, c)| (x - c).clamp(f64::MIN, f64::MAX)).collect();
        let longest = step.iter().fold(0.0f64, |m, d| m.max(d.abs()));
        let moved = |i: usize, kept: f64| {
            let d = match norm {
                Norm::L2 => step[i] * kept,
                _ => step[i].signum() * (step[i].abs() - (1.0 - kept) * longest).max(0.0),
            };
            within(i, centre[i] + d)
        };
        let eps = eps.to_f64();
        let fits = |kept: f64| {
            let distance = (0..step.len()).map(|i| (moved(i, kept) - centre[i]).abs());
            match norm {
                Norm::L2 => distance.map(|d| d * d).sum::<f64>() <= eps * eps,
                _ => distance.sum::<f64>() <= eps,
            }
        };
        let (mut inside, mut outside) = (0.0, 1.0);
        if fits(outside) {
            inside = outside;
        }
        for _ in 0..200 {
            if outside - inside <= f64::EPSILON * outside {
                break;
            }
            let middle = 0.5 * (inside + outside);
            if fits(middle) { inside = middle } else { outside = middle }
        }
        (0..x.len()).for_each(|i| x[i] = moved(i, inside));
    }

    /// Rounds a point to float32 so that it lies in the region exactly, moving it as little as it takes. `None` if the
    /// region holds no float32 point near it.
    pub fn to_f32_inside(&self, x: &[f64]) -> Option<Vec<f32>> {
        if x.len() != self.len() {
            return None;
        }
        let FloatBox { lower, upper } = self.enclosing_box();
        let RegionKind::Ball { centre, norm: Norm::L1 | Norm::L2, .. } = self.kind() else {
            return (0..x.len())
                .map(|i| {
                    let nearest = x[i].max(lower[i]).min(upper[i]) as f32;
                    let near = [nearest, nearest.next_up(), nearest.next_down()];
                    near.into_iter().find(|&v| self.contains_element(i, v))
                })
                .collect();
        };
        // Rounding towards the centre leaves no norm larger; only a point outside by a float64 rounding, or a centre that is
        // no float32 itself, makes it necessary to come closer.
        [0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1.0].into_iter().find_map(|closer| {
            let moved = |i: usize| centre[i] + (1.0 - closer) * (x[i].max(lower[i]).min(upper[i]) - centre[i]);
            let rounded: Vec<f32> = (0..x.len()).map(|i| round_towards(moved(i), centre[i])).collect();
            self.contains(&rounded).then_some(rounded)
        })
    }

    /// A point of the region near `x`: float32 wherever the region allows that, else at the end of the box. `None` for another
    /// length, and for l1 and l2 balls without a float32 point near.
    pub fn nearest_inside(&self, x: &[f64]) -> Option<Point> {
        if let Some(nearest) = self.to_f32_inside(x) {
            return Some(nearest.into());
        }
        if x.len() != self.len() || x.iter().any(|v| v.is_nan()) {
            return None;
        }
        let FloatBox { lower, upper } = self.enclosing_box();
        let mut point = Point { nearest: Vec::with_capacity(x.len()), exact: Vec::new() };
        for i in 0..x.len() {
            let nearest = x[i].max(lower[i]).min(upper[i]) as f32;
            let near = [nearest, nearest.next_up(), nearest.next_down()];
            let inside = near.into_iter().find(|&v| self.contains_element(i, v));
            point.nearest.push(inside.unwrap_or(nearest));
            if inside.is_none() {
                let (lower, upper) = self.ends(i)?;
                // No float32 lies between the ends; the one that is nearer to `x` costs the attack less.
                let is_low = (x[i] - lower.to_f64()).abs() <= (x[i] - upper.to_f64()).abs();
                let value = if is_low { lower } else { upper };
                point.nearest[i] = value.to_f64() as f32;
                point.exact.push((i, value));
            }
        }
        // Beyond float32 there is nothing to be written.
        point.nearest.iter().all(|v| v.is_finite()).then_some(point)
    }

    /// A point of the region from numbers in `[0, 1)`, one per element; for tests and for starting attacks.
    pub fn sample(&self, mut uniform: impl FnMut() -> f64) -> Vec<f64> {
        let FloatBox { lower, upper } = self.enclosing_box();
        let between = |(l, u): (&f64, &f64), t: f64| l * (1.0 - t) + u * t;
        let mut x: Vec<f64> = lower.iter().zip(upper).map(|ends| between(ends, uniform())).collect();
        self.project(&mut x);
        x
    }
}

/// The float32 next to `v` on the side of `target`.
fn round_towards(v: f64, target: f64) -> f32 {
    let r = v as f32;
    if v > target && f64::from(r) > v {
        r.next_down()
    } else if v < target && f64::from(r) < v {
        r.next_up()
    } else {
        r
    }
}
