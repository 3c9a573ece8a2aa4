//! Lower bounds of linear functionals over a region: all that bounds need to know of it.
//!
//! Balls by Lagrangian duality: for any `p` in place of `q`,
//! `min q . x >= p . centre - eps |p|* + min over the box of (q - p) . x`, with the dual norm. The best `p` is `q` with each
//! element cut off, for l1 at one multiplier, for l2 at a multiplier times the room that the box leaves. Whatever
//! rounding makes of the multiplier, the bound holds.

use crate::{FloatBox, InputRegion, Norm, RegionKind};

/// An input element with its coefficient.
struct Term {
    q: f64,
    centre: f64,
    lower: f64,
    upper: f64,
}

impl Term {
    /// How far the box lets this element move in the direction that lowers `q x`.
    fn room(&self) -> f64 {
        if self.q > 0.0 { self.centre - self.lower } else { self.upper - self.centre }
    }

    fn cut_off(&self, limit: f64) -> f64 {
        self.q.min(limit).max(-limit)
    }
}

impl InputRegion {
    /// A lower bound of `q . x` over the region, for finite `q`; exact but for rounding, which it accounts for.
    pub fn minimum(&self, q: &[f64]) -> f64 {
        self.minimum_of(q.iter().copied().enumerate())
    }

    /// The same for `q` given as its elements and their coefficients, none twice; all others are zero.
    pub fn minimum_of(&self, q: impl Iterator<Item = (usize, f64)>) -> f64 {
        let FloatBox { lower, upper } = self.enclosing_box();
        let q = q.filter(|(_, q)| *q != 0.0);
        let RegionKind::Ball { centre, norm: norm @ (Norm::L1 | Norm::L2), .. } = self.kind() else {
            let mut sum = LowerSum::default();
            q.for_each(|(i, q)| sum.add((q * lower[i]).min(q * upper[i])));
            return sum.down();
        };
        let terms: Vec<Term> =
            q.map(|(i, q)| Term { q, centre: centre[i], lower: lower[i], upper: upper[i] }).collect();
        let eps = self.radius();
        let (parts, dual_norm): (Vec<f64>, f64) = match norm {
            Norm::L2 => {
                let multiplier = l2_multiplier(&terms, eps);
                let parts: Vec<f64> = terms.iter().map(|t| t.cut_off(multiplier * t.room())).collect();
                let dual_norm = norm2_up(&parts);
                (parts, dual_norm)
            }
            _ => {
                let multiplier = l1_multiplier(&terms, eps);
                (terms.iter().map(|t| t.cut_off(multiplier)).collect(), multiplier)
            }
        };
        // The box alone is a bound too: where the ball ends outside of it, and where the ball's overflows.
        let mut by_box = LowerSum::default();
        terms.iter().for_each(|t| by_box.add((t.q * t.lower).min(t.q * t.upper)));
        dual_value(&terms, &parts, eps, dual_norm).max(by_box.down())
    }

    /// A point of the region at which `q . x` is least, but for rounding. What searches go by; nothing here is taken as proof.
    pub fn minimiser(&self, q: &[f64]) -> Vec<f64> {
        let FloatBox { lower, upper } = self.enclosing_box();
        let RegionKind::Ball { centre, norm: norm @ (Norm::L1 | Norm::L2), .. } = self.kind() else {
            return q.iter().enumerate().map(|(i, &q)| if q >= 0.0 { lower[i] } else { upper[i] }).collect();
        };
        let term = |(i, &q): (usize, &f64)| Term { q, centre: centre[i], lower: lower[i], upper: upper[i] };
        let terms: Vec<Term> = q.iter().enumerate().map(term).collect();
        let mut x = centre.clone();
        if *norm == Norm::L2 {
            let multiplier = l2_multiplier(&terms, self.radius());
            for (x, t) in x.iter_mut().zip(&terms).filter(|(_, t)| t.q != 0.0) {
                *x -= t.q.signum() * t.room().min(t.q.abs() / multiplier);
            }
            return x;
        }
        let mut order: Vec<usize> = (0..q.len()).filter(|&i| q[i] != 0.0).collect();
        order.sort_unstable_by(|&i, &j| q[j].abs().total_cmp(&q[i].abs()));
        let mut left = self.radius();
        for i in order {
            let step = terms[i].room().min(left);
            x[i] -= q[i].signum() * step;
            left -= step;
        }
        x
    }
}

/// Moves the elements of largest coefficient first, each as far as the box allows, until the radius is used up.
fn l1_multiplier(terms: &[Term], eps: f64) -> f64 {
    let mut order: Vec<(f64, f64)> = terms.iter().map(|t| (t.q.abs(), t.room())).collect();
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let mut left = eps;
    for (q, room) in order {
        left -= room;
        if left <= 0.0 {
            return q;
        }
    }
    0.0
}

/// Elements move in proportion to their coefficients until the box stops them; finds the multiplier at which the radius
/// is used up. Each round stops those that the last multiplier would carry too far, which makes the multiplier smaller.
fn l2_multiplier(terms: &[Term], eps: f64) -> f64 {
    const ROUNDS: usize = 50;
    let largest = terms.iter().fold(0.0f64, |m, t| m.max(t.q.abs()));
    // With coefficients relative to the largest and rooms to the radius nothing over- or underflows.
    let scale = largest / eps;
    let mut multiplier = f64::INFINITY;
    for _ in 0..ROUNDS {
        let (mut free, mut left) = (0.0, 1.0);
        for t in terms {
            let (q, room) = (t.q.abs() / largest, t.room() / eps);
            if q > multiplier * room { left -= room * room } else { free += q * q }
        }
        if free == 0.0 && left > 0.0 {
            return 0.0;
        }
        let next: f64 = (free / left).sqrt();
        if next >= multiplier || next.is_nan() {
            break;
        }
        multiplier = next;
    }
    scale * multiplier
}

/// `p . centre - eps |p|* + min over the box of (q - p) . x`, rounded down.
fn dual_value(terms: &[Term], parts: &[f64], eps: f64, dual_norm: f64) -> f64 {
    let mut sum = LowerSum::default();
    for (t, &p) in terms.iter().zip(parts) {
        sum.add(p * t.centre);
        let rest = t.q - p;
        // A relative error of the difference is one of its minimum over the box, like the rounding of the product.
        sum.add((rest * t.lower).min(rest * t.upper));
    }
    sum.add(-(eps * dual_norm));
    sum.down()
}

/// A sum of rounded products that becomes a lower bound of the exact one.
#[derive(Default)]
struct LowerSum {
    sum: f64,
    size: f64,
    terms: usize,
}

impl LowerSum {
    fn add(&mut self, term: f64) {
        self.sum += term;
        self.size += term.abs();
        self.terms += 1;
    }

    /// Each term has suffered two roundings at most as a product and `terms` in the sums; twice as many cover the roundings in
    /// `size`, and the smallest normal number what underflows. What overflows is no bound.
    fn down(&self) -> f64 {
        if self.terms == 0 {
            return 0.0;
        }
        let error = gamma(2 * self.terms + 8) * self.size + (self.terms + 2) as f64 * f64::MIN_POSITIVE;
        let bound = (self.sum - error).next_down();
        if bound.is_finite() { bound } else { f64::NEG_INFINITY }
    }
}

/// The relative error of `n` roundings.
fn gamma(n: usize) -> f64 {
    let nu = n as f64 * (f64::EPSILON / 2.0);
    nu / (1.0 - nu) * (1.0 + 4.0 * f64::EPSILON)
}

/// The Euclidean norm, rounded up.
fn norm2_up(v: &[f64]) -> f64 {
    // A common factor keeps the squares of tiny and huge elements in range.
    let largest = v.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let sum: f64 = v.iter().map(|x| (x / largest) * (x / largest)).sum();
    (sum.sqrt() * largest * (1.0 + gamma(v.len() + 16))).next_up()
}
