//! The set of allowed inputs.

use crate::PropertyError;
use unmoved_ir::Rational;

/// The norm of a ball.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Norm {
    /// Largest absolute difference of an element.
    Linf,
    /// Sum of absolute differences.
    L1,
    /// Euclidean distance.
    L2,
}

impl Norm {
    /// `linf`, `l1`, `l2`: the word of the command line, of JSON and of query files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linf => "linf",
            Self::L1 => "l1",
            Self::L2 => "l2",
        }
    }
}

/// How a region was described.
#[derive(Debug, Clone, PartialEq)]
pub enum RegionKind {
    /// Every element between its own bounds.
    Box {
        /// Lower bounds.
        lower: Vec<Rational>,
        /// Upper bounds.
        upper: Vec<Rational>,
    },
    /// All points within a distance of a centre, every element within one valid range.
    Ball {
        /// The centre: the stored input, exactly.
        centre: Vec<f64>,
        /// The distance.
        norm: Norm,
        /// The largest distance.
        eps: Rational,
        /// The smallest and largest valid value of an element (0 and 1 for pixels).
        range: Option<(Rational, Rational)>,
    },
}

/// A box of floats.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatBox {
    /// Lower bounds.
    pub lower: Vec<f64>,
    /// Upper bounds.
    pub upper: Vec<f64>,
}

/// A non-empty, bounded set of inputs: a box, or a ball within a box.
#[derive(Debug, Clone, PartialEq)]
pub struct InputRegion {
    kind: RegionKind,
    enclosing: FloatBox,
}

impl InputRegion {
    /// The points between the bounds. Errors if some element has none.
    pub fn boxed(lower: Vec<Rational>, upper: Vec<Rational>) -> Result<Self, PropertyError> {
        if lower.len() != upper.len() {
            return Err(PropertyError::InputLength { network: lower.len(), region: upper.len() });
        }
        if let Some(index) = (0..lower.len()).find(|&i| lower[i] > upper[i]) {
            return Err(PropertyError::EmptyBox { index, lower: lower[index].clone(), upper: upper[index].clone() });
        }
        let enclosing = FloatBox {
            lower: lower.iter().map(Rational::round_down).collect(),
            upper: upper.iter().map(Rational::round_up).collect(),
        };
        finite(&enclosing.lower, "lower bounds")?;
        finite(&enclosing.upper, "upper bounds")?;
        Ok(Self { kind: RegionKind::Box { lower, upper }, enclosing })
    }

    /// The points within `eps` of the centre whose elements lie in `range`. Errors if eps is negative or the centre is
    /// not itself such a point.
    pub fn ball(
        centre: Vec<f64>,
        norm: Norm,
        eps: Rational,
        range: Option<(Rational, Rational)>,
    ) -> Result<Self, PropertyError> {
        finite(&centre, "centre")?;
        if eps < Rational::ZERO {
            return Err(PropertyError::NegativeRadius(eps));
        }
        if let Some((lower, upper)) = &range {
            let (above, below) = (lower.round_up(), upper.round_down());
            if let Some(index) = centre.iter().position(|&c| c < above || c > below) {
                let (lower, upper) = (lower.clone(), upper.clone());
                return Err(PropertyError::CentreOutside { index, value: centre[index], lower, upper });
            }
        }
        // No element moves farther than eps in any of the three norms.
        let radius = eps.round_up();
        let (least, most) = match &range {
            Some((lower, upper)) => (lower.round_down(), upper.round_up()),
            None => (f64::NEG_INFINITY, f64::INFINITY),
        };
        let enclosing = FloatBox {
            lower: centre.iter().map(|&c| sum_down(c, -radius).max(least)).collect(),
            upper: centre.iter().map(|&c| (-sum_down(-c, -radius)).min(most)).collect(),
        };
        finite(&enclosing.lower, "lower bounds")?;
        finite(&enclosing.upper, "upper bounds")?;
        Ok(Self { kind: RegionKind::Ball { centre, norm, eps, range }, enclosing })
    }

    /// How the region was described.
    pub fn kind(&self) -> &RegionKind {
        &self.kind
    }

    /// The number of input elements.
    #[allow(clippy::len_without_is_empty)] // a region is never empty
    pub fn len(&self) -> usize {
        self.enclosing.lower.len()
    }

    /// The smallest box of floats that surely contains the region; the region itself but for rounding if it is a box or
    /// an l-inf ball.
    pub fn enclosing_box(&self) -> &FloatBox {
        &self.enclosing
    }

    /// A lower bound of `q . x` over the region, for finite `q`; exact but for rounding, which it accounts for.
    ///
    /// Balls by Lagrangian duality: for any `q'`, `q . x >= q' . centre - eps |q'|* + min over the box of (q - q') . x`
    /// with the dual norm; for l1 `q'` is `q` clipped at the best multiplier, for l2 it follows from bisection.
    pub fn minimum(&self, q: &[f64]) -> f64 {
        let FloatBox { lower, upper } = &self.enclosing;
        match &self.kind {
            RegionKind::Ball { centre, norm: Norm::L1, eps, .. } => {
                let eps = eps.round_up();
                let value = |lambda: f64| {
                    let part: Vec<f64> = q.iter().map(|q| q.clamp(-lambda, lambda)).collect();
                    dual_value(q, &part, centre, eps, lambda, lower, upper)
                };
                best_multiplier(q, value)
            }
            RegionKind::Ball { centre, norm: Norm::L2, eps, .. } => {
                let eps = eps.round_up();
                let value = |lambda: f64| {
                    if lambda <= 0.0 {
                        return dual_value(q, &vec![0.0; q.len()], centre, eps, 0.0, lower, upper);
                    }
                    let part: Vec<f64> = (0..q.len())
                        .map(|i| lambda * (centre[i] - (centre[i] - q[i] / lambda).clamp(lower[i], upper[i])))
                        .collect();
                    dual_value(q, &part, centre, eps, norm2_up(&part), lower, upper)
                };
                let scale = norm2_up(q) / eps.max(f64::MIN_POSITIVE);
                golden_maximum(value, scale)
            }
            _ => box_minimum(q, lower, upper),
        }
    }

    /// Whether a point lies in the region, decided exactly. False for points that are not finite or of another length.
    pub fn contains(&self, x: &[f32]) -> bool {
        if x.len() != self.len() || x.iter().any(|v| !v.is_finite()) {
            return false;
        }
        let exact = |v: f64| Rational::from_f64(v).expect("finite");
        let x = x.iter().map(|&v| exact(f64::from(v)));
        match &self.kind {
            RegionKind::Box { lower, upper } => x.zip(lower.iter().zip(upper)).all(|(x, (l, u))| *l <= x && x <= *u),
            RegionKind::Ball { centre, norm, eps, range } => {
                let mut sum = Rational::ZERO;
                for (x, &c) in x.zip(centre) {
                    if range.as_ref().is_some_and(|(l, u)| x < *l || x > *u) {
                        return false;
                    }
                    let d = (&x - &exact(c)).abs();
                    match norm {
                        Norm::Linf if d > *eps => return false,
                        Norm::Linf => {}
                        Norm::L1 => sum = &sum + &d,
                        Norm::L2 => sum = &sum + &(&d * &d),
                    }
                }
                match norm {
                    Norm::Linf => true,
                    Norm::L1 => sum <= *eps,
                    Norm::L2 => sum <= eps * eps,
                }
            }
        }
    }

    /// The nearest point of the region in the Euclidean sense, but for rounding; what attacks step back with.
    pub fn project(&self, x: &mut [f64]) {
        let FloatBox { lower, upper } = &self.enclosing;
        if let RegionKind::Ball { centre, norm, eps, .. } = &self.kind {
            let eps = eps.to_f64();
            match norm {
                Norm::Linf => {}
                Norm::L1 => {
                    return project_ball(
                        x,
                        centre,
                        lower,
                        upper,
                        |d| d.iter().map(|v| v.abs()).sum::<f64>() <= eps,
                        soft_threshold,
                    );
                }
                Norm::L2 => {
                    return project_ball(
                        x,
                        centre,
                        lower,
                        upper,
                        |d| d.iter().map(|v| v * v).sum::<f64>() <= eps * eps,
                        shrink,
                    );
                }
            }
        }
        for i in 0..x.len() {
            x[i] = x[i].clamp(lower[i], upper[i]);
        }
    }

    /// Rounds a point to float32 so that it lies in the region exactly, pulling it towards the centre as little as it
    /// takes. `None` if the region holds no float32 point near it.
    pub fn to_f32_inside(&self, x: &[f64]) -> Option<Vec<f32>> {
        let FloatBox { lower, upper } = &self.enclosing;
        let centre: Vec<f64> = match &self.kind {
            RegionKind::Ball { centre, .. } => centre.clone(),
            RegionKind::Box { .. } => lower.iter().zip(upper).map(|(l, u)| l + (u - l) / 2.0).collect(),
        };
        let mut shrink = 0.0;
        for _ in 0..6 {
            let rounded: Vec<f32> =
                (0..x.len()).map(|i| self.element_inside(i, x[i] + shrink * (centre[i] - x[i]))).collect();
            if self.contains(&rounded) {
                return Some(rounded);
            }
            shrink = if shrink == 0.0 { 1e-7 } else { shrink * 10.0 };
        }
        None
    }

    /// One element rounded to a float32 within its own bounds, if there is one next to it.
    fn element_inside(&self, i: usize, v: f64) -> f32 {
        let (l, u) = (self.enclosing.lower[i], self.enclosing.upper[i]);
        let mut r = v.clamp(l, u) as f32;
        let within = |r: f32| match &self.kind {
            RegionKind::Box { lower, upper } => {
                let x = Rational::from_f64(f64::from(r)).unwrap_or(Rational::ZERO);
                (x < lower[i], x > upper[i])
            }
            RegionKind::Ball { centre, eps, range, .. } => {
                let x = Rational::from_f64(f64::from(r)).unwrap_or(Rational::ZERO);
                let c = Rational::from_f64(centre[i]).expect("finite");
                let low = x < &c - eps || range.as_ref().is_some_and(|(l, _)| x < *l);
                let high = x > &c + eps || range.as_ref().is_some_and(|(_, u)| x > *u);
                (low, high)
            }
        };
        // The outward bounds are at most an ulp away from the exact ones, so two steps are enough.
        for _ in 0..2 {
            // Only values at the edge need the exact comparison.
            if f64::from(r) > l + 1e-6 * (1.0 + l.abs()) && f64::from(r) < u - 1e-6 * (1.0 + u.abs()) {
                break;
            }
            match within(r) {
                (true, false) => r = r.next_up(),
                (false, true) => r = r.next_down(),
                _ => break,
            }
        }
        r
    }

    /// A point of the region from numbers in `[0, 1)`, one per element and one more; for tests and for starting attacks.
    pub fn sample(&self, mut uniform: impl FnMut() -> f64) -> Vec<f64> {
        let FloatBox { lower, upper } = &self.enclosing;
        let mut x: Vec<f64> = lower.iter().zip(upper).map(|(l, u)| l + (u - l) * uniform()).collect();
        self.project(&mut x);
        x
    }
}

fn finite(values: &[f64], what: &'static str) -> Result<(), PropertyError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(PropertyError::NotFinite { what, index, value: values[index] }),
        None => Ok(()),
    }
}

/// `a + b` rounded down: Knuth's two-sum tells the sign of the rounding error exactly.
fn sum_down(a: f64, b: f64) -> f64 {
    let s = a + b;
    let bb = s - a;
    let error = (a - (s - bb)) + (b - bb);
    if error < 0.0 || !error.is_finite() { s.next_down() } else { s }
}

/// `k` roundings of relative size 2^-53.
fn gamma(k: usize) -> f64 {
    let ku = k as f64 * (f64::EPSILON / 2.0);
    ku / (1.0 - ku) * (1.0 + f64::EPSILON)
}

/// A lower bound of `q . x` over a box.
fn box_minimum(q: &[f64], lower: &[f64], upper: &[f64]) -> f64 {
    let (mut sum, mut size) = (0.0, 0.0);
    for i in 0..q.len() {
        let term = (q[i] * lower[i]).min(q[i] * upper[i]);
        sum += term;
        size += term.abs();
    }
    down(sum, size, q.len())
}

/// `sum` of `n` rounded products with total magnitude `size`, moved below the exact value.
fn down(sum: f64, size: f64, n: usize) -> f64 {
    (sum - (gamma(2 * n + 8) * size + (n + 2) as f64 * f64::MIN_POSITIVE)).next_down()
}

fn norm2_up(v: &[f64]) -> f64 {
    // A common factor keeps the squares of tiny and huge elements in range.
    let largest = v.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let sum: f64 = v.iter().map(|x| (x / largest) * (x / largest)).sum();
    (sum.sqrt() * largest * (1.0 + gamma(v.len() + 16))).next_up()
}

/// `part . centre - eps |part|* + min over the box of (q - part) . x`, rounded down.
fn dual_value(q: &[f64], part: &[f64], centre: &[f64], eps: f64, dual_norm: f64, lower: &[f64], upper: &[f64]) -> f64 {
    let (mut sum, mut size) = (0.0, 0.0);
    let mut add = |term: f64| {
        sum += term;
        size += term.abs();
    };
    for i in 0..q.len() {
        add(part[i] * centre[i]);
        // The difference is rounded; its error times the largest element of the box is covered by two terms of size.
        let rest = q[i] - part[i];
        add((rest * lower[i]).min(rest * upper[i]));
    }
    add(-(eps * dual_norm));
    let slack: f64 = (0..q.len()).map(|i| (q[i] - part[i]).abs() * lower[i].abs().max(upper[i].abs())).sum();
    down(sum, size + slack, 2 * q.len() + 1)
}

/// The best of 0 and all `|q_i|`: the l1 dual is concave and piecewise linear in the multiplier with kinks there.
fn best_multiplier(q: &[f64], value: impl Fn(f64) -> f64) -> f64 {
    let mut kinks: Vec<f64> = q.iter().map(|q| q.abs()).chain([0.0]).collect();
    kinks.sort_by(f64::total_cmp);
    kinks.dedup();
    let (mut lo, mut hi) = (0, kinks.len() - 1);
    while hi - lo > 2 {
        let (a, b) = (lo + (hi - lo) / 3, hi - (hi - lo) / 3);
        if value(kinks[a]) < value(kinks[b]) { lo = a } else { hi = b }
    }
    (lo..=hi).map(|k| value(kinks[k])).fold(f64::NEG_INFINITY, f64::max)
}

/// The maximum over positive multipliers of a concave function, searched over many orders of magnitude around `scale`;
/// any point of the search is sound.
fn golden_maximum(value: impl Fn(f64) -> f64, scale: f64) -> f64 {
    let at = |t: f64| value(scale * t.exp());
    let (mut lo, mut hi) = (-30.0f64, 3.0f64);
    let mut best = value(0.0).max(at(0.0));
    for _ in 0..60 {
        let (a, b) = (lo + (hi - lo) * 0.382, hi - (hi - lo) * 0.382);
        let (va, vb) = (at(a), at(b));
        best = best.max(va).max(vb);
        if va < vb { lo = a } else { hi = b }
    }
    best
}

/// Finds the multiplier at which the step from the centre, shortened by it and clamped to the box, fits the ball.
fn project_ball(
    x: &mut [f64],
    centre: &[f64],
    lower: &[f64],
    upper: &[f64],
    fits: impl Fn(&[f64]) -> bool,
    shorten: impl Fn(f64, f64) -> f64,
) {
    let step: Vec<f64> = x.iter().zip(centre).map(|(x, c)| x - c).collect();
    let shortened = |t: f64| -> Vec<f64> {
        (0..step.len()).map(|i| (centre[i] + shorten(step[i], t)).clamp(lower[i], upper[i]) - centre[i]).collect()
    };
    let mut best = shortened(0.0);
    if !fits(&best) {
        let (mut lo, mut hi) = (0.0, 1.0 + step.iter().fold(0.0f64, |m, d| m.max(d.abs())) * 1e6);
        for _ in 0..100 {
            let middle = 0.5 * (lo + hi);
            if fits(&shortened(middle)) { hi = middle } else { lo = middle }
        }
        best = shortened(hi);
    }
    for i in 0..x.len() {
        x[i] = centre[i] + best[i];
    }
}

/// The proximal step of the l1 norm.
fn soft_threshold(d: f64, t: f64) -> f64 {
    d.signum() * (d.abs() - t).max(0.0)
}

/// The proximal step of the squared l2 norm.
fn shrink(d: f64, t: f64) -> f64 {
    d / (1.0 + t)
}
